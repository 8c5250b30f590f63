// The dream: the stage with what happens, and the panel with what to do.

import { button, fill, h, run, settled, toast } from "./dom.js";
import { engine, Previews } from "./engine.js";
import { control, groups } from "./form.js";
import { guides } from "./guides.js";
import { looks } from "./looks.js";
import { manyTools } from "./many.js";
import { MaskTool } from "./mask.js";
import { objectiveField } from "./objective.js";
import { pick, received, sourceRow } from "./sources.js";
import { Stage } from "./stage.js";
import { asked, choice, choose, effective, follow, set, wish, world } from "./state.js";
import { Watch } from "./watch.js";

const binding = {
  get: effective,
  set: (/** @type {string} */ name, /** @type {any} */ value) => set(name, value),
  changed: (/** @type {string} */ name) => name in wish.settings,
};
const QUICK = 224;

/** @param {string[]} address */
export function open(address) {
  const [kind, id] = address;
  const stage = new Stage();
  const watch = new Watch(stage, { further: () => { location.hash = "#/dream"; } });
  const mask = new MaskTool(stage);
  const quick = new Previews("quick");
  const parts = [sourceRow(), looks(), objectiveField(), dials(), guides(), more()];
  const go = button("Dream", () => start(), { class: "primary", "data-act": "dream" });
  const many = button("More ways", () => manyTools(), { icon: "grid", title: "Variations, an X/Y grid, a folder, all presets" });
  const panel = h("aside", { class: "panel", "aria-label": "Settings" },
    h("div", { class: "scroll" }, h("h1", { class: "unseen" }, "Dream"), parts.map((each) => each.root)), h("div", { class: "foot" }, go, many));
  const root = h("div", { class: "bench" }, h("div", { class: "left" }, stage.root, watch.root), panel);
  stage.extra.append(mask.toggle);

  /** The source on the stage, or what there is to do without one. */
  function rest() {
    const { shown } = wish;
    mask.toggle.hidden = !shown;
    watch.idle();
    if (shown) {
      stage.show({ after: engine.view(shown.id, 1600), width: shown.width, height: shown.height, label: shown.title, keep: true });
      stage.label("");
      mask.restore();
    } else stage.empty(welcome());
  }

  async function start() {
    const [job] = await engine.start([asked()]);
    world.jobs.set(job.id, job);
    const now = `#/job/${job.id}`;
    if (location.hash === now) return;
    location.hash = now;
  }

  const look = settled(() => {
    if (!choice("quick", true) || document.hidden) return;
    void quick.want([{ wish: asked(), side: QUICK, show: (url, error, partial) => {
      stage.glance.hidden = !url;
      if (!url) { if (error) watch.hint(error); return; }
      watch.hint("");
      glanced(stage, url, partial);
    } }]).catch(() => {});
  }, 90);

  const end = follow((why) => {
    parts.forEach((each) => each.update?.());
    if (["source", "undo", "load"].includes(why) && kind !== "job") rest();
    if (["source", "load"].includes(why) && kind === "job") { location.hash = "#/dream"; return; }
    if (why === "mask" && kind !== "job") mask.restore();
    look();
  });
  if (kind === "job") { mask.toggle.hidden = true; void run(() => watch.follow(id)); }
  else { rest(); if (wish.source || Object.keys(wish.settings).length || wish.preset) look(); }
  return {
    root,
    title: "Dream",
    told: (/** @type {any} */ told) => {
      if (kind === "job") watch.told(told);
      if (told.type === "presets") parts.forEach((each) => each.update?.());
    },
    key: (/** @type {string} */ key, /** @type {KeyboardEvent} */ event) => {
      if (mask.key(event)) return true;
      if (key === "Enter" && (event.ctrlKey || event.metaKey)) { void run(start); return true; }
      if (key === "m" && !mask.toggle.hidden) { mask.setOn(!mask.on); return true; }
      if (key === "Escape" && kind === "job") { void run(() => watch.cancel()); return true; }
      return stage.key(key);
    },
    leave: () => { end(); quick.stop(); parts.forEach((each) => /** @type {any} */ (each).leave?.()); mask.setOn(false); stage.watcher.disconnect(); },
  };
}

