// Feature visualization: what a class, a layer or a channel means to the network, out of noise or out of the picture.

import { awaited, button, fill, h, run } from "./dom.js";
import { engine, Previews } from "./engine.js";
import { objectiveField, names, quoted } from "./objective.js";
import { Stage } from "./stage.js";
import { asked, choice, choose, effective, follow, preset, wish, world } from "./state.js";
import { sourceRow } from "./sources.js";
import { Watch } from "./watch.js";

const SIDE = 112;

export async function open() {
  const stage = new Stage();
  const watch = new Watch(stage, { further: () => { location.hash = "#/dream"; }, hint: "Ctrl ↵ starts it." });
  const previews = new Previews("sheet");
  let objective = choice("feature", "owl"), from = "noise", size = choice("featureSize", 384);
  const field = objectiveField({ get: () => objective, put: (/** @type {string | null} */ text) => { objective = text ?? ""; choose("feature", objective); field.update(); }, heading: "What to show" });
  const row = sourceRow();
  const kinds = [["noise", "Out of noise"], ["picture", "Out of the picture"]].map(([name, label]) => h("button", { type: "button", "aria-pressed": String(name === from), "data-from": name, onclick: () => { from = name; draw(); } }, label));
  const looks = ["visualize", "lucid", "maco", "classic"].filter((name) => preset(name)?.ready);
  const look = h("select", { "aria-label": "Way" }, looks.map((name) => h("option", { value: name }, `${name}: ${preset(name)?.about}`)));
  const sides = h("select", { "aria-label": "Size", onchange: () => { size = Number(sides.value); choose("featureSize", size); } }, [192, 256, 384, 512, 768].map((each) => h("option", { value: each }, `${each} × ${each}`)));
  sides.value = String(size);
  const sheet = h("div", { class: "cards", style: "grid-template-columns:repeat(auto-fill,minmax(88px,1fr))" });
  const layer = h("select", { "aria-label": "Layer of the sheet" });
  const seen = new IntersectionObserver((entries) => { for (const entry of entries) /** @type {any} */ (entry.target).seen = entry.isIntersecting; ask(); }, { rootMargin: "100px" });

  function draw() {
    kinds.forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.from === from)));
    row.root.hidden = from === "noise";
    look.parentElement.hidden = from !== "noise";
    sides.parentElement.hidden = from !== "noise";
  }

  async function start() {
    const network = wish.settings.network ? { network: wish.settings.network } : {};
    const wanted = from === "noise" ? { kind: "dream", source: null, preset: look.value, settings: { ...network, objective, size: `${size}x${size}` }, mask: null, guides: [] }
      : asked({ preset: "accentuate", settings: { ...network, objective }, guides: [] });
    if (from === "picture" && !wish.source) throw new Error("There is no picture yet; drop one on the page.");
    const [job] = await engine.start([wanted]);
    world.jobs.set(job.id, job);
    await watch.follow(job.id);
  }

  async function drawSheet() {
    const found = await names(effective("network"));
    fill(layer, found.classes.length ? h("option", { value: "" }, `classes (${found.classes.length})`) : null, found.layers.map((/** @type {any} */ each) => h("option", { value: each.name }, `${each.name} (${each.channels} channels)`)));
    cards(found);
    layer.onchange = () => cards(found);
  }

  /** @param {any} found */
  function cards(found) {
    seen.disconnect();
    const of = found.layers.find((/** @type {any} */ each) => each.name === layer.value);
    const all = of ? Array.from({ length: of.channels }, (_, at) => ({ label: String(at), text: `${quoted(of.name)}:${at}` })) : found.classes.map((/** @type {string} */ each) => ({ label: each.split(",")[0], text: quoted(each.split(",")[0]) }));
    fill(sheet, all.map((/** @type {any} */ each) => {
      const shot = awaited(SIDE, SIDE);
      const made = h("button", { type: "button", class: "card", "aria-label": each.text, onclick: () => { objective = each.text; choose("feature", objective); field.update(); } }, shot, h("span", { class: "label small" }, each.label));
      Object.assign(made, { entry: each, shot });
      seen.observe(made);
      return made;
    }));
  }

  function ask() {
    const wanted = /** @type {any[]} */ ([...sheet.children]).filter((each) => each.seen && !each.shot.filled).slice(0, 60);
    void previews.want(wanted.map((each) => ({
      wish: { source: null, settings: { network: effective("network"), objective: each.entry.text, size: `${SIDE}x${SIDE}` } }, side: SIDE, patient: true,
      show: (url, _error, partial) => { if (!partial) each.shot.show(url); },
    }))).catch(() => {});
  }

  const labeled = (/** @type {string} */ text, /** @type {any} */ control) => h("label", { class: "stack", style: "gap:4px" }, h("span", { class: "small soft" }, text), control);
  const root = h("div", { class: "bench" }, h("div", { class: "left" }, stage.root, watch.root), h("aside", { class: "panel", "aria-label": "Visualize" },
    h("div", { class: "scroll" }, h("h1", {}, "Visualize"), field.root, h("div", { class: "tabs", role: "group", "aria-label": "Out of what" }, kinds), row.root, labeled("Way", look), labeled("Size", sides),
      h("section", { "aria-label": "Sheet" }, h("div", { class: "head" }, h("h2", {}, "What it dreams")), layer, h("div", { style: "height:10px" }), sheet)),
    h("div", { class: "foot" }, button("Show it", start, { class: "primary" }))));
  watch.idle();
  stage.empty(h("p", { class: "soft" }, "A class, a layer or a channel, drawn as the network means it."));
  draw();
  void run(drawSheet);
  const end = follow(() => { row.update(); field.update(); });
  return { root, title: "Visualize", told: (/** @type {any} */ told) => watch.told(told), key: (/** @type {string} */ key, /** @type {KeyboardEvent} */ event) => { if (key === "Enter" && event.ctrlKey) { void run(start); return true; } if (key === "Escape") { void run(() => watch.cancel()); return true; } return stage.key(key); }, leave: () => { end(); previews.stop(); seen.disconnect(); stage.watcher.disconnect(); } };
}
