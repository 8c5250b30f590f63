// The one loop of a dream: octave by octave, step by step. What to do is told by a plan of plain numbers.

import { held, patches } from "./anchor.js";
import { directed, moved } from "./ascent.js";
import { recolored } from "./color.js";
import { clamped, copied, cropped, meanAbs } from "./planes.js";
import { ofOctave, ofVariation } from "./random.js";
import { fittedMask, resize } from "./resize.js";
import { drawn, pulledBack, shown } from "./view.js";

/** @typedef {import("./planes.js").Planes} Planes */
/** @typedef {import("./planes.js").Size} Size */
/** @typedef {import("./objective.js").Term} Term */
/**
 * @typedef {object} Octave
 * @property {Size} size
 * @property {number} steps
 * @property {import("./ascent.js").Rule} rule
 * @property {import("./view.js").Viewing} view
 * @property {Term[]} terms
 * @property {number | null} maxGain the octave ends early above this score
 */
/**
 * @typedef {object} Plan everything in numbers; ./plan.js makes it of a recipe
 * @property {Size} size of the picture
 * @property {Octave[]} octaves coarse first
 * @property {"reinject" | "lost" | "carry"} detail
 * @property {"dream" | "source" | "locked"} color
 * @property {number} blend share of the original in the result
 * @property {number} realism 0..1, how far light, colors and large forms of the source hold in what is shown
 * @property {number} variation deviation of the patches under the first octave
 * @property {boolean} balance whether terms are made equally strong before their weights
 * @property {bigint} seed
 */
/** @typedef {{scores: Float32Array, gradients: Float32Array[]}} Found scores of the terms, gradients of weighted sums */
/** @typedef {{begin(terms: Term[]): void, gradients(view: Planes, weights: number[][]): Promise<Found>}} Network */
/**
 * @typedef {object} Frame
 * @property {Planes} image at the size of its octave; live, copy it to keep it
 * @property {number} octave
 * @property {number} octaves
 * @property {number} step
 * @property {number} steps
 * @property {number} index counts all steps
 * @property {number} total
 * @property {number} score
 * @property {Planes | null} handed what the next octave begins with, behind the last step of one
 */

const HELD = 4; // steps for which terms are balanced by what was measured at the first of them
const EPSILON = 1e-12;

/**
 * Dream `source` and yield every step; the last frame is the picture.
 * @param {Plan} plan
 * @param {Planes} source three planes of any size of that shape
 * @param {Network} network
 * @param {{mask?: Planes | null, octave?: number, passed?: Planes | null}} [more] `mask` says where to dream; to go on
 * with a dream, the octave to begin at and what the one before handed on
 * @returns {AsyncGenerator<Frame, void, void>}
 */
export async function* render(plan, source, network, { mask = null, octave = 0, passed = null } = {}) {
  mask = mask && cropped(fittedMask(mask, [source.height, source.width]), plan.size);
  source = cropped(source, plan.size);
  const total = plan.octaves.reduce((sum, each) => sum + each.steps, 0);
  let index = plan.octaves.slice(0, octave).reduce((sum, each) => sum + each.steps, 0);
  for (let at = octave; at < plan.octaves.length; at++) {
    const now = plan.octaves[at];
    const base = clamped(resize(source, now.size));
    const fitted = mask && fittedMask(mask, now.size);
    const begun = started(plan.detail, base, passed, fitted);
    const seeds = at === 0 && plan.variation ? patches(begun, plan.variation, ofVariation(plan.seed), fitted) : null;
    if (seeds) added(begun, seeds, 1);
    const image = copied(begun);
    const end = index + now.steps;
    passed = null;
    for await (const step of octaveSteps(plan, now, at, image, fitted, network)) {
      if (step.ended) index = end - 1;
      const done = index + 1 === total;
      const dreamt = seeds ? clamped(added(copied(image), seeds, -1)) : image;
      if (step.ended && !done) passed = handed(plan.detail, base, begun, dreamt);
      const seen = result(plan, dreamt, base, source, fitted, mask, done);
      if (step.ended && !seen.data.every(Number.isFinite))
        throw new Error("The network gave values that are no numbers.");
      yield {
        image: seen,
        octave: at,
        octaves: plan.octaves.length,
        step: step.number,
        steps: now.steps,
        index,
        total,
        score: step.score,
        handed: passed,
      };
      index++;
    }
  }
}

/**
 * @param {Plan["detail"]} detail
 * @param {Planes} base
 * @param {Planes | null} passed
 * @param {Planes | null} mask
 */
function started(detail, base, passed, mask) {
  const size = /** @type {Size} */ ([base.height, base.width]);
  let begun = copied(base);
  if (passed && detail === "lost") {
    begun = clamped(resize(passed, size));
  } else if (passed) {
    clamped(added(begun, resize(passed, size), 1));
  }
  if (!mask) return begun;
  const area = base.height * base.width;
  for (let i = 0; i < begun.data.length; i++) if (mask.data[i % area] <= 0) begun.data[i] = base.data[i];
  return begun;
}

