// The text field for the objective: it completes names, and shows an error under the word it is about.

import { button, fill, h, say, settled } from "./dom.js";
import { engine } from "./engine.js";
import { effective, set, wish } from "./state.js";

/** @type {Map<string, Promise<any>>} */
const known = new Map();
const FUNCTIONS = ["mean(", "norm(", "top(", "neuron(", "caricature(", "diversity(", "logit(", "logprob("];
const PENALTIES = ["tv", "l1", "l2", "blur"];

/** What can be named in a network. @param {string} network */
export function names(network) {
  if (!known.has(network)) {
    const asked = engine.ask(`/api/networks/${encodeURIComponent(network)}/names`);
    asked.catch(() => known.delete(network));
    known.set(network, asked);
  }
  return /** @type {Promise<any>} */ (known.get(network));
}

/** A name as the objective takes it. @param {string} name */
export function quoted(name) {
  return /^[A-Za-z_][\w.]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

export function objectiveField(options = {}) {
  const { get = () => effective("objective"), put = (/** @type {string | null} */ text) => set("objective", text), heading = "What to dream" } = /** @type {any} */ (options);
  const id = `objective-${Math.random().toString(36).slice(2, 7)}`;
  const under = h("div", { class: "under", "aria-hidden": "true" });
  const area = h("textarea", { rows: 1, id, spellcheck: "false", autocomplete: "off", autocapitalize: "off",
    "aria-autocomplete": "list", "aria-controls": `${id}-offers`, "aria-describedby": `${id}-fault`, placeholder: "owl + 0.5*stage2" });
  const offers = h("ul", { class: "offers", role: "listbox", id: `${id}-offers`, "aria-label": "Names", hidden: true });
  const fault = h("p", { class: "small wrong", id: `${id}-fault`, role: "alert" });
  const root = h("section", { "aria-label": heading },
    h("div", { class: "head" }, h("h2", {}, h("label", { for: id }, heading)), button("Choose from pictures", async () => (await import("./picker.js")).picker(get, put), { class: "tiny plain", icon: "search" })),
    h("div", { class: "objective" }, under, area, offers), fault);
  let at = -1;
  /** @type {{start: number, end: number} | null} */
  let wrong = null;

  const paint = () => {
    const text = area.value;
    if (wrong && text.trim()) fill(under, text.slice(0, wrong.start), h("mark", {}, text.slice(wrong.start, wrong.end) || " "), text.slice(wrong.end));
    else fill(under, text);
    area.style.height = "auto";
    area.style.height = `${Math.max(40, area.scrollHeight)}px`;
  };

  let turn = 0;
  const check = settled(async () => {
    const mine = ++turn, text = area.value;
    const found = await engine.ask("/api/objective", { body: { text, network: effective("network") } }).catch(() => ({ ok: true }));
    if (mine !== turn || text !== area.value) return;
    wrong = found.ok ? null : { start: found.start, end: Math.max(found.end, found.start + 1) };
    fill(fault, found.ok ? "" : found.message, " ", (found.near ?? []).slice(0, 3).map((/** @type {string} */ each) =>
      button(each, () => { area.value = text.slice(0, found.start) + quoted(each) + text.slice(found.end); changed(); area.focus(); }, { class: "tiny" })));
    area.setAttribute("aria-invalid", String(!found.ok));
    paint();
    if (found.ok) put(text.trim() || null);
  }, 180);

  const changed = () => { wrong = null; paint(); check(); };

  /** The word before the cursor. */
  const word = () => {
    const upto = area.value.slice(0, area.selectionStart);
    return /[\w."]*$/.exec(upto)?.[0] ?? "";
  };

  const offer = settled(async () => {
    const now = word().replace(/^"/, "").toLowerCase();
    if (!now || /^\d/.test(now) || document.activeElement !== area) { hide(); return; }
    const found = await names(effective("network")).catch(() => null);
    if (!found || document.activeElement !== area) return;
    const all = [...found.classes.map((/** @type {string} */ name) => ({ name: name.split(",")[0], whole: name, kind: "class" })),
      ...found.layers.map((/** @type {any} */ each) => ({ name: each.name, whole: each.name, kind: `layer, ${each.channels} channels` })),
      ...FUNCTIONS.map((name) => ({ name, whole: name, kind: "function" })), ...PENALTIES.map((name) => ({ name, whole: name, kind: "of the picture itself" }))];
    const fits = all.filter((each) => each.whole.toLowerCase().includes(now) && each.name.toLowerCase() !== now)
      .sort((a, b) => Number(b.whole.toLowerCase().startsWith(now)) - Number(a.whole.toLowerCase().startsWith(now))).slice(0, 12);
    if (!fits.length) { hide(); return; }
    at = -1;
    fill(offers, fits.map((each, number) => h("li", { role: "option", id: `${id}-${number}`, "aria-selected": "false", "data-name": each.name,
      onpointerdown: (/** @type {Event} */ event) => { event.preventDefault(); take(each.name); } }, each.name, h("span", { class: "small soft" }, each.kind))));
    offers.hidden = false;
    say(`${fits.length} names fit; the arrows choose one.`);
  }, 60);

  const hide = () => { offers.hidden = true; at = -1; area.removeAttribute("aria-activedescendant"); };

  const take = (/** @type {string} */ name) => {
    const start = area.selectionStart - word().length;
    const text = name.endsWith("(") ? name : quoted(name);
    area.value = area.value.slice(0, start) + text + area.value.slice(area.selectionStart);
    area.selectionStart = area.selectionEnd = start + text.length;
    hide();
    changed();
  };

  area.addEventListener("input", () => { changed(); offer(); });
  area.addEventListener("blur", () => setTimeout(hide, 120));
  area.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const items = [...offers.children];
    if (!offers.hidden && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      at = (at + (event.key === "ArrowDown" ? 1 : items.length - 1) + (at < 0 && event.key === "ArrowUp" ? 1 : 0)) % items.length;
      items.forEach((each, number) => each.setAttribute("aria-selected", String(number === at)));
      area.setAttribute("aria-activedescendant", items[at].id);
      items[at].scrollIntoView({ block: "nearest" });
      event.preventDefault();
    } else if (!offers.hidden && (event.key === "Enter" || event.key === "Tab") && at >= 0) {
      take(/** @type {HTMLElement} */ (items[at]).dataset.name ?? "");
      event.preventDefault();
    } else if (event.key === "Escape" && !offers.hidden) { hide(); event.stopPropagation(); }
    else if (event.key === "Enter") event.preventDefault();
  });

  let shown = /** @type {string | null} */ (null);
  const update = () => {
    const now = `${get() ?? ""}`;
    const key = `${now} ${effective("network")} ${wish.preset}`;
    if (key === shown) return;
    shown = key;
    if (document.activeElement === area && area.value.trim() === now) return;
    area.value = now;
    wrong = null;
    fault.textContent = "";
    area.removeAttribute("aria-invalid");
    paint();
    void names(effective("network")).then((found) => { area.placeholder = found.objective || "owl"; paint(); }).catch(() => {});
  };
  update();
  requestAnimationFrame(paint);
  return { root, update };
}
