// A step graph under onnxruntime: a view and weights in, scores and a gradient out.

import { Refused } from "../recipe/refused.js";

/** @typedef {import("../dream/planes.js").Planes} Planes */
/** @typedef {import("../dream/objective.js").Term} Term */
/** @typedef {import("../dream/objective.js").Known & {test: Test}} Manifest what stands beside an exported graph */
/**
 * @typedef {object} Test
 * @property {[number, number]} size
 * @property {any[]} terms
 * @property {number[]} weights
 * @property {number[]} scores
 * @property {string} gradient float32, base64
 * @property {number} cosine with that gradient which is close enough
 */

export class StepNetwork {
  /**
   * @param {any} ort the module onnxruntime-web, or another with its interface
   * @param {any} session an InferenceSession of the graph
   * @param {Manifest} manifest
   */
  constructor(ort, session, manifest) {
    this.ort = ort;
    this.session = session;
    this.manifest = manifest;
    /** @type {Record<string, any>} */
    this.feeds = {};
  }

  /**
   * Set the terms of the steps to come.
   * @param {Term[]} terms
   */
  begin(terms) {
    const count = terms.length;
    const { layers, classes, labels } = this.manifest;
    this.feeds = {};
    for (const layer of layers) {
      const energy = new Float32Array(count * layer.channels);
      const mean = new Float32Array(count * layer.channels);
      terms.forEach((term, at) => {
        if (term.layer !== layer.name) return;
        const row = at * layer.channels;
        if (term.channel !== null) {
          energy[row + term.channel] = term.energy * layer.channels;
          mean[row + term.channel] = term.mean;
          return;
        }
        energy.fill(term.energy, row, row + layer.channels);
        mean.fill(term.mean / layer.channels, row, row + layer.channels);
      });
      this.#feed(`${layer.name}/energy`, energy, [count, layer.channels]);
      this.#feed(`${layer.name}/mean`, mean, [count, layer.channels]);
    }
    if (!classes) return;
    const marks = new Float32Array(count * labels.length);
    terms.forEach((term, at) => term.classes.forEach((each) => (marks[at * labels.length + each] = 1)));
    this.#feed("classes", marks, [count, labels.length]);
    this.#feed(
      "against",
      Float32Array.from(terms, (term) => term.against),
      [count],
    );
  }

  /**
   * @param {string} name
   * @param {Float32Array} data
   * @param {number[]} shape
   */
  #feed(name, data, shape) {
    this.feeds[name] = new this.ort.Tensor("float32", data, shape);
  }

  /**
   * @param {Planes} view
   * @param {number[][]} weights rows of one weight for each term
   * @returns {Promise<import("../dream/render.js").Found>}
   */
  async gradients(view, weights) {
    this.#feed("image", view.data, [1, 3, view.height, view.width]);
    this.#feed("weights", Float32Array.from(weights.flat()), [weights.length, weights[0].length]);
    const found = await this.session.run(this.feeds);
    const all = found.gradient.data;
    const size = view.data.length;
    return { scores: found.scores.data, gradients: weights.map((_, at) => all.subarray(at * size, (at + 1) * size)) };
  }
}

/**
 * Forward and gradient against the numbers that PyTorch found; raises {@link Refused} where they are others.
 * @param {StepNetwork} network
 */
export async function selfTest(network) {
  const { test } = network.manifest;
  const [height, width] = test.size;
  const image = waves(height, width);
  network.begin(
    test.terms.map((term) => ({
      weight: 1,
      name: "",
      layer: term.layer ?? "",
      energy: 1,
      mean: 0,
      channel: null,
      classes: term.classes ?? [],
      against: term.against ?? 0,
    })),
  );
  const found = await network.gradients(image, [test.weights]);
  const bytes = Uint8Array.from(atob(test.gradient), (letter) => letter.charCodeAt(0));
  const cosine = cosineOf(found.gradients[0], new Float32Array(bytes.buffer));
  const away = test.scores.map((score, at) => Math.abs(found.scores[at] - score) / (1 + Math.abs(score)));
  const loose = 100 * (1 - test.cosine);
  if (!(cosine >= test.cosine) || !(Math.max(...away) <= loose)) {
    throw new Refused(`The gradient of the self-test differs (cosine ${cosine.toFixed(5)}).`);
  }
}

/**
 * The picture of the self-test: 0.5 + 0.4 sin(x/3 + y/(4 + c) + c).
 * @param {number} height
 * @param {number} width
 * @returns {Planes}
 */
export function waves(height, width) {
  const data = new Float32Array(3 * height * width);
  let at = 0;
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) data[at++] = 0.5 + 0.4 * Math.sin(x / 3 + y / (4 + c) + c);
    }
  }
  return { channels: 3, height, width, data };
}

/**
 * @param {Float32Array} one
 * @param {Float32Array} other
 */
function cosineOf(one, other) {
  let [dot, a, b] = [0, 0, 0];
  for (let i = 0; i < other.length; i++) {
    dot += one[i] * other[i];
    a += one[i] * one[i];
    b += other[i] * other[i];
  }
  return dot / Math.sqrt(a * b);
}
