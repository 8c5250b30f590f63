// Classes, layers and channels, chosen from small pictures of what each of them dreams.

import { awaited, button, dialog, fill, h } from "./dom.js";
import { Previews } from "./engine.js";
import { names, quoted } from "./objective.js";
import { effective } from "./state.js";

const SIDE = 112;

/** @param {() => string} get @param {(text: string) => void} put */
export async function picker(get, put) {
  const network = effective("network");
  const found = await names(network);
  const previews = new Previews("picker");
  const search = h("input", { type: "search", placeholder: "snake, stage3, …", "aria-label": "Search classes, layers and channels", autofocus: true });
  const layer = h("select", { "aria-label": "Layer", style: "width:auto" }, found.layers.map((/** @type {any} */ each) => h("option", { value: each.name }, `${each.name} (${each.channels})`)));
  const cards = h("div", { class: "cards", style: "grid-template-columns:repeat(auto-fill,minmax(96px,1fr))" });
  const now = h("code", { class: "grow" });
  let kind = found.classes.length ? "classes" : "layers";
  const kinds = [["classes", "Classes"], ["layers", "Layers"], ["channels", "Channels"]].map(([name, label]) =>
    h("button", { type: "button", role: "tab", "data-kind": name, onclick: () => { kind = name; draw(); } }, label));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) /** @type {any} */ (entry.target).seen = entry.isIntersecting;
    ask();
  }, { rootMargin: "150px" });

  const entries = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (/** @type {string} */ text) => words.every((/** @type {string} */ word) => text.toLowerCase().includes(word));
    if (kind === "classes") return found.classes.map((/** @type {string} */ whole) => ({ label: whole.split(",")[0], whole, text: quoted(whole.split(",")[0]) })).filter((/** @type {any} */ each) => fits(each.whole));
    if (kind === "layers") return found.layers.map((/** @type {any} */ each) => ({ label: each.name, whole: each.name, text: quoted(each.name) })).filter((/** @type {any} */ each) => fits(each.whole));
    const of = found.layers.find((/** @type {any} */ each) => each.name === layer.value) ?? found.layers[0];
    return Array.from({ length: of.channels }, (_, at) => ({ label: `${of.name}:${at}`, whole: `${of.name} ${at}`, text: `${quoted(of.name)}:${at}` })).filter((each) => fits(each.whole));
  };

  function draw() {
    kinds.forEach((each) => each.setAttribute("aria-selected", String(each.dataset.kind === kind)));
    layer.hidden = kind !== "channels";
    seen.disconnect();
    const all = entries();
    fill(cards, all.map((/** @type {any} */ each) => {
      const shot = awaited(SIDE, SIDE);
      const made = h("button", { type: "button", class: "card", title: each.whole, "aria-label": each.whole, onclick: () => add(each.text) }, shot, h("span", { class: "label" }, each.label));
      Object.assign(made, { entry: each, shot });
      seen.observe(made);
      return made;
    }));
    if (!all.length) fill(cards, h("p", { class: "soft" }, "Nothing is called so."));
  }

  function ask() {
    const wanted = /** @type {any[]} */ ([...cards.children]).filter((each) => each.seen && each.entry && !each.shot.filled).slice(0, 60);
    void previews.want(wanted.map((each) => ({
      wish: { source: null, settings: { network, objective: each.entry.text, size: `${SIDE}x${SIDE}` } }, side: SIDE, patient: true,
      show: (url, error, partial) => { if (!partial) { each.shot.show(url); if (!url) each.title = error ?? ""; } },
    }))).catch(() => {});
  }

  /** @param {string} text */
  function add(text) {
    const before = get().trim();
    put(before ? `${before} + ${text}` : text);
    words();
  }
  const words = () => { now.textContent = get() || "the network's own objective"; };
  search.addEventListener("input", draw);
  layer.addEventListener("change", draw);
  words();
  const close = dialog("What to dream", [
    h("div", { class: "row" }, h("div", { class: "grow", style: "min-width:180px" }, search), layer),
    h("div", { class: "tabs", role: "tablist", "aria-label": "Kinds" }, kinds), cards,
  ], [now, button("Begin anew", () => { put(""); words(); }), button("Done", () => close(), { class: "primary" })],
  { onclose: () => { previews.stop(); seen.disconnect(); } });
  draw();
}
