// The stage: a picture as large as there is room for; before and after, zoom, and room for a mask over it.

import { button, fill, h } from "./dom.js";

const LARGEST = 16;

export class Stage {
  constructor() {
    this.width = 0;
    this.height = 0;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.fitted = true;
    this.share = 0.5;
    this.comparing = false;
    this.before = h("img", { alt: "" });
    this.after = h("img", { alt: "" });
    this.seam = h("div", { class: "seam", hidden: true });
    this.board = h("div", { class: "board" }, this.before, this.after, this.seam);
    this.caption = h("p", { class: "caption", hidden: true });
    this.other = h("p", { class: "caption right", hidden: true });
    this.glance = h("figure", { class: "glance", hidden: true, style: "margin:0" });
    this.hole = h("div", { class: "empty", hidden: true });
    this.slider = h("input", { type: "range", min: 0, max: 1000, value: 500, "aria-label": "Before and after", class: "wide" });
    this.slider.addEventListener("input", () => { this.share = Number(this.slider.value) / 1000; this.paint(); });
    this.compare = button("Before / after", () => this.setComparing(!this.comparing), { "aria-pressed": "false" });
    this.whole = button("Fit", () => this.fit(), { title: "The whole picture (0)" });
    this.one = button("1:1", () => this.zoomTo(1 / (window.devicePixelRatio || 1)), { title: "Pixel by pixel (1)" });
    this.extra = h("span", { class: "row tight" });
    this.tools = h("div", { class: "tools", role: "toolbar", "aria-label": "Picture", hidden: true }, this.compare, this.slider, this.whole, this.one, this.extra);
    this.root = h("section", { class: "stage", "aria-label": "Picture" }, this.board, this.caption, this.other, this.hole, this.glance, this.tools);
    /** @type {((event: PointerEvent, kind: string) => boolean) | null} */
    this.painter = null;
    this.listen();
    this.watcher = new ResizeObserver(() => (this.fitted ? this.fit() : this.paint()));
    this.watcher.observe(this.root);
  }

