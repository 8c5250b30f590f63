// Films: the dive, the dreamt video, the ascent itself; a timeline with keyframes; the result plays in the page.

import { button, fill, h, run, settled } from "./dom.js";
import { engine, Previews } from "./engine.js";
import { control } from "./form.js";
import { looks } from "./looks.js";
import { objectiveField } from "./objective.js";
import { pick, sourceRow } from "./sources.js";
import { Stage } from "./stage.js";
import { asked, change, choice, choose, effective, follow, wish, world } from "./state.js";
import { Timeline } from "./timeline.js";
import { Watch } from "./watch.js";

/** @type {any} */
let clip = choice("clip", null);

/** Dream this video from now on. @param {any} asset */
export function useClip(asset) {
  clip = asset;
  choose("clip", asset);
  choose("film", "video");
}

/** @param {string[]} address */
export function open(address) {
  const stage = new Stage();
  const watch = new Watch(stage, { further: () => { location.hash = "#/dream"; }, hint: "A small film first shows whether the way is right. Ctrl ↵ starts it." });
  const quick = new Previews("frame");
  let kind = wish.film?.kind ?? choice("film", "zoom");
  /** @type {Record<string, any>} */
  let values = { ...(wish.film ?? {}) };
  delete values.kind;
  const at = values.at ?? [];
  delete values.at;
  const timeline = new Timeline({ length, moving: () => fieldsThatMove(kind), changed: () => keep(), look: (time, settings) => frame(time, settings) });
  timeline.read(at);
  const source = sourceRow(), look = looks(), objective = objectiveField();
  const tabs = [["zoom", "Dive"], ["video", "Video"], ["steps", "The ascent"]].map(([name, label]) =>
    h("button", { type: "button", "aria-pressed": "false", "data-kind": name, onclick: () => { kind = name; choose("film", kind); values = {}; timeline.read([]); keep(); draw(); } }, label));
  const form = h("div", { class: "stack" });
  const clipRow = h("div", { class: "stack" });
  const small = h("input", { type: "checkbox", "aria-label": "A small, quick film first", checked: true });

  function length() {
    if (kind === "video") return clip?.seconds ?? 4;
    return seconds(values.duration ?? world.schema.zoom.find((/** @type {any} */ each) => each.name === "duration")?.default ?? "10s");
  }

  function keep() {
    change({ film: { ...values, kind, at: timeline.words() } }, { why: "film", undoable: false });
  }

  function draw() {
    tabs.forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.kind === kind)));
    source.root.hidden = kind === "video";
    clipRow.hidden = kind !== "video";
    fill(clipRow, h("div", { class: "source" }, clip ? h("img", { class: "shot", src: engine.view(clip.id, 480), alt: "" }) : h("div", { class: "shot" }),
      h("div", { class: "grow" }, h("p", { class: "title" }, clip?.title ?? "No video yet"), h("p", { class: "small soft numbers" }, clip ? `${clip.width} × ${clip.height} · ${Number(clip.seconds ?? 0).toFixed(1)} s` : "drop one anywhere"))),
    button("Choose a video", async () => { const [file] = await pick("video/*,.mkv"); if (file) { useClip(await engine.upload(file, "clip", file.name)); kind = "video"; keep(); draw(); } }, { class: "tiny", icon: "folder" }));
    const binding = { get: (/** @type {string} */ name) => values[name] ?? world.schema[kind].find((/** @type {any} */ each) => each.name === name)?.default,
      set: (/** @type {string} */ name, /** @type {any} */ value) => { if (value === null) delete values[name]; else values[name] = value; keep(); controls.forEach((/** @type {any} */ each) => each.update()); timeline.draw(); },
      changed: (/** @type {string} */ name) => name in values };
    const controls = world.schema[kind].map((/** @type {any} */ field) => control(field, binding, { brief: true }));
    fill(form, controls.map((/** @type {any} */ each) => each.root));
    timeline.root.hidden = kind === "steps";
    timeline.draw();
    rest();
  }

  function rest() {
    if (watch.job) return;
    watch.idle();
    const shown = kind === "video" ? clip : wish.shown;
    if (shown) stage.show({ after: engine.view(shown.id, kind === "video" ? 480 : 1600), width: shown.width, height: shown.height, label: shown.title });
    else stage.empty(h("p", { class: "soft" }, kind === "video" ? "Drop a video anywhere." : "Drop a picture anywhere, or dive out of noise."));
  }

  const frame = settled((/** @type {number} */ time, /** @type {Record<string, number>} */ settings) => {
    const own = Object.fromEntries(Object.entries(settings).filter(([name]) => world.schema.recipe.some((/** @type {any} */ each) => each.name === name)));
    void quick.want([{ wish: asked({ source: kind === "video" ? null : wish.source, settings: { ...wish.settings, ...own } }), side: 224, show: (url, _error, partial) => {
      stage.glance.hidden = !url;
      if (url) fill(stage.glance, h("img", { src: url, alt: "The look at this moment" }), h("p", {}, h("span", {}, `the look at ${time.toFixed(1)} s${partial ? " …" : ""}`)));
    } }]).catch(() => {});
  }, 120);

  async function start() {
    const film = { ...values, ...(kind === "steps" ? {} : { at: timeline.words() }) };
    if (kind === "video" && !clip) throw new Error("There is no video yet; drop one on the page.");
    const [job] = await engine.start([asked({ kind, source: kind === "video" ? clip.id : wish.source, film, preview: small.checked, mask: null })]);
    world.jobs.set(job.id, job);
    history.replaceState(null, "", `#/film/${job.id}`);
    await watch.follow(job.id);
  }

  const root = h("div", { class: "bench filming" }, h("div", { class: "left" }, stage.root, watch.root, timeline.root), h("aside", { class: "panel", "aria-label": "Film" },
    h("div", { class: "scroll" }, h("h1", { class: "unseen" }, "Film"), h("div", { class: "tabs", role: "group", "aria-label": "Kind of film" }, tabs), source.root, clipRow, form, objective.root, look.root),
    h("div", { class: "foot" }, button("Film it", start, { class: "primary", "data-act": "film" }), h("label", { class: "row tight small", style: "white-space:nowrap" }, small, "small first"))));
  draw();
  const end = follow((why) => { source.update(); look.update(); objective.update(); if (why === "source") { watch.job = null; rest(); } timeline.draw(); });
  if (address[1]) void run(() => watch.follow(address[1]));
  return { root, title: "Film", told: (/** @type {any} */ told) => watch.told(told),
    key: (/** @type {string} */ key, /** @type {KeyboardEvent} */ event) => { if (key === "Enter" && event.ctrlKey) { void run(start); return true; } if (key === "Escape") { void run(() => watch.cancel()); return true; } return stage.key(key); },
    leave: () => { end(); quick.stop(); look.leave(); stage.watcher.disconnect(); } };
}

