// The gallery: a wall of thumbnails of which only those in sight exist, so that 25,000 are as quick as 25.

import { button, fill, h, run, settled, toast } from "./dom.js";
import { engine } from "./engine.js";
import { choice, choose } from "./state.js";

const PAGE = 60;
const GAP = 10;

/** What the gallery shows now; the page of one picture goes on through it. */
export const current = { /** @type {any} */ search: {}, total: 0, /** @type {Map<number, any>} */ found: new Map(), at: 0 };

/** The picture at that place, fetched with its page. @param {number} place @returns {Promise<any>} */
export async function pictureAt(place) {
  if (place < 0 || place >= current.total) return null;
  if (!current.found.has(place)) await page(Math.floor(place / PAGE));
  return current.found.get(place) ?? null;
}

/** @param {number} number */
async function page(number) {
  const { search } = current;
  const query = new URLSearchParams({ ...search, offset: String(number * PAGE), limit: String(PAGE) });
  const found = await engine.ask(`/api/pictures?${query}`);
  if (search !== current.search) return found;
  current.total = found.total;
  found.pictures.forEach((/** @type {any} */ each, /** @type {number} */ at) => current.found.set(number * PAGE + at, each));
  return found;
}

export async function open() {
  const wall = h("div", { class: "wall", role: "listbox", "aria-label": "Pictures", "aria-multiselectable": "true", tabindex: 0 });
  const words = h("input", { type: "search", placeholder: "Search: owl, stage3, cat, a tag …", "aria-label": "Search the gallery" });
  const count = h("span", { class: "soft numbers small" });
  const chosen = new Set();
  const bar = h("div", { class: "row", hidden: true }), nothing = h("p", { class: "soft", hidden: true });
  const root = h("div", { class: "gallery" }, h("h1", { class: "unseen" }, "Gallery"), h("div", { class: "filters" }), bar, nothing, wall);
  /** @type {Map<number, any>} */
  const cells = new Map();
  const asking = new Set();
  let columns = 4, side = 200, bin = false;
  const select = (/** @type {string} */ name, /** @type {string} */ label, /** @type {[string, string][]} */ options) => {
    const made = h("select", { "aria-label": label, onchange: () => begin() }, options.map(([value, text]) => h("option", { value }, text)));
    made.dataset.name = name;
    return made;
  };
  const facets = await engine.ask("/api/facets");
  const of = (/** @type {string} */ any, /** @type {string[]} */ values) => /** @type {[string, string][]} */ ([["", any], ...values.map((each) => [each, each])]);
  const since = h("input", { type: "date", "aria-label": "From this day on", "data-name": "since", onchange: () => begin() });
  const until = h("input", { type: "date", "aria-label": "Up to this day", "data-name": "until", onchange: () => begin() });
  const filters = [select("preset", "Preset", of("any preset", facets.preset)), select("network", "Network", of("any network", facets.network)),
    select("kind", "Kind", [["", "pictures and films"], ["picture", "pictures"], ["film", "films"]]), select("tags", "Tag", of("any tag", facets.tags)),
    select("collections", "Collection", of("any collection", facets.collections)), select("rating", "Rating", [["", "any rating"], ...[1, 2, 3, 4, 5].map((each) => /** @type {[string, string]} */ ([String(each), `${"★".repeat(each)} and up`]))]),
    select("side", "Size", [["", "any size"], ["1000", "1000 px and up"], ["2000", "2000 px and up"]]), since, until,
    select("order", "Order", [["newest", "newest first"], ["oldest", "oldest first"], ["rating", "best first"], ["size", "largest file first"]])];
  const binButton = button("Bin", () => { bin = !bin; binButton.setAttribute("aria-pressed", String(bin)); begin(); }, { icon: "bin", "aria-pressed": "false" });
  const closer = button("Smaller or larger thumbnails", () => { choose("thumbs", ({ 160: 220, 220: 320, 320: 160 })[/** @type {160} */ (choice("thumbs", 220))] ?? 220); layout(); }, { icon: "grid", bare: true });
  const filterBar = /** @type {Element} */ (root.querySelector(".filters"));
  const narrow = button("Filters", () => narrow.setAttribute("aria-expanded", String(filterBar.classList.toggle("open"))), { class: "narrow", "aria-expanded": "false" });
  fill(filterBar, words, narrow, h("div", { class: "choices" }, filters), binButton, closer, count);
  words.addEventListener("input", settled(() => begin(), 160));

  async function begin() {
    /** @type {Record<string, string>} */
    const search = { words: words.value };
    for (const each of filters) {
      const { name } = each.dataset;
      if (!each.value || !name) continue;
      if (name === "since" || name === "until") search[name] = String(new Date(`${each.value}T00:00`).getTime() / 1000 + (name === "until" ? 86400 : 0));
      else search[name] = each.value;
    }
    if (bin) search.bin = "1";
    current.search = search;
    current.found = new Map();
    await again();
  }

  async function again() {
    current.found.clear();
    cells.forEach((each) => each.remove());
    cells.clear();
    asking.clear();
    const found = await page(0);
    count.textContent = found.indexing ? `${current.total} (${found.indexing} still to read)` : `${current.total} ${current.total === 1 ? "picture" : "pictures"}`;
    nothing.hidden = current.total > 0;
    nothing.textContent = bin ? "The bin is empty." : words.value ? "Nothing fits." : "What you dream appears here.";
    current.at = Math.min(current.at, Math.max(0, current.total - 1));
    layout();
    tools();
  }

  function layout() {
    const wide = wall.clientWidth || root.clientWidth - 40;
    columns = Math.max(2, Math.round(wide / choice("thumbs", 220)));
    side = (wide - GAP * (columns - 1)) / columns;
    wall.style.height = current.total ? `${Math.ceil(current.total / columns) * (side + GAP)}px` : "auto";
    cells.forEach((each) => each.remove());
    cells.clear();
    draw();
  }

  function draw() {
    if (!current.total) return;
    const top = wall.getBoundingClientRect().top, row = side + GAP;
    const first = Math.max(0, Math.floor(-top / row) - 2), last = Math.ceil((window.innerHeight - top) / row) + 2;
    const from = first * columns, to = Math.min(current.total, last * columns);
    for (const [place, cell] of cells) if (place < from || place >= to) { cell.remove(); cells.delete(place); }
    let added = false;
    for (let place = from; place < to; place++) {
      const picture = current.found.get(place);
      if (!picture) {
        const number = Math.floor(place / PAGE);
        if (!asking.has(number)) { asking.add(number); void run(async () => { await page(number); draw(); }); }
      } else if (!cells.has(place)) {
        const cell = make(place, picture);
        cells.set(place, cell);
        added = true;
      }
    }
    // In the order in which they are seen, for those who go through them one by one.
    if (added) wall.append(...[...cells].sort(([one], [other]) => one - other).map(([, cell]) => cell));
    mark();
  }

  /** @param {number} place @param {any} picture */
  function make(place, picture) {
    const style = `left:${(place % columns) * (side + GAP)}px;top:${Math.floor(place / columns) * (side + GAP)}px;width:${side}px;height:${side}px`;
    return h("a", { href: `#/picture/${picture.id}`, role: "option", style, tabindex: -1, id: `picture-${place}`, "data-id": picture.id, "aria-label": `${picture.name}${picture.kind === "film" ? ", film" : ""}${picture.rating ? `, ${picture.rating} stars` : ""}`, "aria-setsize": current.total, "aria-posinset": place + 1,
      onclick: (/** @type {MouseEvent} */ event) => { current.at = place; if (event.ctrlKey || event.metaKey || event.shiftKey) { event.preventDefault(); toggle(picture.id); } } },
    h("img", { src: engine.view(picture.id, 480), alt: "", loading: "lazy", decoding: "async" }), picture.kind === "film" ? h("span", { class: "tag" }, "film") : picture.rating ? h("span", { class: "tag" }, "★".repeat(picture.rating)) : null);
  }

  /** @param {string} id */
  function toggle(id) {
    if (chosen.has(id)) chosen.delete(id); else chosen.add(id);
    mark();
    tools();
  }

  function mark() {
    for (const [place, cell] of cells) {
      cell.classList.toggle("chosen", chosen.has(cell.dataset.id));
      cell.setAttribute("aria-selected", String(place === current.at && document.activeElement === wall));
    }
    wall.setAttribute("aria-activedescendant", `picture-${current.at}`);
  }

  function tools() {
    bar.hidden = !chosen.size && !bin;
    const ids = () => [...chosen];
    fill(bar, bin ? [h("span", { class: "grow soft" }, "What lies in the bin can be put back, until it is emptied."), chosen.size ? button(`Put ${chosen.size} back`, () => restore(ids()), { class: "primary" }) : null,
      button("Put all back", async () => { const all = await engine.ask("/api/pictures?bin=1&limit=200"); await restore(all.pictures.map((/** @type {any} */ each) => each.id)); }),
      button("Empty the bin", async () => { if (confirm("Delete what lies in the bin for good?")) { await engine.ask("/api/bin", { body: { empty: true } }); await again(); } })]
      : [h("span", { class: "grow soft" }, `${chosen.size} chosen`), chosen.size === 2 ? button("Compare", () => { location.hash = `#/compare/${ids().join("/")}`; }, { icon: "compare", class: "primary" }) : null,
        button("Choose none", () => { chosen.clear(); mark(); tools(); }), button("Into the bin", () => remove(ids()), { icon: "bin" })]);
  }

  /** @param {string[]} ids */
  async function restore(ids) {
    await engine.ask("/api/bin", { body: { restore: ids } });
    chosen.clear();
    await again();
  }

  /** @param {string[]} ids */
  async function remove(ids) {
    const { done } = await engine.ask("/api/bin", { body: { delete: ids } });
    chosen.clear();
    await again();
    toast(`${done.length} ${done.length === 1 ? "picture is" : "pictures are"} in the bin.`, { label: "Undo", act: () => restore(done) });
  }

  /** @param {string} key */
  function keyed(key) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -current.at, End: current.total });
    const picture = current.found.get(current.at);
    if (key in steps) {
      current.at = Math.max(0, Math.min(current.total - 1, current.at + steps[key]));
      wall.focus({ preventScroll: true });
      const y = wall.getBoundingClientRect().top + window.scrollY + Math.floor(current.at / columns) * (side + GAP);
      if (y < window.scrollY + 70 || y + side > window.scrollY + window.innerHeight) window.scrollTo({ top: y - window.innerHeight / 3 });
      draw();
    } else if (key === "/") words.focus();
    else if (!picture) return false;
    else if (key === "Enter") location.hash = `#/picture/${picture.id}`;
    else if (key === "x" || key === " ") toggle(picture.id);
    else if (key === "Delete" || key === "Backspace") void run(() => (bin ? restore([picture.id]) : remove(chosen.size ? /** @type {string[]} */ ([...chosen]) : [picture.id])));
    else if (/^[0-5]$/.test(key)) void run(async () => { await engine.ask(`/api/pictures/${picture.id}`, { method: "PATCH", body: { rating: Number(key) } }); picture.rating = Number(key); cells.get(current.at)?.remove(); cells.delete(current.at); draw(); });
    else return false;
    return true;
  }

  const refresh = settled(() => { if (root.isConnected) void run(again); }, 400);
  const scrolled = () => draw();
  const watcher = new ResizeObserver(settled(() => { if (root.isConnected) layout(); }, 80));
  window.addEventListener("scroll", scrolled, { passive: true });
  wall.addEventListener("focus", mark);
  await begin();
  watcher.observe(root);
  return {
    root, title: "Gallery", key: keyed,
    told: (/** @type {any} */ told) => { if (["picture", "gallery", "reset"].includes(told.type)) refresh(); },
    leave: () => { window.removeEventListener("scroll", scrolled); watcher.disconnect(); },
  };
}
