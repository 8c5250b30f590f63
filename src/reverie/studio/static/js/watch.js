// Watching a job: live pictures, score, time left; its end, and what one may do then.

import { button, duration, fill, h, say, shown, svg, toast } from "./dom.js";
import { engine } from "./engine.js";
import { known } from "./sources.js";
import { useSource, wish, world } from "./state.js";

export class Watch {
  /** @param {import("./stage.js").Stage} stage @param {{further: () => void, hint?: string}} how */
  constructor(stage, how) {
    this.stage = stage;
    this.how = how;
    /** @type {any} */
    this.job = null;
    /** @type {number[]} */
    this.scores = [];
    this.facts = h("p", { class: "facts numbers", "aria-live": "off" });
    this.line = svg("path", { d: "" });
    this.curve = svg("svg", { class: "curve", viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": "Score, step by step" }, this.line);
    this.bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
    this.tools = h("div", { class: "row" });
    this.left = h("div", { class: "stack", style: "gap:2px" }, this.curve, this.facts);
    this.root = h("section", { class: "progress", "aria-label": "Progress" }, this.left, this.tools, this.bar);
  }

  /** Nothing is watched. */
  idle() {
    this.job = null;
    this.curve.style.display = "none";
    this.bar.hidden = true;
    fill(this.tools);
    this.hint("");
  }

  /** A sentence while nothing is watched. @param {string} text */
  hint(text) {
    if (this.job) return;
    fill(this.facts, h("span", { class: text ? "wrong" : "" }, text || (this.how.hint ?? (wish.shown ? "Choose a look, then dream. Ctrl ↵ starts it." : ""))));
  }

  /** @param {string} id */
  async follow(id) {
    let job = await engine.ask(`/api/jobs/${id}`);
    // An event that came while this answer was on its way was about a job that nobody watched yet.
    if (world.jobs.has(id) && world.jobs.get(id).state !== job.state) job = await engine.ask(`/api/jobs/${id}`);
    this.scores = job.scores ?? [];
    this.job = job;
    world.jobs.set(id, { ...world.jobs.get(id), ...job });
    this.source = job.wish.source ? await known(job.wish.source).catch(() => null) : null;
    if (this.job !== job && this.job?.id !== id) return;
    this.draw();
  }

  /** @param {any} told */
  told(told) {
    if (!this.job) return;
    if (told.type === "step" && told.job === this.job.id) {
      this.job.progress = told;
      this.job.state = "running";
      this.scores.push(told.score);
      if (this.scores.length > 900) this.scores = this.scores.filter((_, at) => at % 2);
      this.step();
    } else if (told.type === "job" && told.job.id === this.job.id) {
      const { state } = this.job;
      this.job = { ...this.job, ...told.job };
      if (state !== told.job.state || told.job.state !== "running") this.draw();
    } else if (told.type === "note" && told.job === this.job.id) { this.job.notes = [...(this.job.notes ?? []), told.text]; this.words(); }
    else if (told.type === "queue") this.draw();
  }

  step() {
    const { progress } = this.job;
    if (progress.picture) this.live(progress);
    this.bar.value = (progress.index + 1) / progress.total;
    this.words();
    this.plot();
  }

  /** @param {any} progress */
  live(progress) {
    const size = this.job.kind === "dream" && this.source && progress.width && this.fits(progress) ? this.source : progress;
    this.stage.show({ after: engine.live(this.job.id, progress.picture), before: this.source ? engine.view(this.source.id, 1600) : null,
      width: size.width, height: size.height, label: `step ${progress.index + 1} of ${progress.total}`, keep: true });
    this.stage.after.dataset.number = progress.picture;
  }

  /** Whether the dream has its source's shape: then the stage need not change its size from octave to octave. @param {any} progress */
  fits(progress) {
    return Math.abs(progress.width / progress.height - this.source.width / this.source.height) < 0.03;
  }

  draw() {
    const { job } = this;
    const running = job.state === "running";
    this.curve.style.display = "";
    this.bar.hidden = !running;
    fill(this.tools, running ? [
      button("Go on from here", () => engine.act(job.id, "cancel", { keep: true }), { class: "tiny", title: "Stop, and dream into the picture of this moment with other settings" }),
      button(world.paused ? "Go on" : "Hold", () => engine.ask("/api/queue", { body: { paused: !world.paused } }), { class: "tiny" }),
      button("Cancel", () => this.cancel(), { class: "tiny", "data-act": "cancel" }),
    ] : ["queued", "interrupted"].includes(job.state) ? [button("Cancel", () => this.cancel(), { class: "tiny", "data-act": "cancel" })] : this.endings());
    const result = job.results?.[0];
    if (job.state === "done" && result?.picture) this.result(result);
    else if (running && job.progress?.picture) this.step();
    else if (job.state === "cancelled" && result?.asset) this.kept(result.asset);
    else if (this.source && !this.stage.width) this.stage.show({ after: engine.view(this.source.id, 1600), width: this.source.width, height: this.source.height, label: "source", keep: true });
    else if (!this.stage.width) this.stage.empty(h("p", { class: "soft" }, job.state === "queued" ? "Waits for its turn" : running ? "Begins …" : ""));
    this.words();
    this.plot();
  }

  endings() {
    const { job } = this;
    const result = job.results?.[0];
    if (job.state === "done" && result?.picture) {
      return [
        button("Dream further", async () => { useSource(await known(result.picture)); this.how.further(); }, { class: "tiny", "data-act": "further" }),
        button("Again", () => this.again(), { class: "tiny", icon: "again", title: "The same wish with another seed" }),
        h("a", { class: "button tiny", href: `/api/files/${result.picture}/download`, download: "" }, "Download"),
        h("a", { class: "button tiny", href: `#/picture/${result.picture}`, "data-act": "show" }, "Settings"),
      ];
    }
    return [
      ["cancelled", "failed"].includes(job.state) ? button("Go on", () => engine.act(job.id, "resume"), { class: "tiny", title: "From where it stopped" }) : null,
      button("Begin anew", async () => { const { job: next } = await engine.act(job.id, "repeat"); location.hash = `#/job/${next.id}`; }, { class: "tiny" }),
      h("a", { class: "button tiny", href: "#/dream" }, "Back to the settings"),
    ];
  }

  async again() {
    const settings = { ...this.job.wish.settings, seed: Math.floor(Math.random() * 1e6) };
    const [next] = await engine.start([{ ...this.job.wish, settings }]);
    world.jobs.set(next.id, next);
    location.hash = `#/job/${next.id}`;
  }

  /** @param {any} result */
  result(result) {
    if (/\.(mp4|webm|mov)$/.test(result.name)) {
      const video = h("video", { controls: true, loop: true, autoplay: true, playsinline: true, src: `/api/files/${result.picture}/film`, "aria-label": "The film" });
      video.muted = true;
      this.stage.empty(video);
      return;
    }
    this.stage.show({ after: engine.view(result.picture, Math.max(result.width, result.height) > 1600 ? 0 : 1600), before: this.source ? engine.view(this.source.id, 1600) : null,
      width: result.width, height: result.height, label: `The dream ${this.job.title}`, keep: true });
    this.stage.label(this.source ? "" : "");
  }

  /** @param {string} asset */
  async kept(asset) {
    useSource(await known(asset));
    toast("The picture of that moment is the source now.");
    this.how.further();
  }

  words() {
    const { job } = this;
    const { progress } = job;
    const note = job.notes?.[job.notes.length - 1];
    const state = /** @type {Record<string, string>} */ ({ queued: "waits for its turn", interrupted: "was interrupted; goes on by itself", done: "done", failed: "failed", cancelled: "cancelled", running: world.paused ? "held" : "" })[job.state];
    const parts = job.state === "running" && progress?.total ? [
      progress.octaves > 1 ? `octave ${progress.octave + 1} of ${progress.octaves}` : "", `${job.kind === "dream" ? "step" : "frame"} ${progress.index + 1} of ${progress.total}`,
      progress.width ? `${progress.width} × ${progress.height}` : "", job.kind === "dream" ? `score ${shown(Number(Number(progress.score).toPrecision(3)))}` : "",
      progress.left && !world.paused ? `${duration(progress.left)} left` : "", state] : [job.title, state];
    fill(this.facts, parts.filter(Boolean).map((each) => h("span", {}, each)), job.error ? h("span", { class: "wrong" }, job.error) : null, note ? h("span", {}, note) : null);
    if (job.state !== this.spoken) { this.spoken = job.state; say(`${job.title}: ${state || "dreams"}`); }
  }

  plot() {
    const scores = this.scores;
    if (scores.length < 2) { this.line.setAttribute("d", ""); return; }
    const low = Math.min(...scores), span = Math.max(...scores) - low || 1;
    this.line.setAttribute("d", scores.map((each, at) => `${at ? "L" : "M"}${((at / (scores.length - 1)) * 100).toFixed(2)} ${(94 - ((each - low) / span) * 88).toFixed(2)}`).join(""));
  }

  async cancel() {
    if (["running", "queued", "interrupted"].includes(this.job?.state)) await engine.act(this.job.id, "cancel");
  }
}
