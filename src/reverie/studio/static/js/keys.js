// The list of keys, on `?`.

import { dialog, h } from "./dom.js";

const KEYS = [
  ["Anywhere", [["?", "this list"], ["d", "to the dream"], ["g", "to the gallery"], ["q", "open or close the queue"], ["Ctrl Z", "take the last change of the settings back"], ["Ctrl V", "paste a picture"]]],
  ["On the picture", [["Ctrl ↵", "dream"], ["Esc", "cancel the dream that is shown, or close what is open"], ["b", "before and after"], ["0", "the whole picture"], ["1", "pixel by pixel"], ["+  −", "nearer, farther"], ["m", "paint a mask"]]],
  ["While painting", [["[  ]", "smaller, larger brush"], ["e", "brush or eraser"], ["i", "invert"], ["Ctrl Z", "take the last stroke back"], ["← ↑ → ↓", "move the brush"], ["Space", "paint where the brush is"]]],
  ["In the gallery", [["← ↑ → ↓", "move the selection"], ["↵", "open"], ["x", "choose for a comparison or for the bin"], ["1 – 5", "rate"], ["Del", "into the bin, with an undo"], ["/", "search"]]],
];

export function showKeys() {
  dialog("Keys", KEYS.map(([name, rows]) => h("section", { class: "stack" }, h("h3", {}, String(name)),
    h("table", {}, h("tbody", {}, /** @type {string[][]} */ (rows).map(([keys, what]) =>
      h("tr", {}, h("td", { style: "width:150px" }, h("kbd", {}, keys)), h("td", {}, what))))))), [], { narrow: true });
}
