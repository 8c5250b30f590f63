// The timeline of a film: a lane with a curve for each setting that moves, its keyframes to drag.

import { button, fill, h, shown, svg } from "./dom.js";

const WIDE = 1000, HIGH = 100, EDGE = 12;

/** @typedef {{name: string, label: string, minimum: number, maximum: number, default: any}} Moves */

export class Timeline {
  /** @param {{length: () => number, moving: () => Moves[], changed: () => void, look: (time: number, settings: Record<string, number>) => void}} how */
  constructor(how) {
    this.how = how;
    /** @type {Map<string, {time: number, value: number}[]>} */
    this.lanes = new Map();
    this.time = 0;
    this.list = h("div", { class: "stack" });
    this.add = h("select", { "aria-label": "Add a lane", style: "width:auto", onchange: () => this.open(this.add.value) });
    this.scrub = h("input", { type: "range", min: 0, max: 1000, value: 0, "aria-label": "Moment", oninput: () => { this.time = (Number(this.scrub.value) / 1000) * this.how.length(); this.draw(); this.show(); } });
    this.now = h("span", { class: "small soft numbers", style: "min-width:58px" });
    this.root = h("section", { class: "timeline", "aria-label": "Timeline" }, h("div", { class: "row" }, h("h2", {}, "Timeline"), h("div", { class: "grow" }, this.scrub), this.now, this.add), this.list);
  }

  /** Take up keyframes as words: a time, then what holds there. @param {string[]} words */
  read(words) {
    this.lanes.clear();
    let time = 0;
    for (const word of words) {
      const pair = /^([\w:.]+)=(-?[\d.e-]+)$/.exec(word);
      if (pair) this.lanes.set(pair[1], [...(this.lanes.get(pair[1]) ?? []), { time, value: Number(pair[2]) }]);
      else time = parseFloat(word) || 0;
    }
  }

  /** The keyframes as the command line takes them. @returns {string[]} */
  words() {
    /** @type {Map<number, string[]>} */
    const times = new Map();
    for (const [name, keys] of this.lanes) for (const { time, value } of keys) times.set(time, [...(times.get(time) ?? []), `${name}=${shown(value)}`]);
    return [...times].sort(([a], [b]) => a - b).flatMap(([time, settings]) => [`${shown(time)}s`, ...settings]);
  }

  /** @param {string} name */
  open(name) {
    const field = this.how.moving().find((each) => each.name === name);
    if (!field) return;
    const value = Number(field.default) || 0;
    this.lanes.set(name, [{ time: 0, value }, { time: this.how.length(), value }]);
    this.done();
  }

  done() { this.draw(); this.how.changed(); this.show(); }

  /** All moving settings at the chosen moment. */
  show() {
    this.how.look(this.time, Object.fromEntries([...this.lanes].map(([name, keys]) => [name, valueAt(keys, this.time)])));
  }

  draw() {
    const moving = this.how.moving(), length = this.how.length();
    this.now.textContent = `${this.time.toFixed(1)} s of ${length.toFixed(1)}`;
    this.scrub.style.setProperty("--at", `${Number(this.scrub.value) / 10}%`);
    fill(this.add, h("option", { value: "" }, "Move a setting …"), moving.filter((each) => !this.lanes.has(each.name)).map((each) => h("option", { value: each.name }, each.label)));
    fill(this.list, [...this.lanes].map(([name, keys]) => this.lane(moving.find((each) => each.name === name) ?? { name, label: name, minimum: 0, maximum: 1, default: 0 }, keys, length)));
  }

