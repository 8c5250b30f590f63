// The queue, as a drawer on the right: the server owns it, this only shows it.

import { button, duration, fill, h, run } from "./dom.js";
import { engine } from "./engine.js";
import { switches } from "./notify.js";
import { world } from "./state.js";

const WORDS = { queued: "waits", running: "dreams", interrupted: "goes on soon", done: "done", failed: "failed", cancelled: "cancelled" };

export class QueueDrawer {
  constructor() {
    this.open = false;
    this.list = h("ol", { "aria-label": "Jobs" });
    this.hold = button("Pause", () => engine.ask("/api/queue", { body: { paused: !world.paused } }), { class: "tiny", icon: "pause" });
    this.root = h("aside", { class: "queue", "aria-label": "Queue" },
      h("header", {}, h("h2", {}, "Queue"), this.hold,
        button("Clear the finished", async () => {
          await engine.ask("/api/queue", { body: { forget: true } });
          for (const [id, job] of world.jobs) if (!["queued", "running", "interrupted"].includes(job.state)) world.jobs.delete(id);
          this.draw();
        }, { class: "tiny" }),
        button("Close the queue", () => this.toggle(), { icon: "close", bare: true, class: "plain" })),
      this.list, h("div", { style: "padding:10px 18px" }, switches()));
    /** @type {Map<string, any>} */
    this.bars = new Map();
  }

  toggle() {
    this.open = !this.open;
    const place = document.getElementById("drawer");
    document.getElementById("queue-button")?.setAttribute("aria-expanded", String(this.open));
    if (!place) return;
    if (this.open) { this.draw(); fill(place, this.root); this.root.querySelector("button")?.focus(); }
    else { place.replaceChildren(); document.getElementById("queue-button")?.focus(); }
  }

  /** @param {any} told */
  told(told) {
    if (!this.open) return;
    if (told.type === "step") this.step(told);
    else if (["job", "queue", "all"].includes(told.type)) {
      if (told.order) told.order.forEach((/** @type {string} */ id, /** @type {number} */ at) => { const job = world.jobs.get(id); if (job) job.place = at; });
      this.draw();
    }
  }

  /** @param {any} told */
  step(told) {
    const bar = this.bars.get(told.job);
    if (!bar) return;
    bar.progress.value = (told.index + 1) / told.total;
    bar.words.textContent = words({ ...world.jobs.get(told.job), progress: told });
    if (told.picture) bar.shot.src = engine.live(told.job, told.picture);
  }

  draw() {
    const held = world.paused;
    fill(this.hold, held ? "Go on" : "Pause");
    this.hold.setAttribute("aria-pressed", String(held));
    const all = [...world.jobs.values()];
    const open = all.filter((job) => ["queued", "running", "interrupted"].includes(job.state)).sort((a, b) => Number(b.state === "running") - Number(a.state === "running") || a.place - b.place);
    const ended = all.filter((job) => !open.includes(job)).sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0)).slice(0, 60);
    const waiting = open.filter((job) => job.state !== "running");
    this.bars.clear();
    fill(this.list, [...open, ...ended].map((job) => this.item(job, waiting)));
    if (!all.length) fill(this.list, h("li", { style: "display:block" }, h("p", { class: "soft" }, "Nothing waits. What you dream is queued here and goes on without this page.")));
  }

  /** @param {any} job @param {any[]} waiting */
  item(job, waiting) {
    const shot = h("img", { class: "shot", alt: "", src: picture(job) ?? undefined, loading: "lazy" });
    const state = h("span", { class: "small soft numbers" }, words(job));
    const at = waiting.indexOf(job);
    const act = (/** @type {string} */ action, /** @type {any} */ more = {}) => () => run(() => engine.act(job.id, action, more));
    const icon = (/** @type {string} */ label, /** @type {any} */ glyph, /** @type {() => any} */ does) => button(`${label}: ${job.title}`, does, { icon: glyph, bare: true, class: "tiny plain" });
    const tools = h("span", { class: "row tight" },
      at > 0 ? icon("Earlier", "up", act("move", { before: waiting[at - 1].id })) : null,
      at >= 0 && at < waiting.length - 1 ? icon("Later", "down", act("move", { before: waiting[at + 2]?.id ?? null })) : null,
      ["queued", "running", "interrupted"].includes(job.state) ? icon("Cancel", "close", act("cancel")) : null,
      ["cancelled", "failed"].includes(job.state) ? icon("Go on with", "play", act("resume")) : null,
      job.state === "done" ? icon("Repeat", "again", act("repeat")) : null);
    const progress = job.state === "running" ? h("progress", { max: 1, value: share(job), "aria-label": `Progress of ${job.title}` }) : null;
    if (progress) this.bars.set(job.id, { progress, words: state, shot });
    return h("li", { "data-job": job.id, "data-state": job.state }, shot,
      h("span", { class: "grow" }, h("a", { href: `#/job/${job.id}` }, job.title), state), tools, progress,
      job.error ? h("p", { class: "fault small wrong" }, job.error) : null);
  }
}

/** @param {any} job */
function share(job) {
  return job.progress?.total ? (job.progress.index + 1) / job.progress.total : 0;
}

/** @param {any} job */
function words(job) {
  const word = /** @type {Record<string, string>} */ (WORDS)[job.state];
  if (job.state !== "running" || !job.progress?.total) return world.paused && job.state === "running" ? "held" : word;
  const left = job.progress.left ? ` · ${duration(job.progress.left)} left` : "";
  return `${Math.round(share(job) * 100)} %${world.paused ? " · held" : left}`;
}

/** @param {any} job @returns {string | null} */
export function picture(job) {
  if (job.results?.[0]?.picture) return engine.view(job.results[0].picture, 480);
  if (job.state === "running" && job.progress?.picture) return engine.live(job.id, job.progress.picture);
  if (job.wish?.source) return engine.view(job.wish.source, 480);
  return null;
}
