// The picture as it is dreamt, beside the original under one slider.

import { toBytes } from "../dream/planes.js";
import { resize } from "../dream/resize.js";
import { at } from "./dom.js";

/** @typedef {import("../dream/planes.js").Planes} Planes */

/** @type {{bytes: Uint8ClampedArray, height: number, width: number} | null} */
let shownNow = null;

const after = () => /** @type {HTMLCanvasElement} */ (at("after"));
const before = () => /** @type {HTMLCanvasElement} */ (at("before"));

/**
 * Show a photograph that nothing was dreamt into yet.
 * @param {Planes} source
 * @param {import("../dream/planes.js").Size} size of the dream
 */
export function original(source, size) {
  const image = resize(source, size);
  const bytes = toBytes(image);
  drawn(before(), bytes, size[0], size[1]);
  at("frame").style.setProperty("--ratio", String(size[1] / size[0]));
  show({ bytes, height: size[0], width: size[1] });
  compare(0);
  at("stage").classList.remove("empty");
  at("stage").classList.add("filled");
  at("welcome").hidden = true;
  at("under").hidden = false;
}

/** @param {{bytes: Uint8ClampedArray, height: number, width: number}} picture */
export function show(picture) {
  shownNow = picture;
  drawn(after(), picture.bytes, picture.height, picture.width);
}

/** The picture as it is shown. */
export function shown() {
  return shownNow;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8ClampedArray} bytes
 * @param {number} height
 * @param {number} width
 */
function drawn(canvas, bytes, height, width) {
  // A coarse octave is drawn at the size of the original, so that the page does not jump.
  const keep = canvas.id === "after" && before().width > 3;
  const [w, h] = keep ? [before().width, before().height] : [width, height];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = new ImageData(/** @type {any} */ (bytes), width, height);
  if (w === width && h === height) {
    context.putImageData(image, 0, 0);
    return;
  }
  const small = new OffscreenCanvas(width, height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, w, h);
}

/**
 * @param {number} percent of the width, from the left, that shows the original
 */
export function compare(percent) {
  at("frame").style.setProperty("--cut", `${percent}%`);
  at("edge").hidden = percent <= 0 || percent >= 100;
  /** @type {HTMLInputElement} */ (at("compare")).value = String(percent);
}

/** Let the slider, and a finger or mouse on the picture, move the edge. */
export function listen() {
  const slider = /** @type {HTMLInputElement} */ (at("compare"));
  slider.addEventListener("input", () => compare(Number(slider.value)));
  const frame = at("frame");
  const follow = (/** @type {PointerEvent} */ event) => {
    const box = frame.getBoundingClientRect();
    compare(Math.round(Math.min(100, Math.max(0, ((event.clientX - box.left) / box.width) * 100))));
  };
  frame.addEventListener("pointerdown", (event) => {
    frame.setPointerCapture(event.pointerId);
    follow(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (frame.hasPointerCapture(event.pointerId)) follow(event);
  });
}
