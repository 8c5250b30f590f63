// The page: what happens when.

import { sized } from "../dream/plan.js";
import { Engine } from "../engine/client.js";
import { checked } from "../recipe/check.js";
import { fragment, linked } from "../recipe/link.js";
import { recipeIn } from "../recipe/record.js";
import { Controls } from "./controls.js";
import { at, offered, told } from "./dom.js";
import { KEYS, keys, recorded, records } from "./film.js";
import { settingOf } from "./files.js";
import { kept } from "./offline.js";
import { download } from "./saving.js";
import { brightness, listen, opened, SMALL_DEVICE } from "./source.js";
import * as stage from "./stage.js";

/** @typedef {import("./source.js").Source} Source */
/** @typedef {import("./controls.js").Page} Page */

const LIMIT = SMALL_DEVICE ? 768 : 2048; // pixels of the long side that are dreamt

/** @type {Page} */
let page;
/** @type {Controls} */
let controls;
/** @type {Engine} */
let engine;
/** @type {Source | null} */
let source = null;
/** @type {Source | null} */
let mask = null;
/** @type {{recipe: any, kind: string, source: Source, mask: Source | null} | null} what the picture that is shown was made of */
let made = null;
/** @type {AbortController | null} */
let busy = null;
const manifests = new Map();

async function start() {
  const address = new URL("data/page.json", document.baseURI);
  page = await fetch(address).then((answer) => answer.json());
  controls = new Controls(page, changed);
  at("stage").classList.add("empty");
  stage.listen();
  listen((file, name) => void take(file, name));
  wired();
  opening();
  addEventListener("hashchange", opening);
  /** @type {HTMLButtonElement} */ (at("dream")).disabled = false;
  await kept();
  engine = new Engine(new URL("src/engine/worker.js", document.baseURI).href);
  await know();
  await load();
}

function wired() {
  at("controls").addEventListener("submit", (event) => {
    event.preventDefault();
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur(); // a field that is typed in is read
    void dream();
  });
  at("stop").addEventListener("click", stop);
  at("save").addEventListener("click", () => void guarded(save));
  at("zoom").addEventListener("click", () => void guarded(film));
  at("link").addEventListener("click", () => void guarded(copy));
  at("reset").addEventListener("click", () => {
    mask = null;
    controls.take(checked({ size: "512" }, page.fields));
    changed();
  });
  at("mask").addEventListener("click", () => at("maskfile").click());
  at("maskfile").addEventListener("change", () => void guarded(chooseMask));
  for (const each of document.querySelectorAll("[data-do]")) {
    const what = /** @type {HTMLElement} */ (each).dataset.do;
    each.addEventListener("click", () => {
      if (what === "choose") at("file").click();
      else if (what === "photograph") at("camera").click();
      else void sample();
    });
  }
}

async function sample() {
  const got = await fetch(new URL("sample.jpg", document.baseURI)).catch(() => null);
  if (got?.ok) await take(await got.blob(), "cat.jpg");
  else told("message", "The sample did not arrive; choose a photograph of yours.");
}

/** Take the recipe that the address brings along. */
function opening() {
  if (location.hash.length < 2) return;
  try {
    controls.take(onPage(linked(location.hash, page.fields, page.presets)));
    told("message", "");
    void know();
    shape();
  } catch (error) {
    told("message", /** @type {Error} */ (error).message);
  }
}

/**
 * A recipe from outside with a network and a size of this page.
 * @param {any} recipe
 */
function onPage(recipe) {
  const network = recipe.network === "auto" ? page.networks[0].name : recipe.network;
  if (!page.networks.some(({ name }) => name === network)) {
    const names = page.networks.map(({ name }) => name).join(" and ");
    throw new Error(`The network '${String(network).slice(0, 40)}' is not on this page, which has ${names}.`);
  }
  return { ...recipe, network, size: recipe.size ?? "512" };
}

/** What is to be done when the recipe was changed by hand. */
function changed() {
  history.replaceState(null, "", `#${fragment(controls.recipe, page.fields)}`);
  void know();
  if (!busy && !made) shape();
}

/** The classes and layers of the recipe's network. */
async function know() {
  const files = network();
  if (!manifests.has(files.name)) {
    manifests.set(files.name, await fetch(new URL(files.manifest, document.baseURI)).then((answer) => answer.json()));
  }
  const manifest = manifests.get(files.name);
  if (controls.manifest !== manifest) controls.know(manifest);
}

function network() {
  return page.networks.find(({ name }) => name === controls.recipe.network) ?? page.networks[0];
}

/** How the worker is to compute. */
function setting() {
  return settingOf(page, network());
}

const hearing = {
  loading: (/** @type {number} */ done, /** @type {number} */ total) => {
    if (done < total) status(`Loading the network: ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`);
    else status("Starting the network");
  },
  note: (/** @type {string} */ text) => told("note", text),
};

async function load() {
  try {
    const kind = await engine.load(setting(), hearing);
    if (kind) running(kind);
    if (kind && !busy) status(source ? "Ready" : "");
  } catch (error) {
    told("message", /** @type {Error} */ (error).message);
  }
}

/** @param {string} kind */
function running(kind) {
  at("engine").textContent = kind === "webgpu" ? "It computes with WebGPU." : "It computes with WebAssembly.";
  document.body.dataset.engine = kind;
}

/**
 * @param {Blob} file
 * @param {string} name
 */