/** @param {Stage} stage @param {string} url @param {boolean} partial */
function glanced(stage, url, partial) {
  const image = stage.glance.querySelector("img") ?? h("img", { alt: "A quick look at these settings" });
  image.src = url;
  fill(stage.glance, image, h("p", {}, h("span", {}, partial ? "quick look …" : "quick look"),
    button("Hide the quick look", () => { stage.glance.hidden = true; choose("quick", false); toast("No quick looks any more.", { label: "Show them", act: () => choose("quick", true) }); }, { icon: "close", bare: true, class: "tiny plain" })));
}

function welcome() {
  return h("div", { class: "drop" }, h("img", { src: "/static/icon.svg", alt: "", width: 56, height: 56 }),
    h("h1", {}, "Drop a picture"), h("p", { class: "soft" }, "or paste one, or take one with the camera. Without one, Reverie dreams out of noise."),
    button("Choose a picture", async () => received(await pick("image/*,video/*")), { class: "primary" }));
}

/** The few controls of the first screen. */
function dials() {
  const fields = world.schema.dials.map((/** @type {string} */ name) => world.schema.recipe.find((/** @type {any} */ each) => each.name === name)).filter(Boolean);
  const made = fields.map((/** @type {any} */ field) => control(field, binding, { brief: true }));
  return { root: h("section", { class: "dials", "aria-label": "Strength, detail, color, realism" }, made.map((/** @type {any} */ each) => each.root)),
    update: () => made.forEach((/** @type {any} */ each) => each.update()) };
}

/** Everything else, one click deeper. */
function more() {
  const networks = h("select", { "aria-label": "Network", onchange: () => set("network", networks.value === world.automatic ? null : networks.value) });
  const fillNetworks = () => {
    fill(networks, world.networks.map((/** @type {any} */ each) => h("option", { value: each.name, disabled: !each.ready }, each.ready ? each.name : `${each.name} (not here yet)`)));
    networks.value = effective("network");
  };
  /** @type {any} */
  let inner = null;
  const place = h("div", {});
  const root = h("details", {}, h("summary", {}, "All settings"), h("div", { class: "stack" },
    h("div", { class: "field" }, h("label", {}, "Network"), h("span", {}), h("div", { class: "wide" }, networks)), place, h("div", { class: "row" },
      button("Save as a preset", savePreset, { class: "tiny", icon: "save" }),
      button("Take all back", () => { wish.settings = {}; set("seed", null); }, { class: "tiny" }))));
  root.addEventListener("toggle", () => {
    choose("all", root.open);
    if (root.open && !inner) {
      const run = world.schema.run.map((/** @type {any} */ each) => ({ ...each, group: "Machine" }));
      const names = new Set(run.map((/** @type {any} */ each) => each.name));
      inner = groups([...world.schema.recipe.filter((/** @type {any} */ each) => !world.schema.dials.includes(each.name)), ...run], {
        get: (name) => (names.has(name) ? wish.run[name] ?? run.find((/** @type {any} */ each) => each.name === name)?.default : effective(name)),
        set: (name, value) => {
          if (!names.has(name)) { set(name, value); return; }
          if (value === null) delete wish.run[name]; else wish.run[name] = value;
          set("seed", wish.settings.seed ?? null);
        },
        changed: (name) => (names.has(name) ? name in wish.run : name in wish.settings),
      });
      place.append(inner.root);
    }
  });
  fillNetworks();
  if (choice("all", false)) root.open = true;
  return { root, update: () => { fillNetworks(); inner?.update(); } };
}

async function savePreset() {
  const { savePreset: save } = await import("./looks.js");
  save();
}
