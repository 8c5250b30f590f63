// The worker: loads a network, dreams, and tells the page of every step. Nothing here touches the page.

import { planned } from "../dream/plan.js";
import { toBytes } from "../dream/planes.js";
import { render } from "../dream/render.js";
import { Refused } from "../recipe/refused.js";
import { StepNetwork, selfTest } from "./session.js";
import { fetched } from "./unpack.js";

/** @typedef {import("./unpack.js").Packed} Packed */
/** @typedef {"webgpu" | "wasm"} Kind */
/** @typedef {{module: string, wasm: Packed}} Runtime */
/** @typedef {{name: string, graph: Packed, manifest: string}} NetworkFiles */
/** @typedef {{runtimes: Record<Kind, Runtime>, network: NetworkFiles, prefer: Kind}} Setting */

const say = (/** @type {any} */ message, /** @type {Transferable[]} */ transfer = []) =>
  /** @type {any} */ (self).postMessage(message, transfer);

/** @typedef {{kind: Kind, name: string, network: StepNetwork, lost: Promise<never>}} Running */

/** @type {Running | null} */
let engine = null;
/** @type {Promise<any>} */
let starting = Promise.resolve();
/** @type {Partial<Record<Kind, Promise<any>>>} */
const runtimes = {};
/** @type {Record<string, Promise<Uint8Array>>} */
const graphs = {};
let gaveUp = ""; // why WebGPU is not tried any more
let running = 0; // number of the dream under way

self.onmessage = ({ data }) => {
  if (data.type === "stop") running = 0;
  if (data.type === "dream") void dream(data);
  if (data.type === "load") void load(data);
};

/** @param {{id: number, setting: Setting}} asked */
async function load({ id, setting }) {
  try {
    await ready(setting);
    say({ type: "ready", id, kind: engine?.kind });
  } catch (error) {
    fail(id, error);
  }
}

/**
 * The network on the best engine that passes its test.
 * @param {Setting} setting
 * @returns {Promise<Running>}
 */
function ready(setting) {
  starting = starting.catch(() => {}).then(() => found(setting)); // one at a time
  return starting;
}

/**
 * @param {Setting} setting
 * @returns {Promise<Running>}
 */
async function found(setting) {
  const wanted = setting.prefer === "webgpu" && !gaveUp && (await adapter()) ? "webgpu" : "wasm";
  if (engine && engine.name === setting.network.name && engine.kind === wanted) return engine;
  engine = null;
  if (wanted === "webgpu") {
    try {
      engine = await started("webgpu", setting);
      return engine;
    } catch (error) {
      giveUp(error);
    }
  }
  engine = await started("wasm", setting);
  return engine;
}

/** Whether the browser has a graphics adapter for WebGPU; many name the interface and have none. */
async function adapter() {
  const found = await /** @type {any} */ (navigator).gpu?.requestAdapter().catch(() => null);
  return Boolean(found);
}

/** @param {unknown} error */
function giveUp(error) {
  gaveUp = error instanceof Error ? error.message.split("\n")[0].slice(0, 160) : String(error);
  say({
    type: "note",
    text: `WebGPU cannot be used here (${gaveUp.replace(/\.$/, "")}); dreaming goes on with WebAssembly.`,
  });
}

/**
 * @param {Kind} kind
 * @param {Setting} setting
 */
async function started(kind, setting) {
  const { graph, manifest, name } = setting.network;
  const progress = counting();
  const [ort, bytes, about] = await Promise.all([
    (runtimes[kind] ??= runtime(setting.runtimes[kind], progress)),
    (graphs[name] ??= fetched(graph, progress(graph))),
    fetch(manifest).then((answer) => answer.json()),
  ]).catch((error) => {
    delete runtimes[kind]; // what did not arrive is asked for again
    delete graphs[name];
    throw error;
  });
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [kind], enableMemPattern: false });
  const network = new StepNetwork(ort, session, about);
  await selfTest(network);
  return { kind, name, network, lost: lost(ort, kind) };
}

/**
 * A promise that fails when the device is lost, and never ends otherwise.
 * @param {any} ort
 * @param {Kind} kind
 * @returns {Promise<never>}
 */
async function lost(ort, kind) {
  const device = kind === "webgpu" ? await ort.env.webgpu.device : null;
  if (!device?.lost) return new Promise(() => {});
  const { message } = await device.lost;
  throw new Error(`the device was lost: ${message}`);
}

/**
 * @param {Runtime} files
 * @param {ReturnType<typeof counting>} progress
 */
async function runtime(files, progress) {
  const [ort, wasm] = await Promise.all([import(files.module), fetched(files.wasm, progress(files.wasm))]);
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  return ort;
}

/** Tells the page how much of all files together has come. */
function counting() {
  let [done, total] = [0, 0];
  return (/** @type {Packed} */ file) => {
    total += file.packed;
    let before = 0;
    return (/** @type {number} */ bytes) => {
      done += bytes - before;
      before = bytes;
      say({ type: "loading", done, total });
    };
  };
}

/** @param {{id: number, setting: Setting, recipe: any, source: any, mask: any}} asked */
async function dream({ id, setting, recipe, source, mask }) {
  running = id;
  try {
    let now = await ready(setting);
    const plan = planned(recipe, now.network.manifest, [source.height, source.width]);
    /** @type {{octave: number, passed: any}} */
    let from = { octave: 0, passed: null };
    say({ type: "planned", id, kind: now.kind, total: plan.octaves.reduce((sum, each) => sum + each.steps, 0) });
    for (let done = false; !done;) {
      try {
        for await (const frame of watched(render(plan, source, now.network, { mask, ...from }), now.lost)) {
          if (running !== id) return;
          tell(id, frame);
          if (frame.handed) from = { octave: frame.octave + 1, passed: frame.handed };
          await new Promise((resolve) => setTimeout(resolve)); // a word from the page may have come
          if (running !== id) return;
        }
        done = true;
      } catch (error) {
        if (now.kind !== "webgpu" || error instanceof Refused) throw error;
        giveUp(error);
        now = await ready({ ...setting, prefer: "wasm" });
      }
    }
    say({ type: "done", id, kind: now.kind });
  } catch (error) {
    if (running === id) fail(id, error);
  }
}

/**
 * The frames, until the device is lost.
 * @param {AsyncGenerator<import("../dream/render.js").Frame>} frames
 * @param {Promise<never>} end
 */
async function* watched(frames, end) {
  for (;;) {
    const { done, value } = await Promise.race([frames.next(), end]);
    if (done) return;
    yield /** @type {import("../dream/render.js").Frame} */ (value);
  }
}

/**
 * @param {number} id
 * @param {import("../dream/render.js").Frame} frame
 */
function tell(id, frame) {
  const bytes = toBytes(frame.image);
  const { octave, octaves, step, steps, index, total, score } = frame;
  const { height, width } = frame.image;
  say({ type: "frame", id, bytes, height, width, octave, octaves, step, steps, index, total, score }, [bytes.buffer]);
}

/**
 * @param {number} id
 * @param {unknown} error
 */
function fail(id, error) {
  running = 0;
  const refused = error instanceof Refused;
  const text = error instanceof Error ? error.message : String(error);
  const memory = /memory|allocat/i.test(text) ? "The memory does not suffice; choose a smaller size." : "";
  const offline = /fetch|arrive|network/i.test(text)
    ? "A part of this page did not arrive; go online once and try again."
    : "";
  say({
    type: "failed",
    id,
    text: refused ? text : memory || offline || `The dream broke off: ${text.split("\n")[0]}`,
  });
}
