// Works offline after the first visit. Every file is known by its SHA-256: what changed is fetched anew, nothing else.

const FILES = /*FILES*/ {};
const SHELL = /*SHELL*/ [];
const CACHE = "reverie-page";
const BASE = new URL("./", self.location.href).href;

/** The key of a file in the cache: its address with its hash. */
function key(path) {
  return `${BASE}${path}?${FILES[path]}`;
}

async function hashed(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (each) => each.toString(16).padStart(2, "0")).join("");
}

/** Fetch a file; keep it if it is the one that this build made. */
async function fetchedAndKept(path) {
  const answer = await fetch(BASE + path, { cache: "no-cache" });
  if (!answer.ok) return answer;
  const bytes = await answer.clone().arrayBuffer();
  if ((await hashed(bytes)) === FILES[path]) {
    const kept = await caches.open(CACHE);
    await kept.put(key(path), answer.clone()).catch(() => {}); // no room: the page works on, online
  }
  return answer;
}

self.addEventListener("install", (event) => {
  const kept = SHELL.map(async (path) => {
    const cache = await caches.open(CACHE);
    if (await cache.match(key(path))) return;
    const answer = await fetchedAndKept(path);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  });
  event.waitUntil(Promise.all(kept).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const cleared = async () => {
    const cache = await caches.open(CACHE);
    const known = new Set(Object.keys(FILES).map(key));
    const stale = (await cache.keys()).filter((request) => !known.has(request.url));
    await Promise.all(stale.map((request) => cache.delete(request)));
    await self.clients.claim();
  };
  event.waitUntil(cleared());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !url.href.startsWith(BASE)) return;
  const path = url.href.slice(BASE.length).split(/[?#]/)[0] || "index.html";
  if (!(path in FILES)) return;
  const answered = async () => {
    const cache = await caches.open(CACHE);
    return (await cache.match(key(path))) ?? fetchedAndKept(path);
  };
  event.respondWith(answered());
});