/**
 * @param {Plan["detail"]} detail
 * @param {Planes} base
 * @param {Planes} begun
 * @param {Planes} dreamt
 */
function handed(detail, base, begun, dreamt) {
  const made = copied(dreamt);
  if (detail === "lost") return made;
  const from = detail === "carry" ? begun : base;
  for (let i = 0; i < made.data.length; i++) made.data[i] -= from.data[i];
  return made;
}

/**
 * In place.
 * @param {Planes} image
 * @param {Planes} more
 * @param {number} factor
 */
function added(image, more, factor) {
  for (let i = 0; i < image.data.length; i++) image.data[i] += factor * more.data[i];
  return image;
}

/**
 * What a frame shows.
 * @param {Plan} plan
 * @param {Planes} image
 * @param {Planes} base
 * @param {Planes} source
 * @param {Planes | null} fitted
 * @param {Planes | null} mask
 * @param {boolean} done
 */
function result(plan, image, base, source, fitted, mask, done) {
  let dreamt = plan.realism ? held(image, base, plan.realism, fitted) : image;
  if (done && (image.height !== plan.size[0] || image.width !== plan.size[1])) {
    dreamt = clamped(resize(dreamt, plan.size));
    base = clamped(resize(source, plan.size));
    fitted = mask && fittedMask(mask, plan.size);
    if (fitted) dreamt = mixed(base, dreamt, (i) => (/** @type {Planes} */ (fitted).data[i] > 0 ? 1 : 0));
  }
  if (plan.color !== "dream") {
    const colored = recolored(dreamt, base, plan.color);
    dreamt = fitted ? mixed(dreamt, colored, (i) => /** @type {Planes} */ (fitted).data[i]) : colored;
  }
  return done && plan.blend ? mixed(dreamt, base, () => plan.blend) : dreamt;
}

/**
 * @param {Planes} from
 * @param {Planes} to
 * @param {(pixel: number) => number} share of `to`
 */
function mixed(from, to, share) {
  const made = copied(from);
  const area = from.height * from.width;
  for (let i = 0; i < made.data.length; i++) made.data[i] += share(i % area) * (to.data[i] - made.data[i]);
  return made;
}

/**
 * @param {Plan} plan
 * @param {Octave} now
 * @param {number} at
 * @param {Planes} image changed in place
 * @param {Planes | null} mask
 * @param {Network} network
 */
async function* octaveSteps(plan, now, at, image, mask, network) {
  const generator = ofOctave(plan.seed, at);
  network.begin(now.terms);
  /** @type {number[] | null} */
  let scales = null;
  /** @type {Planes | null} */
  let direction = null;
  for (let number = 0; number < now.steps; number++) {
    const view = drawn(now.view, image.height, image.width, generator);
    const seen = shown(image, view);
    const found = await slope(plan.balance, now.terms, network, seen, number % HELD ? scales : null);
    scales = found.scales;
    if (now.maxGain !== null && found.score > now.maxGain) {
      yield { number, score: found.score, ended: true };
      return;
    }
    direction = directed(pulledBack(found.gradient, view, image), direction, now.rule);
    moved(image, direction, now.rule, mask);
    yield { number, score: found.score, ended: number + 1 === now.steps };
  }
}

/**
 * Score and gradient in a view. With `balance` each term is made one strength (mean |g| = 1) before its weight; that
 * takes a pass for each, so what was found is `held` for the next steps.
 * @param {boolean} balance
 * @param {Term[]} terms
 * @param {Network} network
 * @param {Planes} seen
 * @param {number[] | null} held
 */
async function slope(balance, terms, network, seen, held) {
  const weights = terms.map((term) => term.weight);
  const scored = (/** @type {Float32Array} */ scores) =>
    weights.reduce((sum, weight, at) => sum + weight * scores[at], 0);
  if (!balance || held) {
    const wanted = weights.map((weight, at) => (held ? weight / held[at] : weight));
    const { scores, gradients } = await network.gradients(seen, [wanted]);
    return { score: scored(scores), gradient: gradients[0], scales: held };
  }
  const alone = terms.map((_, at) => terms.map((_, other) => (other === at ? 1 : 0)));
  const { scores, gradients } = await network.gradients(seen, alone);
  const scales = gradients.map(meanAbs);
  const total = new Float32Array(seen.data.length);
  gradients.forEach((gradient, at) => {
    const share = weights[at] / scales[at];
    for (let i = 0; i < total.length; i++) total[i] += share * gradient[i];
  });
  const lasting = scales.length > 1 && scales.every((scale) => scale > EPSILON);
  return { score: scored(scores), gradient: total, scales: lasting ? scales : null };
}
