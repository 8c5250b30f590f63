// The picture as a PNG with its Record inside.

import { cropped } from "../dream/planes.js";
import { resize } from "../dream/resize.js";
import { withText } from "../recipe/png.js";
import { recordText } from "../recipe/record.js";
import { offered } from "./dom.js";

/** @typedef {import("./source.js").Source} Source */

/**
 * @param {{bytes: Uint8ClampedArray, height: number, width: number}} picture
 * @param {{recipe: any, source: Source, mask: Source | null}} made
 * @param {string} weights SHA-256 of the network's weights
 * @param {Record<string, string>} versions
 */
export async function download(picture, made, weights, versions) {
  const { source, mask, recipe } = made;
  const assets = [
    { role: "source", path: source.name, sha256: source.sha256 },
    { role: "weights", path: "", sha256: weights },
  ];
  if (mask) assets.push({ role: "mask", path: recipe.mask, sha256: mask.sha256 });
  const png = withText(await encoded(picture, opacity(picture, source)), recordText(recipe, assets, versions));
  const stem = source.name.replace(/\.[^.]*$/, "") || "picture";
  offered(new Blob([/** @type {BlobPart} */ (png)], { type: "image/png" }), `${stem}-dream.png`);
}

/**
 * @param {{bytes: Uint8ClampedArray, height: number, width: number}} picture
 * @param {Uint8ClampedArray | null} alpha
 */
async function encoded({ bytes, height, width }, alpha) {
  const all = bytes.slice();
  if (alpha) for (let i = 0; i < alpha.length; i++) all[4 * i + 3] = alpha[i];
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.putImageData(new ImageData(all, width, height), 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  return new Uint8Array(await blob.arrayBuffer());
}

/**
 * The source's opacity at the size of the picture.
 * @param {{height: number, width: number}} picture
 * @param {Source} source
 */
function opacity({ height, width }, source) {
  if (!source.alpha) return null;
  const { height: h, width: w } = source.pixels;
  const plane = { channels: 1, height: h, width: w, data: Float32Array.from(source.alpha) };
  const fitted = resize(cropped(plane, [height, width]), [height, width]);
  return Uint8ClampedArray.from(fitted.data);
}
