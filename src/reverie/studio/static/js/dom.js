// Building the page: elements, icons, dialogs, messages.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element with properties and children. `on…` are listeners, `class`, `aria-…`, `data-…` and the like attributes.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "style") made.style.cssText = value;  // an attribute would be inline style, which the page's policy refuses
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "indeterminate") {
      /** @type {any} */ (made)[name] = value;
    } else made.setAttribute(name, value === true ? "" : String(value));
  }
  put(made, ...children);
  return made;
}

/** Add children to an element. @param {Element} parent @param {...(Child | Child[])} children */
export function put(parent, ...children) {
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) parent.append(child instanceof Node ? child : String(child));
  }
}

/** Replace all children of an element. @param {Element} parent @param {...(Child | Child[])} children */
export function fill(parent, ...children) {
  parent.replaceChildren();
  put(parent, ...children);
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element. @param {string} tag @param {Record<string, any>} props @param {...Node} children @returns {any} */
export function svg(tag, props, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) if (value !== undefined) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

const GLYPHS = {
  plus: "M12 5v14M5 12h14", close: "M6 6l12 12M18 6L6 18", turn: "M20 8v5h-5M4 16v-5h5M19 13a7.5 7.5 0 0 1-13 4M5 11a7.5 7.5 0 0 1 13-4",
  crop: "M7 3v14h14M3 7h14v14", camera: "M4 8h4l2-3h4l2 3h4v11H4zM12 17a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
  brush: "M14 4l6 6-8 8H6v-6zM4 21h16", star: "M12 4l2.5 5.2 5.5.7-4 3.9 1 5.6-5-2.7-5 2.7 1-5.6-4-3.9 5.5-.7z",
  left: "M15 5l-7 7 7 7", right: "M9 5l7 7-7 7", up: "M5 15l7-7 7 7", down: "M5 9l7 7 7-7",
  pause: "M8 5v14M16 5v14", play: "M7 5l12 7-12 7z", bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13", copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14", again: "M5 12a7 7 0 1 0 2-5M7 3v4h4", list: "M4 7h16M4 12h16M4 17h10", bell: "M6 16V11a6 6 0 1 1 12 0v5l2 2H4zM10 20h4",
  compare: "M12 3v18M4 6h5v12H4M20 6h-5v12h5", grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z", undo: "M8 6L4 10l4 4M4 10h10a6 6 0 0 1 0 12h-3",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5", folder: "M3 6h7l2 3h9v10H3z", help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 18v.1", one: "M4 8V4h4M20 8V4h-4M4 16v4h4M20 16v4h-4",
};

/** A small drawing for a button. @param {keyof typeof GLYPHS} name */
export function glyph(name) {
  return svg("svg", { class: "glyph", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: GLYPHS[name] }));
}

/**
 * A button. @param {string} label what it does; its visible text unless `props.icon` is given alone
 * @param {() => any} act @param {Record<string, any>} [props]
 */
export function button(label, act, props = {}) {
  const { icon, bare, ...rest } = props;
  const kind = [rest.class, bare ? "icon" : ""].filter(Boolean).join(" ");
  const named = bare ? { "aria-label": label, title: label } : {};
  return h("button", { type: "button", ...named, ...rest, class: kind || undefined, onclick: () => run(act) },
    icon ? glyph(icon) : null, bare ? null : label);
}

/** Run something and show what goes wrong. @param {() => any} act */
export async function run(act) {
  try {
    return await act();
  } catch (error) {
    wrong(error);
    return undefined;
  }
}

/** Say to a screen reader. @param {string} text */
export function say(text) {
  const place = document.getElementById("said");
  if (place) place.textContent = text;
}

/**
 * A message at the bottom of the page, with one thing to do about it.
 * @param {string} text @param {{label: string, act: () => any} | null} [action] @param {string} [kind]
 */
export function toast(text, action = null, kind = "") {
  const place = document.getElementById("toasts");
  if (!place) return;
  while (place.children.length > 2) place.firstElementChild?.remove();
  const made = h("div", { class: `toast ${kind}` }, h("span", { class: "grow" }, text));
  const gone = setTimeout(() => made.remove(), action || kind ? 9000 : 4000);
  const end = () => { clearTimeout(gone); made.remove(); };
  if (action) made.append(button(action.label, () => { end(); return action.act(); }, { class: "tiny" }));
  made.append(button("Close this message", end, { icon: "close", bare: true, class: "tiny plain" }));
  place.append(made);
}

/** Show an error. @param {unknown} error */
export function wrong(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  toast(error instanceof Error ? error.message : String(error), null, "wrong");
}

/**
 * A dialog over the page; gives a function that closes it.
 * @param {string} title @param {Child[]} body @param {Child[]} [foot] @param {{narrow?: boolean, onclose?: () => void}} [options]
 */
export function dialog(title, body, foot = [], options = {}) {
  const close = () => made.close();
  const made = h("dialog", { class: options.narrow ? "narrow" : undefined, "aria-label": title },
    h("header", {}, h("h2", {}, title), button("Close", close, { icon: "close", bare: true, class: "plain" })),
    h("div", { class: "body stack" }, body), foot.length ? h("footer", {}, foot) : null);
  made.addEventListener("click", (/** @type {MouseEvent} */ event) => { if (event.target === made) close(); });
  made.addEventListener("close", () => { made.remove(); options.onclose?.(); });
  document.body.append(made);
  made.showModal();
  return close;
}

/** A number as people read it. @param {unknown} value */
export function shown(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (Array.isArray(value)) return value.join(", ") || "–";
  if (typeof value === "number") return String(Math.round(value * 1e6) / 1e6);
  return String(value);
}

/** Seconds as people say them. @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return "a moment";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/**
 * A place for a picture that is still being made: `show` puts it there, or ends the waiting without one.
 * @param {number} width @param {number} height @returns {any}
 */
export function awaited(width, height) {
  const image = h("img", { alt: "", width, height, hidden: true });
  const made = h("span", { class: "shot waiting", style: `aspect-ratio:${width}/${height}` }, image);
  made.show = (/** @type {string | null} */ url) => {
    made.classList.remove("waiting");
    made.filled = Boolean(url);
    if (url) { image.src = url; image.hidden = false; }
  };
  return made;
}

/** Call `act` once nothing has happened for `wait` ms. @template {any[]} A @param {(...args: A) => void} act @param {number} wait */
export function settled(act, wait) {
  let timer = 0;
  return (/** @type {A} */ ...args) => { clearTimeout(timer); timer = window.setTimeout(() => act(...args), wait); };
}
