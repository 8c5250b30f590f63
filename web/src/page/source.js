// The photograph: chosen, dropped, pasted or taken; upright, in sRGB, and not larger than the memory bears.

import { ofBytes } from "../dream/planes.js";
import { textIn } from "../recipe/png.js";
import { sha256 } from "../recipe/record.js";
import { Refused } from "../recipe/refused.js";

/**
 * @typedef {object} Source
 * @property {import("../dream/planes.js").Planes} pixels
 * @property {Uint8ClampedArray | null} alpha one byte a pixel, null where all is opaque
 * @property {string} name of its file, "" where it has none
 * @property {string} sha256 of its file
 * @property {string} record the text of a Record inside, "" where there is none
 * @property {boolean} shrunken whether it was too large for this device
 */

const gigabytes = /** @type {any} */ (navigator).deviceMemory ?? 8;

/** Whether this device has little memory: then pictures are kept smaller. */
export const SMALL_DEVICE = gigabytes <= 4 || /Android|iPhone|iPad|Mobile/.test(navigator.userAgent);

const LARGEST = SMALL_DEVICE ? 4_000_000 : 24_000_000; // pixels of a source that are kept

/**
 * @param {Blob} file
 * @param {string} name
 * @returns {Promise<Source>}
 */
export async function opened(file, name) {
  if (file.size > 200_000_000) throw new Refused("The file has more than 200 MB; choose a smaller picture.");
  const bytes = await file.arrayBuffer();
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Refused(`${name || "The picture"} cannot be read by this browser; choose a JPEG, PNG or WebP.`);
  });
  const shrunken = bitmap.width * bitmap.height > LARGEST;
  const scale = shrunken ? Math.sqrt(LARGEST / (bitmap.width * bitmap.height)) : 1;
  const [width, height] = [Math.round(bitmap.width * scale) || 1, Math.round(bitmap.height * scale) || 1];
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { willReadFrequently: true })
  );
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const alpha = transparent(data);
  if (alpha) hidden(data);
  return {
    pixels: ofBytes(data, height, width),
    alpha,
    name,
    sha256: await sha256(bytes),
    record: await textIn(new Uint8Array(bytes)).catch(() => ""),
    shrunken,
  };
}

/** @param {Uint8ClampedArray} bytes */
function transparent(bytes) {
  const alpha = new Uint8ClampedArray(bytes.length / 4);
  let least = 255;
  for (let i = 0; i < alpha.length; i++) {
    alpha[i] = bytes[4 * i + 3];
    least = Math.min(least, alpha[i]);
  }
  return least < 255 ? alpha : null;
}

/**
 * Color under full transparency, which nobody was meant to see, becomes the mean of what is visible.
 * @param {Uint8ClampedArray} bytes
 */
function hidden(bytes) {
  const mean = [0, 0, 0];
  let count = 0;
  for (let i = 0; i < bytes.length; i += 4) {
    if (!bytes[i + 3]) continue;
    count++;
    for (let c = 0; c < 3; c++) mean[c] += bytes[i + c];
  }
  for (let i = 0; i < bytes.length; i += 4) {
    if (!bytes[i + 3]) for (let c = 0; c < 3; c++) bytes[i + c] = count ? mean[c] / count : 0;
  }
}

/**
 * How bright each pixel of a mask is, nothing where it is transparent: one plane.
 * @param {Source} source
 */
export function brightness(source) {
  const { height, width, data } = source.pixels;
  const area = height * width;
  const made = { channels: 1, height, width, data: new Float32Array(area) };
  for (let i = 0; i < area; i++) {
    const opaque = source.alpha ? source.alpha[i] / 255 : 1;
    made.data[i] = ((data[i] + data[area + i] + data[2 * area + i]) / 3) * opaque;
  }
  return made;
}

/**
 * Let pictures be dropped on the page, pasted into it, and chosen by its buttons.
 * @param {(file: Blob, name: string) => void} found
 */
export function listen(found) {
  const take = (/** @type {FileList | null | undefined} */ files) => {
    const file = [...(files ?? [])].find((each) => each.type.startsWith("image/")) ?? files?.[0];
    if (file) found(file, file.name);
  };
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    take(event.dataTransfer?.files);
  });
  addEventListener("paste", (event) => take(event.clipboardData?.files));
  for (const id of ["file", "camera"]) {
    const input = /** @type {HTMLInputElement} */ (document.getElementById(id));
    input.addEventListener("change", () => {
      take(input.files);
      input.value = "";
    });
  }
}
