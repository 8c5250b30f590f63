// Small words for the document.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export function at(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return /** @type {T} */ (found);
}

/**
 * @param {string} id
 * @param {string} text empty hides it
 */
export function told(id, text) {
  const place = at(id);
  place.textContent = text;
  place.hidden = !text;
}

/**
 * A line about what is going on.
 * @param {string} text
 */
export function status(text) {
  at("status").textContent = text;
}

/**
 * A button of a group of chips.
 * @param {string} text
 * @param {() => void} pressed
 * @param {string} [title]
 */
export function chip(text, pressed, title = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.title = title;
  made.addEventListener("click", pressed);
  return made;
}

/**
 * Offer bytes as a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function offered(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
