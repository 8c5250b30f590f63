// The seam: what the pages know of whoever dreams. Here it is the studio's server; a page that dreams inside the
// browser brings another object of this shape.

/**
 * @typedef {{kind?: string, source?: string | null, preset?: string | null, settings?: Record<string, any>, mask?: string | null,
 *   guides?: {picture: string, layer: string, weight: number, mask: string | null}[], film?: Record<string, any>,
 *   run?: Record<string, any>, preview?: boolean}} Wish
 * @typedef {Record<string, any> & {id: string, state: string, title: string, kind: string, wish: Wish}} Job
 * @typedef {Record<string, any> & {id: string, width: number, height: number, title: string}} Asset
 * @typedef {Record<string, any> & {type: string}} Told
 */

/**
 * @typedef {Object} Engine
 * @property {() => Promise<any>} hello everything that pages are built from
 * @property {(wishes: Wish[], grouping?: any) => Promise<Job[]>} start put dreams into the queue
 * @property {(job: string, action: string, more?: any) => Promise<any>} act cancel, repeat, resume, move
 * @property {(listener: (told: Told) => void) => () => void} events what happens, from the last one seen on
 * @property {(path: string, options?: any) => Promise<any>} ask any other question
 * @property {(file: Blob, kind: string, name: string) => Promise<Asset>} upload
 * @property {(id: string, side: number) => string} view the address of a picture in a long side
 * @property {(job: string, number: number) => string} live
 * @property {(key: string, partial?: number) => string} preview
 */

const PAGE = Math.random().toString(36).slice(2, 12);
const SEEN = "reverie.seen";

/** @param {string} path @param {{method?: string, body?: any, raw?: Blob, signal?: AbortSignal}} [options] */
async function ask(path, options = {}) {
  const { method = options.body || options.raw ? "POST" : "GET", body, raw, signal } = options;
  /** @type {Record<string, string>} */
  const headers = { "x-reverie-studio": "1" };
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: raw ?? (body ? JSON.stringify(body) : undefined), signal });
  } catch (error) {
    if (error instanceof DOMException) throw error;
    throw new Error("The studio does not answer; is it still running in its terminal?", { cause: error });
  }
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(found.error ?? `The studio answered with ${response.status}.`);
  return found;
}

/** @param {(told: Told) => void} listener */
function events(listener) {
  /** @type {EventSource | null} */
  let source = null;
  let closed = false;
  const open = () => {
    const since = sessionStorage.getItem(SEEN) ?? "";
    source = new EventSource(`/api/events?page=${PAGE}&since=${encodeURIComponent(since)}`);
    source.onmessage = (event) => {
      sessionStorage.setItem(SEEN, event.lastEventId);
      listener(JSON.parse(event.data));
    };
    source.onerror = () => {
      listener({ type: "offline" });
      // The browser tries again by itself, but gives up where the server was gone for a while.
      if (source?.readyState === EventSource.CLOSED && !closed) setTimeout(open, 1500);
    };
  };
  open();
  return () => { closed = true; source?.close(); };
}

/** @type {Engine} */
export const engine = {
  hello: async () => {
    const found = await ask("/api/hello");
    sessionStorage.setItem(SEEN, found.event);
    return found;
  },
  start: async (wishes, grouping) => (await ask("/api/jobs", { body: { wishes, grouping } })).jobs,
  act: (job, action, more = {}) => ask(`/api/jobs/${job}/${action}`, { body: more }),
  events,
  ask,
  upload: (file, kind, name) => ask(`/api/assets?kind=${kind}&name=${encodeURIComponent(encodeURIComponent(name))}`, { raw: file, method: "POST" }),
  view: (id, side) => `/api/files/${id}/view/${side}?v=1`,
  live: (job, number) => `/api/jobs/${job}/live/${number}`,
  preview: (key, partial) => `/api/previews/${key}${partial === undefined ? "" : `?partial=1&at=${partial}`}`,
};

/** @type {Map<string, (told: Told) => void>} */
const waiting = new Map();
/** @type {Map<string, Told>} what was finished of late @see Previews.want */
const finished = new Map();

/**
 * Small previews that a part of the page wants to see now, the most urgent first. Asking again replaces what was asked
 * before; asking for nothing cancels it.
 */
export class Previews {
  /** @param {string} name */
  constructor(name) {
    this.scope = `${PAGE}:${name}`;
    /** @type {Set<string>} */
    this.keys = new Set();
    this.turn = 0;
  }

  /**
   * @param {{wish: Wish, side: number, patient?: boolean, show: (url: string | null, error: string | null, partial: boolean) => void}[]} wanted
   */
  async want(wanted) {
    const turn = ++this.turn;
    for (const key of this.keys) waiting.delete(this.scope + key);
    this.keys.clear();
    const asked = wanted.map(({ wish, side, patient }) => ({ wish, side, patient }));
    const { previews } = await ask(`/api/previews/${this.scope}`, { method: "PUT", body: { wanted: asked } });
    if (turn !== this.turn) return;
    previews.forEach((/** @type {any} */ found, /** @type {number} */ at) => {
      const { show } = wanted[at];
      if (found.error) show(null, found.error, false);
      else if (found.ready) show(engine.preview(found.key), null, false);
      else {
        this.keys.add(found.key);
        waiting.set(this.scope + found.key, (told) => {
          if (told.error) show(null, told.error, false);
          else show(engine.preview(told.key, told.partial ? told.index : undefined), null, Boolean(told.partial));
        });
        // It may have been finished between the answer and this line.
        const early = finished.get(found.key);
        if (early) waiting.get(this.scope + found.key)?.(early);
      }
    });
  }

  stop() { void this.want([]).catch(() => {}); }

  /** @param {Told} told */
  static told(told) {
    if (!told.partial) {
      finished.set(told.key, told);
      if (finished.size > 300) finished.delete(/** @type {string} */ (finished.keys().next().value));
    }
    for (const [name, show] of [...waiting]) if (name.endsWith(told.key)) show(told);
  }
}
