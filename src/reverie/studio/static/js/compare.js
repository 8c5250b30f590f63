// Two results: a slider between them, or side by side, and a table of the settings that differ.

import { button, fill, h } from "./dom.js";
import { engine } from "./engine.js";
import { differences } from "./settings.js";
import { Stage } from "./stage.js";

/** @param {string[]} address */
export async function open(address) {
  const [, one, other] = address;
  const [a, b] = await Promise.all([one, other].map((id) => engine.ask(`/api/pictures/${id}`)));
  const stage = new Stage();
  const left = h("div", { class: "left" });
  const sides = h("div", { class: "sides" }, [a, b].map((each, at) => h("figure", {}, h("img", { src: engine.view(each.id, 1600), alt: each.name }), h("figcaption", { class: "small soft" }, `${at ? "B" : "A"} · ${each.name}`))));
  let beside = false;
  const draw = () => {
    fill(left, beside ? sides : stage.root);
    toggle.setAttribute("aria-pressed", String(beside));
    if (!beside) requestAnimationFrame(() => stage.fit());
  };
  const toggle = button("Side by side", () => { beside = !beside; draw(); }, { icon: "compare", "aria-pressed": "false" });
  stage.show({ after: engine.view(b.id, 1600), before: engine.view(a.id, 1600), width: a.width, height: a.height, label: b.name });
  stage.label("A", "B");
  stage.setComparing(true);
  const root = h("div", { class: "bench" }, left, h("aside", { class: "panel", "aria-label": "What differs" },
    h("div", { class: "scroll" }, h("h1", {}, "Two results"), h("p", { class: "small soft" }, h("strong", {}, "A "), a.name, h("br"), h("strong", {}, "B "), b.name), differences(a, b)),
    h("div", { class: "foot" }, toggle, h("a", { class: "button", href: "#/gallery" }, "Gallery"))));
  draw();
  return { root, title: "Compare", key: (/** @type {string} */ key) => (key === "Escape" ? ((location.hash = "#/gallery"), true) : stage.key(key)), leave: () => stage.watcher.disconnect() };
}
