// Painting a mask over the source: where to dream, and how strongly.

import { button, h, run, toast } from "./dom.js";
import { engine } from "./engine.js";
import { change, wish } from "./state.js";

const LONGEST = 1024;
const MOST_UNDO = 30;

/** A canvas to paint a mask on, whose strokes can be taken back. */
export class Painting {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    this.canvas = h("canvas", { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)), "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    /** @type {ImageData[]} */
    this.before = [];
  }

  remember() {
    this.before.push(this.context.getImageData(0, 0, this.canvas.width, this.canvas.height));
    if (this.before.length > MOST_UNDO) this.before.shift();
  }

  undo() {
    const last = this.before.pop();
    if (last) this.context.putImageData(last, 0, 0);
    return Boolean(last);
  }

  /**
   * A stroke from one place to another, in shares of the picture. @param {{x: number, y: number}} from @param {{x: number, y: number}} to
   * @param {{size: number, soft: number, erase: boolean}} brush
   */
  stroke(from, to, brush) {
    const { width, height } = this.canvas, radius = (brush.size * Math.max(width, height)) / 2;
    const length = Math.hypot((to.x - from.x) * width, (to.y - from.y) * height);
    const count = Math.max(1, Math.ceil(length / Math.max(1, radius / 4)));
    this.context.globalCompositeOperation = brush.erase ? "destination-out" : "source-over";
    for (let at = 0; at <= count; at++) {
      const x = (from.x + ((to.x - from.x) * at) / count) * width, y = (from.y + ((to.y - from.y) * at) / count) * height;
      const color = this.context.createRadialGradient(x, y, radius * (1 - brush.soft), x, y, radius);
      color.addColorStop(0, "rgb(230 171 99 / 1)");
      color.addColorStop(1, "rgb(230 171 99 / 0)");
      this.context.fillStyle = color;
      this.context.beginPath();
      this.context.arc(x, y, radius, 0, Math.PI * 2);
      this.context.fill();
    }
    this.context.globalCompositeOperation = "source-over";
  }

  invert() {
    this.remember();
    this.context.globalCompositeOperation = "xor";
    this.context.fillStyle = "rgb(230 171 99)";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.context.globalCompositeOperation = "source-over";
  }

  clear() {
    this.remember();
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** The mask as a PNG: white where painted, black elsewhere; null where nothing is. @returns {Promise<Blob | null>} */
  async file() {
    const { width, height } = this.canvas, data = this.context.getImageData(0, 0, width, height);
    let any = false;
    for (let at = 0; at < data.data.length; at += 4) {
      const strength = data.data[at + 3];
      any ||= strength > 0;
      data.data[at] = data.data[at + 1] = data.data[at + 2] = strength;
      data.data[at + 3] = 255;
    }
    if (!any) return null;
    const out = h("canvas", { width, height });
    out.getContext("2d").putImageData(data, 0, 0);
    return new Promise((resolve) => out.toBlob(resolve, "image/png"));
  }

  /** Take up a mask that was saved. @param {string} url */
  async load(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    const { width, height } = this.canvas;
    this.context.drawImage(image, 0, 0, width, height);
    const data = this.context.getImageData(0, 0, width, height);
    for (let at = 0; at < data.data.length; at += 4) {
      data.data[at + 3] = data.data[at];
      [data.data[at], data.data[at + 1], data.data[at + 2]] = [230, 171, 99];
    }
    this.context.putImageData(data, 0, 0);
  }
}

