// An endless zoom as WebM: a few dreams, each of the middle of the one before, and a smooth way between them.

import { ofBytes } from "../dream/planes.js";

export const KEYS = 6; // dreams of a film
const FACTOR = 2; // zoom from one to the next
const SECONDS = 2.2; // from one to the next
const FPS = 25;

/** @typedef {{bytes: Uint8ClampedArray, height: number, width: number}} Picture */

/**
 * The middle of a picture, to be dreamt on.
 * @param {Picture} picture
 */
export function middle({ bytes, height, width }) {
  const image = ofBytes(bytes, height, width);
  const [h, w] = [Math.max(1, Math.round(height / FACTOR)), Math.max(1, Math.round(width / FACTOR))];
  const [top, left] = [(height - h) >> 1, (width - w) >> 1];
  const made = { channels: 3, height: h, width: w, data: new Float32Array(3 * h * w) };
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < h; y++) {
      const from = (c * height + top + y) * width + left;
      made.data.set(image.data.subarray(from, from + w), (c * h + y) * w);
    }
  }
  return made;
}

/**
 * The pictures of a film; null where it was stopped.
 * @param {Picture} first
 * @param {any} recipe
 * @param {(job: {recipe: any, source: any, mask: null}, number: number) => Promise<Picture | null>} dream
 */
export async function keys(first, recipe, dream) {
  const steps = Array.isArray(recipe.steps) ? recipe.steps : Math.max(4, Math.round(recipe.steps / 2));
  const size = `${first.width}x${first.height}`;
  // The middle is dreamt on in two octaves alone: its large forms stay, so that the zoom finds them again.
  const now = { ...recipe, mask: null, size, steps, octaves: 2, octave_scale: 1.5, above: 0, blend: 0 };
  const pictures = [first];
  while (pictures.length < KEYS) {
    const number = pictures.length;
    const seed = (recipe.seed + number) % Number.MAX_SAFE_INTEGER;
    const next = await dream({ recipe: { ...now, seed }, source: middle(pictures[number - 1]), mask: null }, number);
    if (!next) return null;
    pictures.push(next);
  }
  return pictures;
}

/** Whether this browser can record a film. */
export function records() {
  return typeof MediaRecorder !== "undefined" && MediaRecorder.isTypeSupported("video/webm");
}

/**
 * Play the way through the pictures into a recorder; takes as long as the film.
 * @param {Picture[]} pictures each the middle of the one before, dreamt on
 * @param {(share: number) => void} progress
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export async function recorded(pictures, progress, signal) {
  const { width, height } = pictures[0];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width & ~1, height & ~1]; // codecs want even sides
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
  context.imageSmoothingQuality = "high";
  const bitmaps = await Promise.all(
    pictures.map((each) => createImageBitmap(new ImageData(/** @type {any} */ (each.bytes), each.width, each.height))),
  );
  const kind = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"].find((each) =>
    MediaRecorder.isTypeSupported(each),
  );
  const recorder = new MediaRecorder(canvas.captureStream(FPS), { mimeType: kind, videoBitsPerSecond: 8_000_000 });
  /** @type {Blob[]} */
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const ended = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start(1000);
  const frames = Math.round((pictures.length - 1) * SECONDS * FPS);
  const begun = performance.now();
  for (let frame = 0; frame <= frames && !signal.aborted; frame++) {
    draw(context, bitmaps, (frame / frames) * (pictures.length - 1));
    progress(frame / frames);
    const due = begun + ((frame + 1) * 1000) / FPS;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  recorder.stop();
  await ended;
  bitmaps.forEach((each) => each.close());
  return new Blob(parts, { type: "video/webm" });
}

/**
 * The film at a moment: the picture before, enlarged, and the next one in its middle, which comes in softly.
 * @param {CanvasRenderingContext2D} context
 * @param {ImageBitmap[]} bitmaps
 * @param {number} moment 0 to the number of pictures less 1
 */
function draw(context, bitmaps, moment) {
  const at = Math.min(Math.floor(moment), bitmaps.length - 2);
  const within = moment - at;
  placed(context, bitmaps[at], FACTOR ** within, 1);
  placed(context, bitmaps[at + 1], FACTOR ** (within - 1), Math.min(1, within * 1.6));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {ImageBitmap} bitmap
 * @param {number} scale
 * @param {number} opacity
 */
function placed(context, bitmap, scale, opacity) {
  const { width, height } = context.canvas;
  context.globalAlpha = opacity;
  context.drawImage(bitmap, (width - width * scale) / 2, (height - height * scale) / 2, width * scale, height * scale);
  context.globalAlpha = 1;
}
