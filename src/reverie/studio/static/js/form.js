// Fields of a form, made from the schema: a new field of the Recipe appears here by itself.

import { button, h, shown } from "./dom.js";

/**
 * @typedef {{name: string, label: string, group: string, unit: string, help: string, kind: string, default: any, optional?: boolean,
 *   minimum?: number | null, maximum?: number | null, step?: number, whole?: boolean, choices?: string[]}} Field
 * @typedef {{get: (name: string) => any, set: (name: string, value: any) => void, changed: (name: string) => boolean}} Binding
 */

let numbers = 0;

/**
 * One field: label, control, value, help. Gives the element and what brings it up to date.
 * @param {Field} field @param {Binding} binding @param {{brief?: boolean}} [options]
 */
export function control(field, binding, options = {}) {
  const id = `field-${++numbers}`;
  const help = h("p", { class: "help", id: `${id}-help`, hidden: options.brief }, field.help);
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const reset = button(`Take ${field.label} back to its default`, () => binding.set(field.name, null),
    { icon: "undo", bare: true, class: "tiny plain" });
  const value = h("span", { class: "value" });
  const root = h("div", { class: "field", "data-field": field.name },
    h("label", { for: id, title: options.brief ? field.help : undefined }, field.label), value);
  /** @type {(now: any) => void} */
  let show = () => {};
  if (field.kind === "number" && field.minimum != null && field.maximum != null && field.maximum <= 1e6) show = slider(field, binding, id, root, value);
  else if (field.kind === "choice" && (field.choices?.length ?? 0) <= 4) show = tabs(field, binding, id, root);
  else if (field.kind === "choice") show = menu(field, binding, id, root);
  else if (field.kind === "switch") show = toggle(field, binding, id, value);
  else show = text(field, binding, id, root, fault);
  value.append(reset);
  root.append(help, fault);
  const update = () => {
    const changed = binding.changed(field.name);
    root.classList.toggle("changed", changed);
    reset.style.visibility = changed ? "visible" : "hidden";
    show(binding.get(field.name));
  };
  update();
  return { root, update, fault };
}

/** @param {Field} field @param {Binding} binding @param {string} id @param {any} root @param {any} value */
function slider(field, binding, id, root, value) {
  const low = Number(field.minimum), high = Number(field.maximum);
  // Sliders over wide ranges are finer where the numbers are small.
  const power = low < 0 ? 1 : high - low > 60 || (field.default > low && (field.default - low) / (high - low) < 0.06) ? 3 : 1;
  const place = (/** @type {number} */ now) => Math.max(0, Math.min(1, (now - low) / (high - low))) ** (1 / power) * 1000;
  const range = h("input", { type: "range", class: "wide", id, min: 0, max: 1000, step: 1, "aria-describedby": `${id}-help` });
  const box = h("input", { type: "number", min: low, max: high, step: field.whole ? 1 : "any", "aria-label": `${field.label}, as a number`, class: "numbers" });
  const paint = (/** @type {any} */ now) => {
    const empty = now === null || now === undefined || Array.isArray(now);
    range.value = String(empty ? 0 : place(Number(now)));
    range.style.setProperty("--at", `${Number(range.value) / 10}%`);
    range.setAttribute("aria-valuetext", empty ? "automatic" : `${shown(now)} ${field.unit}`.trim());
    if (document.activeElement !== box) box.value = empty ? "" : String(shown(now));
    box.placeholder = empty ? "auto" : "";
  };
  range.addEventListener("input", () => {
    const raw = low + (high - low) * (Number(range.value) / 1000) ** power;
    const fine = field.whole ? 1 : power === 3 ? 10 ** Math.floor(Math.log10(Math.max(1e-6, raw || 1e-6)) - 1) : field.step ?? 0.01;
    const now = Math.min(high, Math.max(low, Number((Math.round(raw / fine) * fine).toPrecision(8))));
    paint(now);
    binding.set(field.name, now);
  });
  box.addEventListener("change", () => {
    if (box.value === "") binding.set(field.name, null);
    else binding.set(field.name, Math.min(high, Math.max(low, field.whole ? Math.round(Number(box.value)) : Number(box.value))));
  });
  value.append(box, field.unit ? h("span", {}, field.unit) : "");
  root.append(range);
  return paint;
}