  listen() {
    /** @type {Map<number, {x: number, y: number}>} */
    const fingers = new Map();
    let apart = 0;
    const at = (/** @type {any} */ event) => ({ x: event.clientX, y: event.clientY });
    this.root.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      const on = /** @type {Element} */ (event.target);
      if (!this.width || on.closest(".tools, .glance, .empty, .crop")) return;
      if (this.painter?.(event, "down")) { this.root.setPointerCapture(event.pointerId); return; }
      this.root.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, at(event));
      apart = spread(fingers);
    });
    this.root.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (this.painter?.(event, "move")) return;
      const last = fingers.get(event.pointerId);
      if (!last) return;
      const now = at(event);
      if (fingers.size === 1) {
        const box = this.root.getBoundingClientRect();
        // Beside a seam that is near, one drags the seam; elsewhere the picture.
        const seam = box.left + this.x + this.width * this.scale * this.share;
        if (this.comparing && (this.fitted || Math.abs(last.x - seam) < 30)) {
          this.share = Math.max(0, Math.min(1, (now.x - box.left - this.x) / (this.width * this.scale)));
          this.slider.value = String(this.share * 1000);
        } else if (!this.fitted) {
          this.x += now.x - last.x;
          this.y += now.y - last.y;
        }
      }
      fingers.set(event.pointerId, now);
      if (fingers.size === 2) {
        const wide = spread(fingers);
        const [one, two] = [...fingers.values()];
        if (apart) this.zoomAt(wide / apart, (one.x + two.x) / 2, (one.y + two.y) / 2);
        apart = wide;
      }
      this.paint();
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      this.root.addEventListener(kind, (/** @type {PointerEvent} */ event) => {
        this.painter?.(event, "up");
        fingers.delete(event.pointerId);
        apart = spread(fingers);
      });
    }
    this.root.addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
      if (!this.width || /** @type {Element} */ (event.target).closest(".tools")) return;
      event.preventDefault();
      this.zoomAt(Math.exp(-event.deltaY / (event.ctrlKey ? 120 : 500)), event.clientX, event.clientY);
    }, { passive: false });
    this.root.addEventListener("dblclick", (/** @type {MouseEvent} */ event) => {
      if (/** @type {Element} */ (event.target).closest(".tools, .empty") || this.painter) return;
      if (this.fitted) this.zoomTo(1 / (window.devicePixelRatio || 1), event.clientX, event.clientY);
      else this.fit();
    });
  }

  /**
   * Show a picture of that size; with `before`, what it was made of.
   * @param {{after: string, before?: string | null, width: number, height: number, label?: string, keep?: boolean}} what
   */
  show({ after, before = null, width, height, label = "", keep = false }) {
    const other = width !== this.width || height !== this.height;
    this.width = width;
    this.height = height;
    this.hole.hidden = true;
    this.tools.hidden = false;
    this.board.hidden = false;
    swap(this.after, after, label);
    if (before) swap(this.before, before, "before");
    else this.before.removeAttribute("src");
    this.before.hidden = !before;
    this.compare.hidden = !before;
    if (!before) this.setComparing(false);
    else this.setComparing(this.comparing);
    if (!keep || other) this.fit();
    else this.paint();
  }

  /** Nothing to show but this. @param {...any} inside */
  empty(...inside) {
    this.width = this.height = 0;
    this.tools.hidden = true;
    this.board.hidden = true;
    this.setComparing(false);
    this.glance.hidden = true;
    this.hole.hidden = false;
    fill(this.hole, ...inside);
  }

  /** Words in the upper corners. @param {string} left @param {string} [right] */
  label(left, right = "") {
    this.caption.hidden = !left;
    this.caption.textContent = left;
    this.other.hidden = !right;
    this.other.textContent = right;
  }

  /** @param {boolean} on */
  setComparing(on) {
    this.comparing = on && !this.before.hidden;
    this.compare.setAttribute("aria-pressed", String(this.comparing));
    this.slider.hidden = !this.comparing;
    this.paint();
  }

  fit() {
    const box = this.root.getBoundingClientRect();
    if (!this.width || !box.width) return;
    const edge = box.width > 700 ? 24 : 8, tools = box.width > 700 ? 66 : 56;
    this.scale = Math.min((box.width - edge * 2) / this.width, (box.height - edge - tools) / this.height, 4);
    this.x = (box.width - this.width * this.scale) / 2;
    this.y = (box.height - tools + edge - this.height * this.scale) / 2;
    this.fitted = true;
    this.paint();
  }

  /** @param {number} scale @param {number} [x] @param {number} [y] */
  zoomTo(scale, x, y) {
    const box = this.root.getBoundingClientRect();
    this.zoomAt(scale / this.scale, x ?? box.left + box.width / 2, y ?? box.top + box.height / 2);
  }

  /** @param {number} factor @param {number} clientX @param {number} clientY */
  zoomAt(factor, clientX, clientY) {
    const box = this.root.getBoundingClientRect();
    const scale = Math.max(0.02, Math.min(LARGEST, this.scale * factor));
    const px = clientX - box.left, py = clientY - box.top;
    this.x = px - ((px - this.x) * scale) / this.scale;
    this.y = py - ((py - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.paint();
  }

  /** Where on the picture the pointer is, as shares of it. @param {PointerEvent} event */
  place(event) {
    const box = this.root.getBoundingClientRect();
    return { x: (event.clientX - box.left - this.x) / (this.width * this.scale), y: (event.clientY - box.top - this.y) / (this.height * this.scale) };
  }

  paint() {
    const style = this.board.style;
    style.width = `${this.width * this.scale}px`;
    style.height = `${this.height * this.scale}px`;
    style.transform = `translate(${this.x}px, ${this.y}px)`;
    this.board.style.imageRendering = this.scale > 3 ? "pixelated" : "auto";
    this.after.style.clipPath = this.comparing ? `inset(0 0 0 ${this.share * 100}%)` : "none";
    this.seam.hidden = !this.comparing;
    this.seam.style.left = `${this.share * 100}%`;
    this.slider.style.setProperty("--at", `${this.share * 100}%`);
    this.one.setAttribute("aria-pressed", String(!this.fitted && Math.abs(this.scale * (window.devicePixelRatio || 1) - 1) < 0.01));
  }

  /** A key; gives whether it was one of the stage's. @param {string} key */
  key(key) {
    if (!this.width) return false;
    if (key === "0") this.fit();
    else if (key === "1") this.zoomTo(1 / (window.devicePixelRatio || 1));
    else if (key === "b" && !this.compare.hidden) this.setComparing(!this.comparing);
    else if (key === "+") this.zoomTo(this.scale * 1.25);
    else if (key === "-") this.zoomTo(this.scale / 1.25);
    else return false;
    return true;
  }
}

/** Change a picture without a flash: the old one stays until the new one is there. @param {HTMLImageElement} image @param {string} url @param {string} alt */
function swap(image, url, alt) {
  image.alt = alt;
  if (image.dataset.url === url) return;
  image.dataset.url = url;
  const next = new Image();
  next.src = url;
  const done = () => { if (image.dataset.url === url) image.src = url; };
  next.decode().then(done, done);
}

/** @param {Map<number, {x: number, y: number}>} fingers */
function spread(fingers) {
  const [one, two] = [...fingers.values()];
  return two ? Math.hypot(one.x - two.x, one.y - two.y) : 0;
}