async function take(file, name) {
  if (busy) stop();
  await guarded(async () => {
    const found = await opened(file, name);
    const text = found.record ? recipeIn(found.record) : null;
    source = found;
    made = null;
    told("note", found.shrunken ? "The photograph was made smaller to fit this device's memory." : "");
    if (text) {
      controls.take(onPage(checked({ ...text, mask: null }, page.fields)));
      told("note", "The picture was dreamt by Reverie; its settings are taken. Its own source is not inside.");
    }
    at("saving").hidden = true;
    at("film").hidden = true;
    shape();
    status("Ready");
  });
}

/** Show the source as it will be dreamt. */
function shape() {
  if (!source) return;
  made = null;
  at("saving").hidden = true;
  stage.original(source.pixels, finalSize());
}

/** @returns {import("../dream/planes.js").Size} */
function finalSize() {
  const { height, width } = /** @type {Source} */ (source).pixels;
  const size = sized(controls.recipe.size, [height, width]);
  if (Math.max(...size) > LIMIT) {
    const why = SMALL_DEVICE ? "the memory of this device allows" : "this page dreams";
    throw new Error(`A picture of ${size[1]}x${size[0]} is more than ${why}; choose a size up to ${LIMIT}.`);
  }
  return size;
}

async function chooseMask() {
  const input = /** @type {HTMLInputElement} */ (at("maskfile"));
  const file = input.files?.[0];
  input.value = "";
  if (!file) return;
  mask = await opened(file, file.name);
  at("masked").textContent = `${file.name}: white dreams, black stays.`;
}

async function dream() {
  if (busy) return;
  if (!source) {
    told("message", "Choose a photograph first.");
    at("welcome").querySelector("button")?.focus();
    return;
  }
  await guarded(async () => {
    const recipe = { ...controls.recipe, mask: mask ? mask.name || "mask.png" : null };
    const from = /** @type {Source} */ (source);
    stage.original(from.pixels, finalSize());
    at("film").hidden = true;
    at("saving").hidden = true;
    const begun = performance.now();
    const kind = await dreamt({ recipe, source: from.pixels, mask: mask && brightness(mask) });
    if (!kind) return;
    made = { recipe, kind, source: from, mask };
    at("saving").hidden = false;
    at("zoom").hidden = !records();
    status(`Done in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  });
}

/**
 * One dream on the stage; "" where it was stopped.
 * @param {{recipe: any, source: any, mask: any}} job
 * @param {(frame: any) => void} [also]
 */
async function dreamt(job, also = () => {}) {
  const bar = /** @type {HTMLProgressElement} */ (at("bar"));
  bar.value = 0;
  at("progress").hidden = false;
  const frame = (/** @type {any} */ each) => {
    stage.show(each);
    bar.value = (each.index + 1) / each.total;
    status(`Octave ${each.octave + 1} of ${each.octaves}, step ${each.step + 1} of ${each.steps}`);
    also(each);
  };
  while (!engine) await new Promise((resolve) => setTimeout(resolve, 50));
  const planned = (/** @type {number} */ _total, /** @type {string} */ kind) => running(kind);
  const kind = await engine.dream({ setting: setting(), ...job }, { ...hearing, frame, planned });
  if (kind) running(kind);
  return kind;
}

function stop() {
  busy?.abort();
  engine?.stop();
  status("Stopped");
}

async function save() {
  const picture = stage.shown();
  if (!picture || !made) return;
  const weights = manifests.get(made.recipe.network).weights;
  await download(picture, made, weights, { reverie: page.version, page: `${page.runtime} ${made.kind}` });
}

async function film() {
  const first = stage.shown();
  if (!first || !made || !busy) return;
  const { signal } = busy;
  const pictures = await keys(first, made.recipe, async (job, number) => {
    let last = null;
    const kind = await dreamt(job, (frame) => {
      last = frame;
      status(`Zoom film: picture ${number + 1} of ${KEYS}`);
    });
    return kind ? last : null;
  });
  stage.show(first);
  if (!pictures || signal.aborted) return;
  const bar = /** @type {HTMLProgressElement} */ (at("bar"));
  status("Recording the film");
  const blob = await recorded(pictures, (share) => (bar.value = share), signal);
  if (signal.aborted) return;
  const video = /** @type {HTMLVideoElement} */ (at("film"));
  video.src = URL.createObjectURL(blob);
  video.hidden = false;
  offered(blob, "reverie-zoom.webm");
  status("The film is saved");
}

async function copy() {
  const address = `${location.origin}${location.pathname}#${fragment(controls.recipe, page.fields)}`;
  history.replaceState(null, "", address);
  await navigator.clipboard.writeText(address).then(
    () => status("The link is copied"),
    () => status("The link is in the address bar"),
  );
}

/**
 * Do something long, with Stop in the stead of Dream, and tell what goes wrong.
 * @param {() => Promise<unknown>} work
 */
async function guarded(work) {
  busy = new AbortController();
  const mine = busy;
  at("dream").hidden = true;
  at("stop").hidden = false;
  told("message", "");
  try {
    await work();
  } catch (error) {
    told("message", /** @type {Error} */ (error).message);
  } finally {
    if (busy === mine) busy = null;
    at("dream").hidden = busy !== null;
    at("stop").hidden = busy === null;
    at("progress").hidden = busy === null;
  }
}

/** @param {string} text */
function status(text) {
  at("status").textContent = text;
}

start().catch((error) => told("message", `The page could not be started: ${error.message}`));