export class MaskTool {
  /** @param {import("./stage.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.on = false;
    this.brush = { size: 0.12, soft: 0.5, erase: false };
    /** @type {Painting | null} */
    this.painting = null;
    /** @type {string | null} */
    this.uploaded = null;
    this.cursor = { x: 0.5, y: 0.5 };
    this.toggle = button("Mask", () => this.setOn(!this.on), { icon: "brush", "aria-pressed": "false", title: "Paint where to dream (m)" });
    this.ring = h("div", { class: "ring", hidden: true, style: "position:absolute;border:1.5px solid #fff;border-radius:50%;pointer-events:none;mix-blend-mode:difference" });
    const size = h("input", { type: "range", min: 2, max: 60, value: 12, "aria-label": "Brush size", oninput: () => { this.brush.size = Number(size.value) / 100; paint(size, 60); this.aim(); } });
    const soft = h("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Soft edge", oninput: () => { this.brush.soft = Number(soft.value) / 100; paint(soft, 100); } });
    this.size = size;
    this.eraser = button("Eraser", () => this.setEraser(!this.brush.erase), { "aria-pressed": "false", title: "Eraser (e)" });
    this.tools = h("div", { class: "tools", role: "toolbar", "aria-label": "Mask", style: "bottom:auto;top:14px", hidden: true },
      h("span", { class: "small soft wide" }, "Brush"), size, h("span", { class: "small soft wide" }, "Soft"), soft, this.eraser,
      button("Invert", () => { this.painting?.invert(); this.save(); }, { title: "Invert (i)" }),
      button("Clear", () => { this.painting?.clear(); this.save(); }),
      button("Take the last stroke back", () => this.undo(), { icon: "undo", bare: true }),
      button("Done", () => this.setOn(false), { class: "primary tiny" }));
    stage.root.append(this.tools);
    stage.board.append(this.ring);
    paint(size, 60);
    paint(soft, 100);
  }

  /** @param {boolean} on */
  setOn(on) {
    if (on === this.on) return;
    if (on && !wish.shown) { toast("A mask lies over a picture; drop one first."); return; }
    this.on = on;
    this.toggle.setAttribute("aria-pressed", String(on));
    this.tools.hidden = !on;
    this.ring.hidden = !on;
    this.stage.root.classList.toggle("masking", on);
    if (on) {
      this.ready();
      this.stage.painter = (event, kind) => this.draw(event, kind);
      this.stage.root.style.cursor = "crosshair";
      this.stage.root.tabIndex = 0;
      this.stage.root.focus();
    } else {
      this.stage.painter = null;
      this.stage.root.style.cursor = "";
      this.stage.root.removeAttribute("tabindex");
    }
    this.shade();
  }

  ready() {
    if (this.painting && this.of === wish.source) return;
    this.painting?.canvas.remove();
    this.painting = new Painting(this.stage.width, this.stage.height);
    this.of = wish.source;
    this.painting.canvas.style.pointerEvents = "none";
    this.stage.board.append(this.painting.canvas, this.ring);
  }

  /** Show the mask that the wish has. */
  restore() {
    if (!wish.mask) {
      if (this.uploaded !== null || this.of !== wish.source) { this.painting?.canvas.remove(); this.painting = null; this.uploaded = null; if (this.on) this.ready(); }
    } else if (wish.mask !== this.uploaded) {
      this.painting?.canvas.remove();
      this.painting = null;
      this.ready();
      this.uploaded = wish.mask;
      void /** @type {any} */ (this.painting)?.load(engine.view(wish.mask, 1600)).catch(() => {});
    }
    this.shade();
  }

  shade() {
    if (this.painting) this.painting.canvas.style.opacity = this.on ? "0.62" : "0.3";
  }

  /** @param {PointerEvent} event @param {string} kind */
  draw(event, kind) {
    const place = this.stage.place(event);
    this.cursor = place;
    this.aim();
    if (kind === "down" && event.button === 0) {
      this.painting?.remember();
      this.last = place;
      this.painting?.stroke(place, place, this.brush);
      return true;
    }
    if (kind === "move" && this.last) { this.painting?.stroke(this.last, place, this.brush); this.last = place; return true; }
    if (kind === "up" && this.last) { this.last = undefined; void this.save(); return true; }
    return kind === "move";
  }

  aim() {
    const side = this.brush.size * Math.max(this.stage.width, this.stage.height) * this.stage.scale;
    Object.assign(this.ring.style, { width: `${side}px`, height: `${side}px`, left: `calc(${this.cursor.x * 100}% - ${side / 2}px)`, top: `calc(${this.cursor.y * 100}% - ${side / 2}px)` });
  }

  undo() { if (this.painting?.undo()) void this.save(); }

  /** @param {boolean} erase */
  setEraser(erase) {
    this.brush.erase = erase;
    this.eraser.setAttribute("aria-pressed", String(erase));
  }

  async save() {
    const file = await this.painting?.file();
    if (!file) { this.uploaded = null; change({ mask: null }, { why: "mask painted" }); return; }
    await run(async () => {
      const asset = await engine.upload(file, "mask", "mask.png");
      this.uploaded = asset.id;
      change({ mask: asset.id }, { why: "mask painted" });
    });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.on) return false;
    const move = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] })[event.key];
    if (move) {
      this.cursor = { x: Math.max(0, Math.min(1, this.cursor.x + move[0] * 0.02)), y: Math.max(0, Math.min(1, this.cursor.y + move[1] * 0.02)) };
      this.aim();
    } else if (event.key === " " && event.target === this.stage.root) { this.painting?.remember(); this.painting?.stroke(this.cursor, this.cursor, this.brush); void this.save(); }
    else if (event.key === "[" || event.key === "]") {
      this.size.value = String(Number(this.size.value) + (event.key === "]" ? 3 : -3));
      this.size.dispatchEvent(new Event("input"));
    } else if (event.key === "e") this.setEraser(!this.brush.erase);
    else if (event.key === "i") { this.painting?.invert(); void this.save(); }
    else if (event.key === "z") this.undo();
    else if (event.key === "Escape" || event.key === "m") this.setOn(false);
    else return false;
    return true;
  }
}

/** @param {any} range @param {number} most */
function paint(range, most) { range.style.setProperty("--at", `${(Number(range.value) / most) * 100}%`); }
