// How this page says no: one sentence that names the thing and the remedy.

/** What was asked for cannot be; the message is for people. */
export class Refused extends Error {}

/**
 * Names that are close to one that does not exist, at most three.
 * @param {string} name
 * @param {Iterable<string>} known
 */
export function nearest(name, known) {
  const wanted = name.toLowerCase();
  const scored = [...new Set(known)].map((each) => ({ each, away: distance(wanted, each.toLowerCase()) }));
  return scored
    .filter(({ each, away }) => away <= Math.max(1, Math.floor(Math.max(wanted.length, each.length) * 0.4)))
    .sort((one, other) => one.away - other.away)
    .slice(0, 3)
    .map(({ each }) => each);
}

/**
 * Letters to change, add or leave out (Levenshtein 1966).
 * @param {string} one
 * @param {string} other
 */
function distance(one, other) {
  let before = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const changed = before[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1);
      row.push(Math.min(before[j] + 1, row[j - 1] + 1, changed));
    }
    before = row;
  }
  return before[other.length];
}