/** @param {Field} field @param {Binding} binding @param {string} id @param {any} root */
function tabs(field, binding, id, root) {
  const buttons = (field.choices ?? []).map((each) =>
    h("button", { type: "button", "aria-pressed": "false", onclick: () => binding.set(field.name, each) }, each));
  const group = h("div", { class: "tabs wide", role: "group", "aria-label": field.label, id, "aria-describedby": `${id}-help` }, buttons);
  root.querySelector("label")?.removeAttribute("for");
  root.append(group);
  return (/** @type {any} */ now) => buttons.forEach((each, at) => each.setAttribute("aria-pressed", String((field.choices ?? [])[at] === now)));
}

/** @param {Field} field @param {Binding} binding @param {string} id @param {any} root */
function menu(field, binding, id, root) {
  const select = h("select", { id, class: "wide", "aria-describedby": `${id}-help`, onchange: () => binding.set(field.name, select.value) },
    (field.choices ?? []).map((each) => h("option", { value: each }, each)));
  root.append(select);
  return (/** @type {any} */ now) => { select.value = now; };
}

/** @param {Field} field @param {Binding} binding @param {string} id @param {any} value */
function toggle(field, binding, id, value) {
  const box = h("input", { type: "checkbox", id, "aria-describedby": `${id}-help`, onchange: () => binding.set(field.name, box.checked) });
  value.append(box);
  return (/** @type {any} */ now) => { box.checked = Boolean(now); };
}

/** @param {Field} field @param {Binding} binding @param {string} id @param {any} root @param {any} fault */
function text(field, binding, id, root, fault) {
  const input = h("input", { type: "text", id, class: "wide", autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-help` });
  input.addEventListener("change", () => {
    const raw = input.value.trim();
    fault.hidden = true;
    if (raw === "") binding.set(field.name, null);
    else if (field.kind === "list") binding.set(field.name, raw.split(/\s*[,;]\s*/));
    else if (field.kind === "number") {
      const number = Number(raw);
      if (Number.isFinite(number)) binding.set(field.name, number);
      else { fault.hidden = false; fault.textContent = "This must be a number."; }
    } else binding.set(field.name, raw);
  });
  root.append(input);
  return (/** @type {any} */ now) => {
    if (document.activeElement === input) return;
    input.value = now === null || now === undefined ? "" : String(Array.isArray(now) ? now.join(", ") : now);
    input.placeholder = field.optional ? "automatic" : String(shown(field.default));
  };
}

/**
 * Groups of fields behind a search field.
 * @param {Field[]} fields @param {Binding} binding
 */
export function groups(fields, binding) {
  const controls = fields.map((field) => ({ field, ...control(field, binding) }));
  /** @type {Map<string, any[]>} */
  const named = new Map();
  for (const each of controls) named.set(each.field.group, [...(named.get(each.field.group) ?? []), each]);
  const parts = [...named].map(([name, inside]) => {
    const root = h("details", {}, h("summary", {}, name), h("div", { class: "stack" }, inside.map((each) => each.root)));
    return { root, inside };
  });
  const search = h("input", { type: "search", placeholder: "Search the settings", "aria-label": "Search the settings" });
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const part of parts) {
      let any = false;
      for (const { field, root } of part.inside) {
        const whole = `${field.name} ${field.label} ${field.help}`.toLowerCase();
        root.hidden = !words.every((/** @type {string} */ word) => whole.includes(word));
        any ||= !root.hidden;
      }
      part.root.hidden = !any;
      part.root.open = words.length > 0 && any;
    }
  });
  return { root: h("div", { class: "stack" }, search, ...parts.map((part) => part.root)), update: () => controls.forEach((each) => each.update()) };
}
