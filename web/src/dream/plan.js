// From a recipe to a plan: every name resolved, every number plain. The only file that knows recipe fields.

import { Refused } from "../recipe/refused.js";
import { perOctave, resolved } from "./objective.js";
import { pythonRound } from "./planes.js";

/** @typedef {import("./planes.js").Size} Size */
/** @typedef {import("./objective.js").Known} Known */
/** @typedef {Record<string, any>} Recipe all fields, checked by ../recipe/check.js */

const LEAST = 24; // below this short side an octave holds no form that a network could see
const FEWEST = 6; // steps of a tapered octave: with fewer the jitter leaves grain
const MOTIF_SIZES = { small: 12, medium: 20, large: 35 }; // per cent of the short side
const MULTIPLE = 16; // pixels that sides are rounded up to, as padded for the network

/** Fields that this page has no other value for: name -> the only value. */
export const FIXED = {
  guide: [],
  groups: [],
  optimizer: "ascent",
  smooth: "none",
  pyramid: "undecimated",
  inset: 0,
  focus: 0,
  param: "pixels",
  border: "mirror",
  rotate: 0,
  zoom: 0,
  resettle: 0,
  grain: 0,
  crop: 1,
  last_crop: 1,
  views: 1,
  redirect: 0,
  likeness: 0,
  contrast: 0,
  opacity: 1,
  count: 1,
};

/**
 * @param {Recipe} recipe
 * @param {Known} known
 * @param {Size} native (height, width) of the source
 * @returns {import("./render.js").Plan}
 */
export function planned(recipe, known, native) {
  for (const [name, only] of Object.entries(FIXED)) {
    if (name in recipe && JSON.stringify(recipe[name]) !== JSON.stringify(only)) {
      throw new Refused(`This page cannot dream with '${name}' other than its default; use the command line for that.`);
    }
  }
  const size = sized(recipe.size, native);
  const octaves = sizes(size, recipe, coarsest(recipe, known));
  const texts = perOctave(recipe.objective || known.objective);
  const perText = texts.map((text) => resolved(known, text, recipe.certainty));
  return {
    size,
    octaves: octaves.map((each, at) =>
      octave(recipe, known, each, at, octaves.length, perText[Math.min(at, perText.length - 1)]),
    ),
    detail: recipe.detail,
    color: recipe.color,
    blend: recipe.blend,
    realism: recipe.realism ?? 0,
    variation: recipe.variation ?? 0,
    balance: recipe.balance === "terms",
    seed: BigInt(recipe.seed),
  };
}

/**
 * (height, width) of the picture.
 * @param {string | null} text a long side, or WIDTHxHEIGHT
 * @param {Size} native
 * @returns {Size}
 */
export function sized(text, native) {
  if (text === null) return native;
  const [width, height] = text.split("x").map(Number);
  if (height !== undefined) return [height, width];
  const scale = width / Math.max(...native);
  return [Math.max(1, pythonRound(native[0] * scale)), Math.max(1, pythonRound(native[1] * scale))];
}

/**
 * Short side of the coarsest octave, at which the network's motifs have the size that is wanted.
 * @param {Recipe} recipe
 * @param {Known} known
 */
function coarsest(recipe, known) {
  const wanted = recipe.motif_size ?? "auto";
  if (wanted === "auto") return recipe.smallest;
  const share = MOTIF_SIZES[/** @type {"small"} */ (wanted)] ?? Number(wanted);
  return Math.max(known.smallest, 16, pythonRound((100 * known.motif) / share));
}

/**
 * (height, width) of every octave, coarse first. `auto` is anchored at the coarse end, a number at the fine one.
 * @param {Size} final
 * @param {Recipe} recipe
 * @param {number} smallest
 * @returns {Size[]}
 */
export function sizes(final, recipe, smallest) {
  const { above, octaves, octave_scale: scale } = recipe;
  const short = Math.min(...final);
  /** @type {number[]} */
  let factors = [];
  if (octaves === "auto") {
    for (let side = smallest; side * scale ** 0.5 < short; side *= scale) factors.push(side / short);
  } else {
    if (above >= octaves) {
      throw new Refused(`'above' (${above}) must be below 'octaves' (${octaves}), among which those above count.`);
    }
    for (let k = octaves - 1 - above; k > 0; k--) factors.push(scale ** -k);
    factors = factors.filter((factor) => short * factor >= Math.min(LEAST, short));
  }
  const seen = new Set([String(final)]);
  const below = factors
    .map((factor) => scaled(final, factor))
    .filter((size) => !seen.has(String(size)) && seen.add(String(size)));
  const over = Array.from({ length: above }, (_, k) => scaled(final, scale ** (k + 1)));
  return [...below, final, ...over];
}

/**
 * @param {Size} size
 * @param {number} factor
 * @returns {Size}
 */
function scaled(size, factor) {
  return [Math.max(1, pythonRound(size[0] * factor)), Math.max(1, pythonRound(size[1] * factor))];
}

/**
 * @param {Recipe} recipe
 * @param {Known} known
 * @param {Size} size
 * @param {number} at
 * @param {number} count
 * @param {import("./objective.js").Term[]} terms
 * @returns {import("./render.js").Octave}
 */
function octave(recipe, known, size, at, count, terms) {
  const [steps, stepSize] = pace(recipe, at, count);
  return {
    size,
    steps,
    terms,
    maxGain: recipe.max_gain,
    view: {
      margin: recipe.pad,
      shift: Math.min(recipe.jitter, Math.max(...size) >> 1),
      least: known.smallest,
      multiple: recipe.pad ? MULTIPLE : 1,
    },
    rule: {
      stepSize,
      momentum: recipe.momentum,
      // The stronger the dream, the nearer to 1, so that strength does not burn contrast.
      headroom: 1 - (1 - recipe.headroom) / Math.max(1, recipe.strength ?? 1),
      shaping: {
        bands: recipe.bands,
        fine: recipe.fine,
        // Large forms belong to the first octave: later ones leave them alone.
        coarse: at ? recipe.coarse : 1,
        spread: recipe.spread,
        gray: recipe.gray,
        fineGray: recipe.fine_gray ?? 0,
        normalize: recipe.normalize,
      },
    },
  };
}

/**
 * Steps and step size of an octave.
 * @param {Recipe} recipe
 * @param {number} at
 * @param {number} count
 * @returns {[number, number]}
 */
export function pace(recipe, at, count) {
  let steps = atOctave(recipe.steps, at);
  let stepSize = atOctave(recipe.step_size, at);
  const single = !Array.isArray(recipe.step_size);
  if (single && recipe.schedule !== "adaptive") stepSize *= recipe.step_decay ** at;
  if (recipe.schedule === "adaptive") {
    const level = count - at;
    steps = Math.max(steps, Math.floor(steps * Math.log2(level)));
    stepSize *= 1.2 ** -(level - 1);
  } else if (recipe.schedule === "tapered" && single && !Array.isArray(recipe.steps)) {
    const taken = Math.min(steps, Math.max(FEWEST, pythonRound(steps * recipe.step_decay ** at)));
    stepSize *= steps / taken;
    steps = taken;
  }
  const strength = recipe.strength ?? 1;
  const longer = Math.sqrt(Math.max(1, strength));
  return [Math.max(1, pythonRound(steps * longer)), (stepSize * strength) / longer];
}

/**
 * @param {number | number[]} each
 * @param {number} at
 */
function atOctave(each, at) {
  return Array.isArray(each) ? each[Math.min(at, each.length - 1)] : each;
}