/** What keyframes may move in a film of that kind. @param {string} kind */
function fieldsThatMove(kind) {
  const own = world.schema[kind]?.filter((/** @type {any} */ each) => world.schema.moving[kind]?.includes(each.name)) ?? [];
  const recipe = world.schema.recipe.filter((/** @type {any} */ each) => each.kind === "number" && ["step_size", "jitter", "fine", "coarse", "spread", "gray", "blend", "momentum", "headroom", "strength", "motif_size", "realism"].includes(each.name));
  return [...own, ...recipe, ...(world.schema.recipe.some((/** @type {any} */ each) => each.name === "step_size" && each.kind !== "number") ? [{ name: "step_size", label: "Step size", default: effective("step_size") || 0.006, minimum: 0, maximum: 0.03 }] : [])];
}

/** Seconds of a time as people write it. @param {string} text */
export function seconds(text) {
  const clock = /^(\d+):(\d+(?:\.\d+)?)$/.exec(text.trim());
  if (clock) return Number(clock[1]) * 60 + Number(clock[2]);
  const found = /^(?:(\d+)m(?!s))?(?:(\d+(?:\.\d*)?)s?)?$/.exec(text.trim());
  return found ? Number(found[1] ?? 0) * 60 + Number(found[2] ?? 0) || 10 : 10;
}
