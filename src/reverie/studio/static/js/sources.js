// What is dreamt into: dropped, pasted, chosen or photographed pictures; turned and cropped; or noise.

import { button, dialog, fill, h, run, shown as text, toast } from "./dom.js";
import { engine } from "./engine.js";
import { load, useSource, wish } from "./state.js";
import { settingsTable } from "./settings.js";

const CLIP = /\.(mp4|webm|mov|mkv)$/i;

/** Take files that were dropped, pasted or chosen. @param {File[]} files */
export async function received(files) {
  if (!files.length) return;
  if (files.length > 1) {
    const { folder } = await import("./many.js");
    await folder(files);
    return;
  }
  const file = files[0];
  if (CLIP.test(file.name)) {
    const clip = await engine.upload(file, "clip", file.name);
    const { useClip } = await import("./film.js");
    useClip(clip);
    location.hash = "#/film";
    return;
  }
  const asset = await engine.upload(file, "source", file.name || "pasted.png");
  for (const note of asset.notes ?? []) toast(note);
  if (asset.dream?.rows) ofDream(asset);
  else use(asset);
}

/** @param {any} asset */
function use(asset) {
  useSource(asset);
  const here = location.hash.split("/")[1];
  if (!["dream", "film", "visualize", ""].includes(here ?? "")) location.hash = "#/dream";
}

/** A dream was dropped: its settings can be seen, and some or all of them taken over. @param {any} asset */
function ofDream(asset) {
  const { dream } = asset;
  const table = settingsTable(dream, true);
  const close = dialog("This picture was dreamt by Reverie", [
    h("div", { class: "row", style: "align-items:flex-start" },
      h("img", { src: engine.view(asset.id, 480), alt: "The dropped picture", style: "width:190px;border-radius:10px" }),
      h("p", { class: "grow soft" }, "Its settings are in the file. Nothing of yours has changed yet.")),
    table.root,
    dream.notes.map((/** @type {string} */ note) => h("p", { class: "small soft" }, note)),
  ], [
    button("Dream into the picture itself", () => { close(); use(asset); }),
    button("Load what is ticked", () => { close(); load(dream, table.chosen()); done(); }, { disabled: !dream.wish }),
    button("Load all, with its source", async () => {
      close();
      load(dream);
      if (dream.wish.source) useSource(await known(dream.wish.source));
      done();
    }, { class: "primary", disabled: !dream.wish }),
  ]);
}

function done() {
  toast("The settings are loaded. Ctrl Z takes that back.");
  location.hash = "#/dream";
}

/** A source or a picture by its id. @param {string} id @returns {Promise<any>} */
export function known(id) {
  return engine.ask(`/api/files/${id}`);
}

/** Let people choose a file. @param {string} accept @param {boolean} [many] @returns {Promise<File[]>} */
export function pick(accept, many = false) {
  return new Promise((resolve) => {
    const input = h("input", { type: "file", accept, multiple: many, hidden: true, onchange: () => { resolve([...(input.files ?? [])]); input.remove(); } });
    input.addEventListener("cancel", () => { resolve([]); input.remove(); });
    document.body.append(input);
    input.click();
  });
}

/** The row that shows the source and what can be done to it. */
export function sourceRow() {
  const root = h("section", { class: "stack", "aria-label": "Source" });
  const update = () => {
    const { shown } = wish;
    const tools = h("div", { class: "row" },
      button(shown ? "Other picture" : "Choose a picture", async () => received(await pick("image/*")), { class: "tiny", icon: "folder" }),
      button("Camera", photograph, { class: "tiny", icon: "camera" }),
      shown ? button("Turn", () => edited({ turns: 1 }), { class: "tiny", icon: "turn" }) : null,
      shown ? button("Crop", crop, { class: "tiny", icon: "crop" }) : null,
      shown ? button("Noise", () => useSource(null), { class: "tiny" }) : null);
    fill(root, h("div", { class: "source" },
      shown ? h("img", { class: "shot", src: engine.view(shown.id, 480), alt: "" }) : h("div", { class: "shot" }),
      h("div", { class: "grow" }, h("p", { class: "title" }, shown ? shown.title : "Noise"),
        h("p", { class: "small soft numbers" }, shown ? `${shown.width} × ${shown.height}` : "no picture: dreams out of nothing"))), tools);
  };
  update();
  return { root, update };
}

