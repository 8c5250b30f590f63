// The text form of objectives, `0.7*owl + 0.3*stage3`, and what its names mean for a network.

import { Refused, nearest } from "../recipe/refused.js";

/** @typedef {{name: string, aliases: string[], channels: number, stride: number}} Layer */
/**
 * @typedef {object} Known what an exported network says of itself
 * @property {string} network
 * @property {Layer[]} layers
 * @property {boolean} classes whether class terms can be asked for
 * @property {boolean} mapped whether a single class has no log-probability
 * @property {string[]} labels
 * @property {string[]} synsets
 * @property {string} objective what it dreams by default
 * @property {string} default the layer that the word means
 * @property {number} smallest
 * @property {number} motif usual side in pixels of what it draws
 * @property {string} weights their SHA-256
 */
/**
 * @typedef {object} Term one row of the step graph's inputs
 * @property {number} weight
 * @property {string} name
 * @property {string} layer path of a layer, "" for a term about classes
 * @property {number} energy weight of 0.5 mean(a^2)
 * @property {number} mean weight of the mean activation
 * @property {number | null} channel the one channel that is meant
 * @property {number[]} classes
 * @property {number} against 0 for logits, 1 for log-probabilities
 */
/** @typedef {{weight: number, kind: string, name: string, channel: number | null, others: string[], call: string}} Target */

