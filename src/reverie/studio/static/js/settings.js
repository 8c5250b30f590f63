// The settings of a picture as a table: to look at, and to take over in part.

import { h, shown } from "./dom.js";

/** @param {any} dream @param {boolean} choosing */
export function settingsTable(dream, choosing) {
  /** @type {Map<string, any>} */
  const boxes = new Map();
  const rows = (dream.rows ?? []).map((/** @type {any} */ row) => {
    const loadable = choosing && !row.name.startsWith("film.");
    const box = loadable ? h("input", { type: "checkbox", checked: true, "aria-label": `Load ${row.label}` }) : null;
    if (box) boxes.set(row.name, box);
    return h("tr", {}, choosing ? h("td", { style: "width:30px" }, box) : null, h("th", { scope: "row" }, row.label),
      h("td", {}, h("code", {}, shown(row.value))), h("td", { class: "soft" }, row.default === null || row.default === "" ? "" : `default ${shown(row.default)}`));
  });
  return {
    root: h("table", { class: "settings" }, h("caption", { class: "unseen" }, "Settings of this picture"), h("tbody", {}, rows.length ? rows : h("tr", {}, h("td", { class: "soft" }, "Everything is as the defaults have it.")))),
    chosen: () => [...boxes].filter(([, box]) => box.checked).map(([name]) => name),
  };
}

/** A table of what differs between two pictures. @param {any} one @param {any} other */
export function differences(one, other) {
  const values = (/** @type {any} */ each) => new Map((each.dream?.rows ?? []).map((/** @type {any} */ row) => [row.name, row]));
  const [a, b] = [values(one), values(other)];
  const names = [...new Set([...a.keys(), ...b.keys()])].filter((name) => shown((a.get(name) ?? b.get(name))?.label) && JSON.stringify((a.get(name) ?? { value: b.get(name)?.default })?.value) !== JSON.stringify((b.get(name) ?? { value: a.get(name)?.default })?.value));
  const cell = (/** @type {Map<string, any>} */ of, /** @type {string} */ name, /** @type {Map<string, any>} */ against) =>
    h("td", {}, of.has(name) ? h("code", {}, shown(of.get(name).value)) : h("span", { class: "soft" }, shown(against.get(name)?.default)));
  return h("table", { class: "differences" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "What differs"), h("th", { scope: "col" }, "A"), h("th", { scope: "col" }, "B"))),
    h("tbody", {}, names.length ? names.map((name) => h("tr", {}, h("th", { scope: "row" }, (a.get(name) ?? b.get(name)).label), cell(a, name, b), cell(b, name, a)))
      : h("tr", {}, h("td", { colspan: 3, class: "soft" }, "The settings are equal."))));
}
