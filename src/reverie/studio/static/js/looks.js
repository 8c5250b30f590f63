// Presets as cards that show what each does to this very picture.

import { awaited, button, dialog, fill, h, toast } from "./dom.js";
import { engine, Previews } from "./engine.js";
import { asked, choosePreset, undo, wish, world } from "./state.js";

const FEW = 6;

export function looks() {
  const previews = new Previews("looks");
  const cards = h("div", { class: "cards", role: "group", "aria-label": "Presets" });
  let all = false;
  let shownFor = "";
  const all_ = button("Show all", () => { all = !all; all_.textContent = all ? "Show fewer" : "Show all"; draw(); }, { class: "tiny plain" });
  const root = h("section", { "aria-label": "Look" }, h("div", { class: "head" }, h("h2", {}, "Look"), all_), cards);
  /** @type {IntersectionObserver} */
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) /** @type {any} */ (entry.target).seen = entry.isIntersecting;
    ask();
  }, { rootMargin: "120px" });

  function draw() {
    seen.disconnect();
    const usable = world.presets.filter((/** @type {any} */ each) => each.ready || all);
    const some = all ? usable : usable.slice(0, FEW);
    const chosen = world.presets.find((/** @type {any} */ each) => each.name === wish.preset);
    if (chosen && !some.includes(chosen)) some.splice(FEW - 1, 1, chosen);
    fill(cards, some.map((/** @type {any} */ look) => card(look)));
    for (const each of cards.children) seen.observe(each);
    shownFor = "";
    ask();
  }

  /** @param {any} look */
  function card(look) {
    const shot = awaited(160, 120);
    const made = h("button", { type: "button", class: "card", "aria-pressed": String(wish.preset === look.name), title: look.about, disabled: !look.ready,
      onclick: () => choose(look) }, shot, h("span", { class: "label" }, look.title), look.own ? h("span", { class: "mark" }, "own") : null,
    look.ready ? null : h("span", { class: "mark" }, look.network));
    made.look = look;
    made.shot = shot;
    if (!look.ready) shot.show(null);
    return made;
  }

  /** @param {any} look */
  function choose(look) {
    const name = wish.preset === look.name ? null : look.name;
    const replaced = choosePreset(name);
    if (replaced) toast(`${look.title}: ${replaced} of your settings gave way.`, { label: "Undo", act: undo });
  }

  function ask() {
    const whose = `${wish.source} ${wish.settings.network ?? ""}`;
    const wanted = [...cards.children].filter((/** @type {any} */ each) => each.seen && each.look.ready && each.shownFor !== whose);
    const mark = `${whose} ${wanted.map((/** @type {any} */ each) => each.look.name).join()}`;
    if (mark === shownFor) return;
    shownFor = mark;
    const network = (/** @type {any} */ look) => (wish.settings.network && !look.network ? { network: wish.settings.network } : {});
    void previews.want(wanted.map((/** @type {any} */ each) => ({
      wish: asked({ preset: each.look.name, settings: network(each.look), mask: null, guides: [] }), side: 160, patient: true,
      show: (/** @type {string | null} */ url, /** @type {string | null} */ error, /** @type {boolean} */ partial) => {
        if (partial) return;
        each.shot.show(url);
        each.shownFor = whose;
        if (!url) each.title = error ?? "";
      },
    }))).catch(() => { shownFor = ""; });
  }

  let before = "";
  const update = () => {
    const now = JSON.stringify([world.presets.length, world.presets.map((/** @type {any} */ each) => each.name).join()]);
    if (now !== before) { before = now; draw(); }
    for (const each of /** @type {any} */ (cards.children)) each.setAttribute("aria-pressed", String(wish.preset === each.look.name));
    ask();
  };
  update();
  return { root, update, leave: () => { previews.stop(); seen.disconnect(); } };
}

/** Save what is set as a preset of one's own. */
export function savePreset() {
  const name = h("input", { type: "text", maxlength: 60, placeholder: "Name", "aria-label": "Name of the preset", autofocus: true });
  const about = h("input", { type: "text", maxlength: 200, placeholder: "What it does (may stay empty)", "aria-label": "What it does" });
  const own = world.presets.filter((/** @type {any} */ each) => each.own);
  const list = own.length ? h("div", { class: "stack" }, h("h3", {}, "Own presets"), own.map((/** @type {any} */ each) => h("div", { class: "row" }, h("span", { class: "grow" }, each.title),
    button(`Remove ${each.title}`, async () => {
      await engine.ask(`/api/presets/${each.name}`, { method: "DELETE" });
      close();
      toast(`${each.title} is removed.`, { label: "Undo", act: () => engine.ask("/api/presets", { method: "PUT", body: { title: each.title, about: each.about, settings: each.settings } }) });
    }, { icon: "bin", bare: true, class: "tiny plain" })))) : null;
  const close = dialog("Save as a preset", [
    h("p", { class: "soft small" }, "All that is set, the chosen preset included, becomes a TOML file in the studio's folder; ", h("code", {}, "reverie dream --preset FILE"), " reads it too."),
    name, about, list,
  ], [button("Save", async () => {
    const settings = Object.fromEntries(Object.entries(wish.settings).filter(([, value]) => value !== null));
    await engine.ask("/api/presets", { method: "PUT", body: { title: name.value, about: about.value, preset: wish.preset, settings } });
    close();
    toast(`The preset ${name.value} is saved.`);
  }, { class: "primary" })], { narrow: true });
}
