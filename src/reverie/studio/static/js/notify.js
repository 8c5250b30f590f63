// Saying that a dream is done: in the title, by a notification and a sound, and only while nobody looks at the page.

import { button, h, say, toast } from "./dom.js";
import { choice, choose, world } from "./state.js";

/** @param {any} job */
export function finished(job) {
  const done = job.state === "done";
  say(done ? `The dream ${job.title} is done.` : `The dream ${job.title} failed: ${job.error}`);
  if (!document.hidden) {
    if (!done) toast(`${job.title}: ${job.error}`, null, "wrong");
    return;
  }
  world.news = `${done ? "✓ done" : "✗ failed"} · ${job.title} · Reverie`;  // stays until somebody looks
  if (choice("notify", false) && "Notification" in window && Notification.permission === "granted") {
    const note = new Notification(done ? "The dream is done" : "The dream failed", { body: job.title, icon: "/static/icon.svg", tag: job.id });
    note.onclick = () => { window.focus(); location.hash = `#/job/${job.id}`; note.close(); };
  }
  if (choice("sound", false)) chime();
}

/** Two soft tones. */
function chime() {
  const context = new AudioContext();
  [523.25, 783.99].forEach((pitch, at) => {
    const tone = context.createOscillator(), gain = context.createGain(), begin = context.currentTime + at * 0.18;
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(0.12, begin + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, begin + 0.7);
    tone.connect(gain).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + 0.75);
  });
  setTimeout(() => void context.close(), 1500);
}

/** Switches for both. */
export function switches() {
  const make = (/** @type {string} */ name, /** @type {string} */ label, /** @type {() => Promise<boolean>} */ allowed) => {
    const made = button(label, async () => {
      const on = !choice(name, false) && await allowed();
      choose(name, on);
      made.setAttribute("aria-pressed", String(on));
      if (on && name === "sound") chime();
    }, { class: "tiny", "aria-pressed": String(choice(name, false)) });
    return made;
  };
  const asks = async () => {
    if (!("Notification" in window)) throw new Error("This browser shows no notifications.");
    if (await Notification.requestPermission() !== "granted") throw new Error("The browser does not allow notifications for this page.");
    return true;
  };
  return h("div", { class: "row", role: "group", "aria-label": "When a dream is done and this page is hidden" },
    h("span", { class: "small soft" }, "When done, hidden:"), make("notify", "Notification", asks), make("sound", "Sound", async () => true));
}