const QUOTED = /("(?:[^"]|"")*"|'(?:[^']|'')*')/.source;
const NUMBER = /(\d+\.?\d*(?:[eE][+-]?\d+)?(?![\w.])|\.\d+(?![\w.]))/.source;
const WORD = /([^\s"'*:+\-|(),@;]+)/.source;
const MARK = /([*:+\-|(),@])/.source;
const TOKEN = new RegExp(`\\s*(?:${QUOTED}|${NUMBER}|${WORD}|${MARK})`, "y");
const CALLS = ["mean", "meansquare", "logit", "logprob"];
const PENALTIES = ["tv", "l1", "l2", "blur", "energy", "distance"];
const GREATEST = 1e12;

/**
 * The objective texts of the octaves, coarse first.
 * @param {string} text
 */
export function perOctave(text) {
  const found = [""];
  let quote = "";
  for (const letter of text) {
    if (letter === ";" && !quote) {
      found.push("");
      continue;
    }
    if (`"'`.includes(letter) && (!quote || quote === letter)) quote = quote ? "" : letter;
    found[found.length - 1] += letter;
  }
  return found.map((each) => each.trim());
}

/**
 * Read an objective.
 * @param {string} text
 * @returns {Target[]}
 */
export function parse(text) {
  const tokens = tokenized(text);
  /** @type {Target[]} */
  const found = [];
  let at = 0;
  const wrong = (/** @type {string} */ what) => new Refused(`The objective '${text}' cannot be read: ${what}.`);
  const is = (/** @type {string} */ mark, ahead = 0) =>
    tokens[at + ahead]?.kind === "mark" && tokens[at + ahead].text === mark;
  const take = () => {
    if (at >= tokens.length) throw wrong("it ends where a name should stand");
    return tokens[at++];
  };
  const name = () => {
    const token = take();
    if (token.kind === "mark") throw wrong(`a name is missing before '${token.text}'`);
    return token;
  };
  /** @returns {Target} */
  const target = () => {
    let token = name();
    let kind = "";
    if (token.kind === "word" && ["layer", "class", "channel"].includes(token.text) && is(":")) {
      kind = token.text;
      at++;
      token = name();
    }
    let channel = null;
    if (token.text === "group" && is(":"))
      throw new Refused("This page knows no groups of classes; name the classes, as in owl|rose.");
    if (is(":")) {
      at++;
      const number = take();
      if (!/^\d{1,9}$/.test(number.text))
        throw wrong(`after ':' the number of a channel must stand, not '${number.text}'`);
      channel = Number(number.text);
    }
    if (is("@")) throw new Refused("This page dreams no single neurons; leave out the '@' in the objective.");
    return { weight: 1, kind, name: token.text, channel, others: others(), call: "" };
  };
  const others = () => {
    const made = [];
    while (is("|")) {
      at++;
      let token = name();
      if (token.text === "class" && is(":")) {
        at++;
        token = name();
      }
      if (/\.(png|jpe?g|webp|tiff?|bmp|gif|avif|hei[cf])$/i.test(token.text)) {
        throw new Refused("This page takes one mask for the whole dream; leave out the masks of single terms.");
      }
      made.push(token.text);
    }
    return made;
  };
  while (at < tokens.length) {
    let weight = 1;
    if (is("+") || is("-")) weight = take().text === "-" ? -1 : 1;
    else if (found.length) throw wrong(`between terms a + or - is missing before '${tokens[at].text}'`);
    if (tokens[at]?.kind === "number" && is("*", 1)) {
      const size = Number(take().text);
      if (!(size >= 1 / GREATEST && size <= GREATEST))
        throw wrong(`a weight must lie between ${1 / GREATEST} and ${GREATEST}`);
      weight *= size;
      at++;
    }
    if (tokens[at]?.kind === "word" && is("(", 1)) {
      const call = take().text;
      if (!CALLS.includes(call))
        throw new Refused(`This page has no function '${call}' for objectives; it knows ${CALLS.join(", ")}.`);
      at++;
      const made = target();
      if (!is(")")) throw wrong(`${call}( is not closed`);
      at++;
      found.push({ ...made, weight, call });
    } else {
      found.push({ ...target(), weight });
    }
  }
  if (!found.length)
    throw new Refused("The objective is empty; name a layer or a class, for example 'stage3' or 'owl'.");
  return found;
}

/**
 * @param {string} text
 * @returns {{kind: "quoted" | "number" | "word" | "mark", text: string}[]}
 */
function tokenized(text) {
  const made = [];
  let position = 0;
  const end = text.trimEnd().length;
  while (position < end) {
    TOKEN.lastIndex = position;
    const match = TOKEN.exec(text);
    if (!match)
      throw new Refused(`The objective '${text}' cannot be read at '${text.slice(position).trim().slice(0, 20)}'.`);
    const [, quoted, number, word, mark] = match;
    if (quoted) made.push({ kind: /** @type {const} */ ("quoted"), text: unquoted(quoted) });
    else if (number) made.push({ kind: /** @type {const} */ ("number"), text: number });
    else if (word) made.push({ kind: /** @type {const} */ ("word"), text: word });
    else made.push({ kind: /** @type {const} */ ("mark"), text: mark });
    position = TOKEN.lastIndex;
  }
  return made;
}

/** @param {string} text */
function unquoted(text) {
  return text.slice(1, -1).replaceAll(text[0] + text[0], text[0]);
}

/**
 * The terms that `text` means for a network.
 * @param {Known} known
 * @param {string} text
 * @param {number} certainty weight of a class's log-probability beside its logit
 * @returns {Term[]}
 */
export function resolved(known, text, certainty) {
  return parse(text).flatMap((target) => terms(known, target, certainty));
}

/**
 * @param {Known} known
 * @param {Target} target
 * @param {number} certainty
 * @returns {Term[]}
 */
function terms(known, target, certainty) {
  const { weight, name } = target;
  const blank = { weight, name, layer: "", energy: 0, mean: 0, channel: null, classes: [], against: 0 };
  const ofClasses = target.kind === "class" || target.others.length > 0 || ["logit", "logprob"].includes(target.call);
  const layer = ofClasses ? null : layerOf(known, name);
  if (layer && target.channel !== null) {
    if (target.channel >= layer.channels) {
      throw new Refused(`The layer '${name}' has the channels 0 to ${layer.channels - 1}, no ${target.channel}.`);
    }
    return [{ ...blank, name: `${name}:${target.channel}`, layer: layer.name, channel: target.channel, mean: 1 }];
  }
  if (layer) {
    const mean = target.call === "mean";
    return [
      { ...blank, layer: layer.name, energy: mean ? 0 : target.call === "meansquare" ? 2 : 1, mean: mean ? 1 : 0 },
    ];
  }
  if (!ofClasses && (target.call || target.channel !== null || target.kind === "layer"))
    throw unknown(known, name, "layer");
  if (PENALTIES.includes(name) && !ofClasses)
    throw new Refused(`This page has no penalties such as '${name}'; leave it out.`);
  if (!known.classes)
    throw new Refused(`The network ${known.network} has no classes on this page; name one of its layers.`);
  const classes = [name, ...target.others].map((each) => classOf(known, each));
  const label = classes.map((each) => known.labels[each]).join("|");
  const made = { ...blank, name: label, classes };
  if (known.mapped && classes.length === 1 && (target.call === "logprob" || (certainty && !target.call))) {
    throw new Refused(`On this page a single class of ${known.network} has no log-probability; name several, as in a|b.`);
  }
  if (target.call === "logprob") return [{ ...made, against: 1 }];
  return certainty && !target.call ? [made, { ...made, against: 1, weight: weight * certainty }] : [made];
}

/**
 * @param {Known} known
 * @param {string} name
 */
function layerOf(known, name) {
  const path = name === "default" ? known.default : name;
  return known.layers.find((each) => each.name === path || each.aliases.includes(path)) ?? null;
}

/**
 * The number of a class: tried in turn as a number, a synset, a first name, a synonym, whole words of either.
 * @param {Known} known
 * @param {string} name
 * @returns {number}
 */
export function classOf(known, name) {
  if (/^\d{1,9}$/.test(name)) {
    if (Number(name) < known.labels.length) return Number(name);
    throw unknown(known, name, "class");
  }
  const wanted = plain(name);
  const synset = known.synsets.indexOf(wanted);
  if (synset >= 0) return synset;
  const synonyms = known.labels.map((label) => label.split(",").map(plain));
  const fits = [
    (/** @type {string[]} */ parts) => parts[0] === wanted,
    (/** @type {string[]} */ parts) => parts.includes(wanted),
    (/** @type {string[]} */ parts) => parts.some((part) => ` ${part} `.includes(` ${wanted} `)),
  ];
  for (const fit of fits) {
    const found = synonyms.flatMap((parts, at) => (fit(parts) ? [at] : []));
    if (found.length > 1) {
      const said = found.slice(0, 4).map((at) => `class:${at} (${known.labels[at]})`);
      throw new Refused(`The class '${name}' is ambiguous in ${known.network}; say ${said.join(" or ")}.`);
    }
    if (wanted && found.length) return found[0];
  }
  throw unknown(known, name, "layer or class");
}

/** @param {string} name */
function plain(name) {
  return name.toLowerCase().replaceAll("_", " ").replaceAll("/", " ").split(/\s+/).filter(Boolean).join(" ");
}

/**
 * @param {Known} known
 * @param {string} name
 * @param {string} kind
 */
function unknown(known, name, kind) {
  const layers = known.layers.flatMap((each) => [each.name, ...each.aliases]);
  const names =
    kind === "layer" ? layers : [...layers, ...known.labels.flatMap((label) => label.split(",").map(plain))];
  const near = nearest(name, names);
  const remedy = near.length
    ? `; did you mean '${near.join("' or '")}'?`
    : `; this page has the layers ${layers.slice(0, 8).join(", ")}.`;
  return new Refused(`There is no ${kind} '${name}' in ${known.network}${remedy}`);
}
