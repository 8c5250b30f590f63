// The page: what happens when.

import { planned, sized } from "../dream/plan.js";
import { Engine } from "../engine/client.js";
import { checked, completed } from "../recipe/check.js";
import { fragment, linked } from "../recipe/link.js";
import { recipeIn } from "../recipe/record.js";
import { Controls } from "./controls.js";
import { guarded, underway } from "./busy.js";
import { at, offered, status, told } from "./dom.js";
import { KEYS, keys, recorded, records } from "./film.js";
import { Networks } from "./networks.js";
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
/** @type {Networks} */
let networks;

async function start() {
  const address = new URL("data/page.json", document.baseURI);
  page = await fetch(address).then((answer) => answer.json());
  networks = new Networks(page);
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
    controls.take(networks.onPage(linked(location.hash, page.fields, page.presets)));
    told("message", "");
    void know();
    shape();
  } catch (error) {
    told("message", /** @type {Error} */ (error).message);
  }
}

/** What is to be done when the recipe was changed by hand. */
function changed() {
  history.replaceState(null, "", `#${fragment(controls.recipe, page.fields)}`);
  void know().then(() => told("message", fault()));
  if (!underway() && !made) shape();
}

/** What is wrong with the recipe, "" where nothing is: said before any work. */
function fault() {
  try {
    if (controls.manifest) planned(controls.recipe, controls.manifest, [256, 256]);
    return "";
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

/** The classes and layers of the recipe's network, into the form. */
async function know() {
  const manifest = await networks.manifest(controls.recipe.network);
  if (controls.manifest !== manifest) controls.know(manifest);
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
    const kind = await engine.load(networks.setting(controls.recipe.network), hearing);
    if (kind) running(kind);
    if (kind && !underway()) status(source ? "Ready" : "");
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
  if (underway()) stop();
  await guarded(async () => {
    const found = await opened(file, name);
    const text = found.record ? recipeIn(found.record) : null;
    source = found;
    made = null;
    told("note", found.shrunken ? "The photograph was made smaller to fit this device's memory." : "");
    if (text) {
      controls.take(networks.onPage(checked({ ...completed(text, page.fields), mask: null }, page.fields)));
      told("note", "The picture was dreamt by Reverie; its settings are taken. Its own source is not inside.");
    }
    at("saving").hidden = true;
    at("film").hidden = true;
    shape();
    status("Ready");
    told("message", fault());
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
  if (underway()) return;
  if (!source) {
    told("message", "Choose a photograph first.");
    at("welcome").querySelector("button")?.focus();
    return;
  }
  await guarded(async () => {
    const recipe = { ...controls.recipe, mask: mask ? mask.name || "mask.png" : null };
    const from = /** @type {Source} */ (source);
    await know();
    planned(recipe, controls.manifest, [from.pixels.height, from.pixels.width]);
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
  const kind = await engine.dream(
    { setting: networks.setting(job.recipe.network), ...job },
    { ...hearing, frame, planned },
  );
  if (kind) running(kind);
  return kind;
}

function stop() {
  underway()?.abort();
  engine?.stop();
  status("Stopped");
}

async function save() {
  const picture = stage.shown();
  if (!picture || !made) return;
  const { weights } = await networks.manifest(made.recipe.network);
  await download(picture, made, weights, { reverie: page.version, page: `${page.runtime} ${made.kind}` });
}

async function film() {
  const first = stage.shown();
  const signal = underway()?.signal;
  if (!first || !made || !signal) return;
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

start().catch((error) => told("message", `The page could not be started: ${error.message}`));
