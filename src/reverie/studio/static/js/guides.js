// Guides: pictures whose forms are dreamt, each with its layer, its weight, and a mask of its own; and the mask's row.

import { button, dialog, fill, h, run } from "./dom.js";
import { engine } from "./engine.js";
import { Painting } from "./mask.js";
import { names } from "./objective.js";
import { pick } from "./sources.js";
import { change, effective, wish } from "./state.js";

export function guides() {
  const list = h("div", { class: "stack" });
  const root = h("details", {}, h("summary", {}, "Mask and guides"), list);
  /** @param {number} at @param {any} values */
  const edit = (at, values) => change({ guides: wish.guides.map((each, number) => (number === at ? { ...each, ...values } : each)) }, { why: "guides" });

  /** @param {any} guide @param {number} at @param {any[]} layers */
  const row = (guide, at, layers) => {
    const layer = h("select", { "aria-label": "Layer of the guide", onchange: () => edit(at, { layer: layer.value }) },
      h("option", { value: "" }, "the network's own layer"), layers.map((each) => h("option", { value: each.name }, each.name)));
    layer.value = guide.layer;
    const weight = h("input", { type: "number", step: 0.1, value: guide.weight, "aria-label": "Weight of the guide", style: "width:84px", onchange: () => edit(at, { weight: Number(weight.value) || 1 }) });
    return h("div", { class: "guide" }, h("img", { class: "shot", src: engine.view(guide.picture, 160), alt: "Guide" }), layer,
      button("Remove this guide", () => change({ guides: wish.guides.filter((_, number) => number !== at) }, { why: "guides" }), { icon: "close", bare: true, class: "tiny plain" }),
      h("div", { class: "row more" }, h("span", { class: "small soft" }, "Weight"), weight,
        button(guide.mask ? "Its mask …" : "Paint its mask", () => paintFor(at, guide), { class: "tiny", icon: "brush", disabled: !wish.shown }),
        guide.mask ? button("Without its mask", () => edit(at, { mask: null }), { class: "tiny plain" }) : null));
  };

  /** @param {number} at @param {any} guide */
  const paintFor = (at, guide) => {
    const { shown } = wish;
    if (!shown) return;
    const painting = new Painting(shown.width, shown.height);
    painting.canvas.style.cssText = "position:absolute;inset:0;width:100%;height:100%;opacity:.62;touch-action:none;cursor:crosshair";
    const brush = { size: 0.14, soft: 0.5, erase: false };
    const place = (/** @type {PointerEvent} */ event) => { const box = painting.canvas.getBoundingClientRect(); return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height }; };
    let last = /** @type {any} */ (null);
    painting.canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => { painting.canvas.setPointerCapture(event.pointerId); painting.remember(); last = place(event); painting.stroke(last, last, brush); });
    painting.canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => { if (last) { const now = place(event); painting.stroke(last, now, brush); last = now; } });
    painting.canvas.addEventListener("pointerup", () => { last = null; });
    if (guide.mask) void painting.load(engine.view(guide.mask, 1600));
    const size = h("input", { type: "range", min: 2, max: 60, value: 14, "aria-label": "Brush size", style: "width:140px", oninput: () => { brush.size = Number(size.value) / 100; } });
    const eraser = button("Eraser", () => { brush.erase = !brush.erase; eraser.setAttribute("aria-pressed", String(brush.erase)); }, { class: "tiny", "aria-pressed": "false" });
    const close = dialog("Where this guide counts", [
      h("div", { class: "row" }, size, eraser, button("Invert", () => painting.invert(), { class: "tiny" }), button("Clear", () => painting.clear(), { class: "tiny" }), button("Undo", () => painting.undo(), { class: "tiny" })),
      h("div", { style: "position:relative;overflow:hidden;border-radius:8px" }, h("img", { src: engine.view(shown.id, 1600), alt: "The source", style: "width:100%;height:auto" }), painting.canvas),
    ], [button("Keep", async () => {
      const file = await painting.file();
      close();
      edit(at, { mask: file ? (await engine.upload(file, "mask", "mask.png")).id : null });
    }, { class: "primary" })]);
  };

  const add = async () => {
    for (const file of await pick("image/*", true)) {
      const asset = await engine.upload(file, "guide", file.name);
      change({ guides: [...wish.guides, { picture: asset.id, layer: "", weight: 1, mask: null }] }, { why: "guides" });
    }
  };

  let before = "";
  const update = () => {
    const now = JSON.stringify([wish.guides, wish.mask, wish.source, effective("network")]);
    if (now === before) return;
    before = now;
    const draw = (/** @type {any[]} */ layers) => fill(list,
      h("p", { class: "small soft" }, wish.mask ? "A mask lies over the picture: only where it is painted is dreamt." : "Paint a mask with the brush below the picture (m) to dream in some places only."),
      wish.mask ? h("div", { class: "row" }, h("img", { class: "shot", alt: "The mask", src: engine.view(wish.mask, 160), style: "width:76px;border-radius:8px" }), button("Remove the mask", () => change({ mask: null }, { why: "mask" }), { class: "tiny" })) : null,
      wish.guides.map((each, at) => row(each, at, layers)),
      button("Add a guide", () => run(add), { class: "tiny", icon: "plus" }),
      wish.guides.length ? h("p", { class: "small soft" }, "The forms of a guide are dreamt into the picture; with an objective, both.") : null);
    draw([]);
    if (wish.guides.length) { void names(effective("network")).then((found) => draw(found.layers)).catch(() => {}); root.open = true; }
  };
  update();
  return { root, update };
}
