// The beginning: the bar on top, the pages by their addresses, what is dropped anywhere, keys, and events.

import { button, fill, glyph, h, run, say, toast, wrong } from "./dom.js";
import { engine, Previews } from "./engine.js";
import { showKeys } from "./keys.js";
import { finished } from "./notify.js";
import { QueueDrawer } from "./queue.js";
import { received } from "./sources.js";
import { undo, world } from "./state.js";

/** @typedef {{root: Element, told?: (told: any) => void, key?: (key: string, event: KeyboardEvent) => boolean, leave?: () => void, title: string}} Page */

/** @type {Record<string, {label?: string, load: () => Promise<{open: (rest: string[]) => Page | Promise<Page>}>}>} */
const PAGES = {
  dream: { label: "Dream", load: () => import("./dream.js") },
  job: { load: () => import("./dream.js") },
  film: { label: "Film", load: () => import("./film.js") },
  visualize: { label: "Visualize", load: () => import("./visualize.js") },
  gallery: { label: "Gallery", load: () => import("./gallery.js") },
  picture: { load: () => import("./detail.js") },
  compare: { load: () => import("./compare.js") },
  group: { load: () => import("./group.js") },
  networks: { label: "Networks", load: () => import("./networks.js") },
};
const HOME = { job: "dream", picture: "gallery", compare: "gallery", group: "gallery" };

/** @type {Page | null} */
let page = null;
let turn = 0;
const queue = new QueueDrawer();
const count = h("span", { class: "count", hidden: true });
const line = h("div", { class: "line" });

function bar() {
  const links = Object.entries(PAGES).filter(([, each]) => each.label)
    .map(([name, each]) => h("a", { href: `#/${name}`, "data-page": name }, each.label));
  const top = document.getElementById("top");
  if (!top) return;
  const open = button("Queue", () => queue.toggle(), { icon: "list", bare: true, class: "plain", id: "queue-button", "aria-expanded": "false" });
  open.classList.remove("icon");
  open.append(h("span", { class: "word" }, "Queue"), count);
  fill(top, h("a", { class: "name", href: "#/dream", "aria-label": "Reverie" }, h("img", { src: "/static/icon.svg", alt: "", width: 24, height: 24 }), h("span", {}, "Reverie")),
    h("nav", { "aria-label": "Pages" }, links), open,
    button("Keys and help", showKeys, { icon: "help", bare: true, class: "plain" }), line);
}

async function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const known = name in PAGES ? name : "dream";
  const mine = ++turn;
  const { open } = await PAGES[known].load();
  if (mine !== turn) return;
  page?.leave?.();
  page = null;
  const next = await open(known === name ? [known, ...rest] : ["dream"]);
  if (mine !== turn) { next.leave?.(); return; }
  page = next;
  const main = document.getElementById("main");
  if (main) fill(main, next.root);
  document.querySelectorAll("#top nav a").forEach((each) => {
    const here = /** @type {HTMLElement} */ (each).dataset.page === (/** @type {any} */ (HOME)[known] ?? known);
    if (here) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  });
  world.title = next.title;
  title();
}

function title() {
  const open = [...world.jobs.values()].filter((job) => ["queued", "running", "interrupted"].includes(job.state));
  count.hidden = !open.length;
  count.textContent = String(open.length);
  count.setAttribute("aria-label", `${open.length} waiting`);
  if (!document.hidden) world.news = "";
  if (world.news) { document.title = world.news; return; }
  const running = open.find((job) => job.state === "running");
  const share = running?.progress?.total ? (running.progress.index + 1) / running.progress.total : 0;
  line.style.transform = `scaleX(${running ? share : 0})`;
  document.title = running && !document.hidden ? `${Math.round(share * 100)} % · ${world.title} · Reverie` : `${world.title ?? ""} · Reverie`;
}

let percent = -1;

/** @param {any} told */
function take(told) {
  if (told.type === "job") {
    const before = world.jobs.get(told.job.id);
    world.jobs.set(told.job.id, told.job);
    if (before && before.state !== told.job.state && ["done", "failed"].includes(told.job.state)) finished(told.job);
    title();
  } else if (told.type === "step") {
    const job = world.jobs.get(told.job);
    if (job) job.progress = told;
    const now = Math.floor(((told.index + 1) / told.total) * 100);
    if (now !== percent) { percent = now; title(); }  // not faster: a title that flickers is a nuisance
  } else if (told.type === "preview") Previews.told(told);
  else if (told.type === "presets") void engine.ask("/api/presets").then((found) => { world.presets = found.presets; page?.told?.(told); });
  else if (told.type === "queue") world.paused = told.paused;
  else if (told.type === "reset") void begin(false);
  else if (told.type === "offline") { world.offline = true; setTimeout(() => world.offline && say("The studio does not answer; trying again."), 3000); }
  else if (told.type === "hello" && world.offline) { world.offline = false; }
  queue.told(told);
  page?.told?.(told);
}

/** @param {boolean} first */
async function begin(first) {
  const found = await engine.hello();
  Object.assign(world, found, { jobs: new Map(found.jobs.map((/** @type {any} */ job) => [job.id, job])) });
  queue.told({ type: "all" });
  if (first) {
    bar();
    engine.events(take);
    window.addEventListener("hashchange", () => void run(route));
  }
  await route();
}

function listen() {
  let depth = 0;
  const files = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => { if (files(event)) { depth++; document.body.classList.add("dropping"); } });
  document.addEventListener("dragleave", () => { if (--depth <= 0) { depth = 0; document.body.classList.remove("dropping"); } });
  document.addEventListener("dragover", (event) => { if (files(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dropping");
    void run(() => received([...(event.dataTransfer?.files ?? [])]));
  });
  document.addEventListener("paste", (event) => {
    const given = [...(event.clipboardData?.files ?? [])];
    if (given.length) { event.preventDefault(); void run(() => received(given)); }
  });
  document.addEventListener("keydown", (event) => {
    const on = /** @type {HTMLElement} */ (event.target);
    const typing = on.matches("input:not([type=range]):not([type=checkbox]), textarea, select");
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) {
      if (undo()) { event.preventDefault(); toast("The last change is taken back."); }
      return;
    }
    if (event.key === "Escape" && queue.open) { queue.toggle(); return; }
    if (typing || event.altKey || document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key !== "Enter") return;
    if (event.key === "?") showKeys();
    else if (event.key === "q") queue.toggle();
    else if (event.key === "g") location.hash = "#/gallery";
    else if (event.key === "d") location.hash = "#/dream";
    else if (!page?.key?.(event.key, event)) return;
    event.preventDefault();
  });
  document.addEventListener("visibilitychange", title);
}

listen();
begin(true).catch((error) => {
  wrong(error);
  const main = document.getElementById("main");
  if (main) fill(main, h("div", { class: "plain-page" }, h("h1", {}, "The studio does not answer"),
    h("p", { class: "soft" }, String(error.message ?? error)), button("Try again", () => location.reload(), { class: "primary" }), glyph("again")));
});
