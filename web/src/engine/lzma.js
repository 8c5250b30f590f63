// Decoder of LZMA streams (Pavlov's LZMA specification, 2015), for files that gzip leaves too large to download.

const TOP = 2 ** 24;
const STATES = 12;
const HALF = 1024; // probability of a half, of 2048

/** @param {number} count */
function probabilities(count) {
  return new Uint16Array(count).fill(HALF);
}

/** Bits out of a stream, each with a probability that learns. */
class Bits {
  /**
   * @param {Uint8Array} input
   * @param {number} at
   */
  constructor(input, at) {
    this.input = input;
    this.at = at + 1; // the first byte is always 0
    this.range = 0xffffffff;
    this.code = 0;
    for (let i = 0; i < 4; i++) this.code = ((this.code << 8) | this.input[this.at++]) >>> 0;
  }

  /**
   * @param {Uint16Array} table
   * @param {number} index
   */
  bit(table, index) {
    const chance = table[index];
    const bound = (this.range >>> 11) * chance;
    let found = 0;
    if (this.code < bound) {
      this.range = bound;
      table[index] = chance + ((2048 - chance) >>> 5);
    } else {
      this.range -= bound;
      this.code -= bound;
      table[index] = chance - (chance >>> 5);
      found = 1;
    }
    if (this.range < TOP) {
      this.range = (this.range << 8) >>> 0;
      this.code = ((this.code << 8) | this.input[this.at++]) >>> 0;
    }
    return found;
  }

  /** @param {number} count of bits that are as often 0 as 1 */
  direct(count) {
    let found = 0;
    for (let i = 0; i < count; i++) {
      this.range >>>= 1;
      const one = this.code >= this.range ? 1 : 0;
      if (one) this.code -= this.range;
      found = ((found << 1) | one) >>> 0;
      if (this.range < TOP) {
        this.range = (this.range << 8) >>> 0;
        this.code = ((this.code << 8) | this.input[this.at++]) >>> 0;
      }
    }
    return found;
  }

  /**
   * A number of `count` bits, the highest first.
   * @param {Uint16Array} table
   * @param {number} base
   * @param {number} count
   */
  tree(table, base, count) {
    let symbol = 1;
    for (let i = 0; i < count; i++) symbol = (symbol << 1) | this.bit(table, base + symbol);
    return symbol - (1 << count);
  }

  /**
   * The lowest bit first.
   * @param {Uint16Array} table
   * @param {number} base
   * @param {number} count
   */
  reverse(table, base, count) {
    let [symbol, found] = [1, 0];
    for (let i = 0; i < count; i++) {
      const one = this.bit(table, base + symbol);
      symbol = (symbol << 1) | one;
      found |= one << i;
    }
    return found;
  }
}

/** Lengths of matches: short, middle, long. */
class Lengths {
  constructor() {
    this.choice = probabilities(2);
    this.low = probabilities(16 << 3);
    this.middle = probabilities(16 << 3);
    this.high = probabilities(256);
  }

  /**
   * @param {Bits} bits
   * @param {number} position
   */
  read(bits, position) {
    if (!bits.bit(this.choice, 0)) return bits.tree(this.low, position << 3, 3);
    if (!bits.bit(this.choice, 1)) return 8 + bits.tree(this.middle, position << 3, 3);
    return 16 + bits.tree(this.high, 0, 8);
  }
}

/**
 * Unpack a whole .lzma file.
 * @param {Uint8Array} input
 * @param {number} size bytes of the result
 * @returns {Uint8Array}
 */
export function unpacked(input, size) {
  const properties = input[0];
  const lc = properties % 9;
  const lp = Math.floor(properties / 9) % 5;
  const pb = Math.floor(properties / 45);
  const output = new Uint8Array(size);
  const bits = new Bits(input, 13);
  const literal = probabilities(0x300 << (lc + lp));
  const isMatch = probabilities(STATES << 4);
  const isRepeat = probabilities(STATES);
  const isFirst = probabilities(STATES);
  const isSecond = probabilities(STATES);
  const isThird = probabilities(STATES);
  const isLong = probabilities(STATES << 4);
  const slots = probabilities(4 << 6);
  const special = probabilities(115);
  const align = probabilities(16);
  const [lengths, repeated] = [new Lengths(), new Lengths()];
  let [state, at] = [0, 0];
  let [first, second, third, fourth] = [0, 0, 0, 0]; // distances of the last matches, less 1
  const positions = (1 << pb) - 1;
  const literals = (1 << lp) - 1;

  while (at < size) {
    const position = at & positions;
    if (!bits.bit(isMatch, (state << 4) + position)) {
      const before = at ? output[at - 1] : 0;
      const base = 0x300 * (((at & literals) << lc) + (before >> (8 - lc)));
      let symbol = 1;
      if (state >= 7) {
        let match = output[at - first - 1];
        while (symbol < 0x100) {
          const wanted = (match >> 7) & 1;
          match <<= 1;
          const one = bits.bit(literal, base + ((1 + wanted) << 8) + symbol);
          symbol = (symbol << 1) | one;
          if (wanted !== one) break;
        }
      }
      while (symbol < 0x100) symbol = (symbol << 1) | bits.bit(literal, base + symbol);
      output[at++] = symbol;
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
      continue;
    }
    let length = 0;
    if (bits.bit(isRepeat, state)) {
      if (!bits.bit(isFirst, state)) {
        if (!bits.bit(isLong, (state << 4) + position)) {
          state = state < 7 ? 9 : 11;
          output[at] = output[at - first - 1];
          at++;
          continue;
        }
      } else if (!bits.bit(isSecond, state)) {
        [first, second] = [second, first];
      } else if (!bits.bit(isThird, state)) {
        [first, second, third] = [third, first, second];
      } else {
        [first, second, third, fourth] = [fourth, first, second, third];
      }
      length = repeated.read(bits, position);
      state = state < 7 ? 8 : 11;
    } else {
      [second, third, fourth] = [first, second, third];
      length = lengths.read(bits, position);
      state = state < 7 ? 7 : 10;
      first = distance(bits, length, slots, special, align);
      if (first === 0xffffffff) break; // the mark of the end
    }
    length += 2;
    if (first >= at || at + length > size) throw new Error("The packed file is damaged.");
    for (let i = 0; i < length; i++, at++) output[at] = output[at - first - 1];
  }
  if (at !== size) throw new Error("The packed file is cut short.");
  return output;
}

/**
 * @param {Bits} bits
 * @param {number} length
 * @param {Uint16Array} slots
 * @param {Uint16Array} special
 * @param {Uint16Array} align
 */
function distance(bits, length, slots, special, align) {
  const slot = bits.tree(slots, Math.min(length, 3) << 6, 6);
  if (slot < 4) return slot;
  const count = (slot >> 1) - 1;
  const found = (2 | (slot & 1)) * 2 ** count;
  if (slot < 14) return found + bits.reverse(special, found - slot, count);
  return (found + bits.direct(count - 4) * 16 + bits.reverse(align, 0, 4)) >>> 0;
}
