// The service worker: keeps the page for times without a network.

const PATIENCE = 4000; // milliseconds for the service worker to take over, so that large files are fetched once

/** Register the service worker; resolves when it sees what is fetched, or when that takes too long. */
export async function kept() {
  if (!navigator.serviceWorker) return; // absent in old browsers and where cookies are refused
  const taken = new Promise((resolve) => {
    if (navigator.serviceWorker.controller) resolve(null);
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(null));
  });
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
  try {
    await navigator.serviceWorker.register(new URL("sw.js", document.baseURI));
    await Promise.race([taken, late]);
  } catch {
    // In a private window, or from a file: the page works, online.
  }
}