/** @param {any} how */
async function edited(how) {
  if (!wish.shown) return;
  const title = wish.shown.title;
  const asset = await engine.ask(`/api/files/${wish.shown.id}/edit`, { body: how });
  useSource({ ...asset, title });
  toast("A new picture; the old one is kept.", { label: "Undo", act: () => import("./state.js").then((state) => state.undo()) });
}

function crop() {
  const { shown } = wish;
  if (!shown) return;
  const part = { x: 0.1, y: 0.1, w: 0.8, h: 0.8 };
  const frame = h("div", { class: "crop", tabindex: 0, role: "application", "aria-label": "The part to keep: arrows move it, with Shift they resize it" }, h("i"));
  const board = h("div", { style: "position:relative;overflow:hidden;border-radius:8px;touch-action:none" },
    h("img", { src: engine.view(shown.id, 1600), alt: text(shown.title), style: "width:100%;height:auto" }), frame);
  const words = h("span", { class: "grow small soft numbers" });
  const paint = () => {
    Object.assign(frame.style, { left: `${part.x * 100}%`, top: `${part.y * 100}%`, width: `${part.w * 100}%`, height: `${part.h * 100}%` });
    words.textContent = `${Math.round(part.w * shown.width)} × ${Math.round(part.h * shown.height)}`;
  };
  const keep = () => {
    part.w = Math.max(0.03, Math.min(1, part.w)); part.h = Math.max(0.03, Math.min(1, part.h));
    part.x = Math.max(0, Math.min(1 - part.w, part.x)); part.y = Math.max(0, Math.min(1 - part.h, part.y));
    paint();
  };
  let from = /** @type {any} */ (null);
  frame.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    frame.setPointerCapture(event.pointerId);
    from = { x: event.clientX, y: event.clientY, size: /** @type {Element} */ (event.target) !== frame, part: { ...part } };
  });
  frame.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!from) return;
    const box = board.getBoundingClientRect();
    const dx = (event.clientX - from.x) / box.width, dy = (event.clientY - from.y) / box.height;
    if (from.size) { part.w = Math.min(1 - part.x, from.part.w + dx); part.h = Math.min(1 - part.y, from.part.h + dy); }
    else { part.x = from.part.x + dx; part.y = from.part.y + dy; }
    keep();
  });
  frame.addEventListener("pointerup", () => { from = null; });
  frame.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    if (event.shiftKey) { part.w += move[0] * 0.02; part.h += move[1] * 0.02; }
    else { part.x += move[0] * 0.02; part.y += move[1] * 0.02; }
    keep();
  });
  paint();
  const close = dialog("Crop", [board], [words, button("Keep this part", () => { close(); return edited({ crop: [part.x, part.y, part.w, part.h] }); }, { class: "primary" })]);
}

async function photograph() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error("This browser gives no camera to this page.");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch {
    throw new Error("The camera cannot be used: it is absent, in use, or not allowed for this page.");
  }
  const video = h("video", { autoplay: true, playsinline: true, style: "width:100%;border-radius:10px;background:#000" });
  video.muted = true;
  video.srcObject = stream;
  const close = dialog("Camera", [video], [button("Take the picture", () => run(async () => {
    const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    close();
    await received([new File([/** @type {Blob} */ (blob)], "camera.png", { type: "image/png" })]);
  }), { class: "primary" })], { narrow: true, onclose: () => stream.getTracks().forEach((track) => track.stop()) });
}
