// The page's side of the worker.

/** @typedef {import("./worker.js").Setting} Setting */
/**
 * @typedef {object} Listener
 * @property {(frame: any) => void} [frame]
 * @property {(total: number, kind: string) => void} [planned]
 * @property {(done: number, total: number) => void} [loading]
 * @property {(text: string) => void} [note]
 */

export class Engine {
  /** @param {string} url of the worker's module */
  constructor(url) {
    this.worker = new Worker(url, { type: "module" });
    this.worker.onmessage = ({ data }) => this.#hear(data);
    this.worker.onerror = () =>
      this.#hear({ type: "failed", id: this.id, text: "The page's worker could not be started; reload the page." });
    this.id = 0;
    /** @type {Listener} */
    this.listener = {};
    /** @type {{resolve: (value: any) => void, reject: (error: Error) => void} | null} */
    this.waiting = null;
  }

  /**
   * Make a network ready.
   * @param {Setting} setting
   * @param {Listener} listener
   * @returns {Promise<string>} which engine runs it: wasm or webgpu
   */
  load(setting, listener) {
    return this.#ask({ type: "load", setting }, listener);
  }

  /**
   * Dream; every step goes to the listener.
   * @param {{setting: Setting, recipe: any, source: any, mask: any}} job
   * @param {Listener} listener
   * @returns {Promise<string>} which engine dreamt it; "" where it was stopped
   */
  dream(job, listener) {
    return this.#ask({ type: "dream", ...job }, listener);
  }

  /** Stop at once: what the worker still sends is not listened to. */
  stop() {
    this.worker.postMessage({ type: "stop" });
    this.id++;
    this.waiting?.resolve("");
    this.waiting = null;
  }

  /**
   * @param {any} message
   * @param {Listener} listener
   * @returns {Promise<string>}
   */
  #ask(message, listener) {
    this.waiting?.resolve("");
    this.listener = listener;
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.worker.postMessage({ ...message, id: ++this.id });
    });
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "loading") this.listener.loading?.(message.done, message.total);
    if (message.type === "note") this.listener.note?.(message.text);
    if (message.id !== this.id) return;
    if (message.type === "planned") this.listener.planned?.(message.total, message.kind);
    if (message.type === "frame") this.listener.frame?.(message);
    if (message.type === "done" || message.type === "ready") this.#settle("resolve", message.kind);
    if (message.type === "failed") this.#settle("reject", new Error(message.text));
  }

  /**
   * @param {"resolve" | "reject"} how
   * @param {any} value
   */
  #settle(how, value) {
    this.waiting?.[how](value);
    this.waiting = null;
  }
}
