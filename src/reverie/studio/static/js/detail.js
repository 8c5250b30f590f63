// One picture or film: to look at, with its settings, and all that one may do with it.

import { button, fill, glyph, h, run, toast } from "./dom.js";
import { engine } from "./engine.js";
import { current, pictureAt } from "./gallery.js";
import { settingsTable } from "./settings.js";
import { known } from "./sources.js";
import { Stage } from "./stage.js";
import { load, useSource } from "./state.js";

/** @param {string[]} address */
export async function open(address) {
  const [, id] = address;
  const found = await engine.ask(`/api/pictures/${id}`).catch(() => null);
  if (!found) {
    return { root: h("div", { class: "plain-page" }, h("h1", {}, "This picture is not in the studio any more"), h("a", { href: "#/gallery" }, "To the gallery")), title: "Picture" };
  }
  const stage = new Stage();
  const source = found.dream?.wish?.source ?? null;
  if (found.kind === "film") {
    const video = h("video", { controls: true, loop: true, autoplay: true, playsinline: true, src: `/api/files/${id}/film`, "aria-label": found.name });
    video.muted = true;
    stage.empty(video);
  } else {
    stage.show({ after: engine.view(id, Math.max(found.width, found.height) > 1600 ? 0 : 1600), before: source ? engine.view(source, 1600) : null, width: found.width, height: found.height, label: found.name });
  }
  const place = [...current.found].find(([, each]) => each.id === id)?.[0] ?? null;

  /** @param {number} step */
  async function go(step) {
    if (place === null) return;
    const next = await pictureAt(place + step);
    if (next) { current.at = place + step; location.hash = `#/picture/${next.id}`; }
  }

  async function remove() {
    const next = place === null ? null : (await pictureAt(place + 1)) ?? (await pictureAt(place - 1));
    await engine.ask("/api/bin", { body: { delete: [id] } });
    if (place !== null) {
      // The selection stays where it was: what came next moves into this place.
      current.found = new Map([...current.found].filter(([at]) => at !== place).map(([at, each]) => [at > place ? at - 1 : at, each]));
      current.total -= 1;
      current.at = Math.min(place, Math.max(0, current.total - 1));
    }
    location.hash = next ? `#/picture/${next.id}` : "#/gallery";
    toast("The picture is in the bin.", { label: "Undo", act: async () => { await engine.ask("/api/bin", { body: { restore: [id] } }); current.found = new Map(); current.search = {}; location.hash = `#/picture/${id}`; } });
  }

  const table = found.dream ? settingsTable(found.dream, true) : null;
  const copied = (/** @type {string} */ text, /** @type {string} */ what) => button(`Copy ${what}`, async () => { await copy(text); toast(`The ${what} is copied.`); }, { class: "tiny", icon: "copy" });
  const side = h("div", { class: "scroll" },
    h("div", {}, h("h1", { style: "overflow-wrap:anywhere;font-size:16px" }, found.name),
      h("p", { class: "small soft numbers" }, `${found.width ? `${found.width} × ${found.height} · ` : ""}${(found.bytes / 1e6).toFixed(1)} MB · ${new Date(found.created * 1000).toLocaleString()}`)),
    notes(found), table ? h("section", { "aria-label": "Settings" }, h("div", { class: "head" }, h("h2", {}, "Settings")), table.root, found.dream.notes.map((/** @type {string} */ note) => h("p", { class: "small soft" }, note)),
      h("div", { class: "row", style: "margin-top:10px" },
        button("Load all", async () => { load(found.dream); if (source) useSource(await known(source)); loaded(found); }, { class: "tiny", disabled: !found.dream.wish, "data-act": "load-all" }),
        button("Load what is ticked", () => { load(found.dream, table.chosen()); loaded(found); }, { class: "tiny", disabled: !found.dream.wish }))) : h("p", { class: "soft" }, "This file carries no settings of Reverie."),
    found.command ? h("details", {}, h("summary", {}, "Command line and Python"), h("div", { class: "stack" }, h("pre", { class: "command", tabindex: 0 }, found.command), h("div", { class: "row" }, copied(found.command, "command line"), found.python ? copied(found.python, "Python") : null), found.python ? h("pre", { tabindex: 0 }, found.python) : null)) : null,
    h("div", { class: "row" }, found.kind === "picture" ? button("Dream further", async () => { useSource(await known(id)); location.hash = "#/dream"; }, { class: "tiny" }) : null,
      h("a", { class: "button tiny", href: `/api/files/${id}/download`, download: "" }, glyph("save"), "Download"),
      found.kind === "picture" ? h("a", { class: "button tiny", href: `/api/files/${id}/download?metadata=0`, download: "" }, "Without settings") : null),
    h("div", { class: "row" }, button("Into the bin", remove, { icon: "bin", class: "tiny", "data-act": "delete" })));
  const root = h("div", { class: "bench" }, h("div", { class: "left" }, stage.root),
    h("aside", { class: "panel", "aria-label": "About this picture" }, side,
      h("div", { class: "foot" }, h("a", { class: "button", href: "#/gallery" }, "Gallery"), h("span", { class: "grow" }), place === null ? null : button("The picture before", () => go(-1), { icon: "left", bare: true }), place === null ? null : button("The next picture", () => go(1), { icon: "right", bare: true }))));
  return {
    root, title: found.name,
    key: (/** @type {string} */ key) => {
      if (key === "ArrowLeft" || key === "ArrowRight") void run(() => go(key === "ArrowRight" ? 1 : -1));
      else if (key === "Delete") void run(remove);
      else if (key === "Escape") location.hash = "#/gallery";
      else return stage.key(key);
      return true;
    },
    leave: () => stage.watcher.disconnect(),
  };
}

/** @param {any} found */
function loaded(found) {
  const film = found.dream.wish.kind !== "dream";
  location.hash = film ? "#/film" : "#/dream";
  toast("The settings are loaded. Ctrl Z takes that back.");
}

/** Rating, tags, collections. @param {any} found */
function notes(found) {
  const write = (/** @type {any} */ values) => engine.ask(`/api/pictures/${found.id}`, { method: "PATCH", body: values });
  const stars = h("div", { class: "stars", role: "group", "aria-label": "Rating" });
  const draw = () => fill(stars, [1, 2, 3, 4, 5].map((each) => button(`${each} of 5`, async () => { found.rating = found.rating === each ? 0 : each; await write({ rating: found.rating }); draw(); }, { icon: "star", bare: true, class: each <= found.rating ? "full" : "", "aria-pressed": String(found.rating === each) })));
  draw();
  const field = (/** @type {string} */ name, /** @type {string} */ label) => {
    const input = h("input", { type: "text", value: found[name].join(", "), placeholder: label, "aria-label": label, onchange: () => run(async () => { const values = input.value.split(",").map((/** @type {string} */ each) => each.trim()).filter(Boolean); await write({ [name]: values }); toast("Noted."); }) });
    return input;
  };
  return h("section", { class: "stack", "aria-label": "Notes" }, stars, field("tags", "Tags, separated by commas"), field("collections", "Collections, separated by commas"));
}

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard?.writeText) { await navigator.clipboard.writeText(text); return; }
  const area = h("textarea", { style: "position:fixed;opacity:0" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