  /** @param {Moves} field @param {{time: number, value: number}[]} keys @param {number} length */
  lane(field, keys, length) {
    const values = keys.map((each) => each.value), width = field.maximum - field.minimum;
    // A range around what is used, so that a curve is a curve also where the field goes very far.
    const around = Math.max(...values.map((each) => Math.abs(each - Number(field.default || 0))), width > 4 ? Math.abs(Number(field.default)) || 1 : width / 2);
    const low = Math.max(field.minimum ?? -1e9, Number(field.default || 0) - around * 1.4), high = Math.min(field.maximum ?? 1e9, Number(field.default || 0) + around * 1.4);
    const x = (/** @type {number} */ time) => (time / length) * WIDE, y = (/** @type {number} */ value) => HIGH - EDGE - ((value - low) / (high - low || 1)) * (HIGH - EDGE * 2);
    const points = Array.from({ length: 101 }, (_, at) => `${at ? "L" : "M"}${(at / 100) * WIDE} ${y(valueAt(keys, (at / 100) * length)).toFixed(1)}`).join("");
    const track = svg("svg", { class: "track", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "group", "aria-label": `${field.label} over time` }, svg("path", { d: points }),
      svg("line", { x1: x(this.time), x2: x(this.time), y1: 0, y2: HIGH, stroke: "var(--soft)", "vector-effect": "non-scaling-stroke" }));
    const box = h("div", { style: "position:relative" }, track);
    keys.forEach((key) => {
      const dot = h("button", { type: "button", "aria-label": `${field.label} ${shown(key.value)} at ${key.time.toFixed(2)} s; arrows move it, Delete removes it`, title: `${shown(key.value)} at ${key.time.toFixed(2)} s`,
        style: `position:absolute;width:16px;height:16px;min-height:0;padding:0;border-radius:50%;background:var(--accent);border:3px solid var(--surface);transform:translate(-8px,-8px);left:${(key.time / length) * 100}%;top:${y(key.value)}%;cursor:grab` });
      const move = (/** @type {number} */ time, /** @type {number} */ value) => { key.time = Math.round(Math.max(0, Math.min(length, time)) * 100) / 100; key.value = Number(Math.max(low, Math.min(high, value)).toPrecision(4)); keys.sort((a, b) => a.time - b.time); };
      dot.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
        event.preventDefault();
        const size = box.getBoundingClientRect();
        const drag = (/** @type {PointerEvent} */ to) => { move(((to.clientX - size.left) / size.width) * length, low + ((HIGH - EDGE - ((to.clientY - size.top) / size.height) * HIGH) / (HIGH - EDGE * 2)) * (high - low)); this.draw(); };
        const end = () => { window.removeEventListener("pointermove", drag); window.removeEventListener("pointerup", end); this.done(); };
        window.addEventListener("pointermove", drag);
        window.addEventListener("pointerup", end);
      });
      dot.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
        const by = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] })[event.key];
        const number = keys.indexOf(key);
        if (by) move(key.time + by[0] * length * 0.02, key.value + by[1] * (high - low) * 0.04);
        else if (event.key === "Delete" && keys.length > 1) keys.splice(number, 1);
        else return;
        event.preventDefault();
        this.done();
        /** @type {any} */ (this.list.querySelectorAll(`[data-lane="${field.name}"] button`)[Math.min(number, keys.length - 1)])?.focus();
      });
      box.append(dot);
    });
    track.addEventListener("dblclick", (/** @type {MouseEvent} */ event) => {
      const size = box.getBoundingClientRect();
      const time = Math.round(((event.clientX - size.left) / size.width) * length * 100) / 100;
      keys.push({ time, value: Number(valueAt(keys, time).toPrecision(4)) });
      keys.sort((a, b) => a.time - b.time);
      this.done();
    });
    return h("div", { class: "lane", "data-lane": field.name }, h("span", { class: "small" }, field.label, h("br"), button("Keyframe here", () => { keys.push({ time: Math.round(this.time * 100) / 100, value: Number(valueAt(keys, this.time).toPrecision(4)) }); keys.sort((a, b) => a.time - b.time); this.done(); }, { class: "tiny plain" })), box,
      button(`${field.label} stays as it is`, () => { this.lanes.delete(field.name); this.done(); }, { icon: "close", bare: true, class: "tiny plain" }));
  }
}

/** The value at a moment: eased between keyframes as films do by default (cubic). @param {{time: number, value: number}[]} keys @param {number} time */
export function valueAt(keys, time) {
  const after = keys.findIndex((each) => each.time >= time);
  if (after < 0) return keys[keys.length - 1].value;
  if (after === 0) return keys[0].value;
  const [from, to] = [keys[after - 1], keys[after]];
  const share = (time - from.time) / (to.time - from.time || 1);
  return from.value + (to.value - from.value) * share * share * (3 - 2 * share);
}
