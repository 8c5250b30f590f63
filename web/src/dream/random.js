// The random draws of a dream: torch's generator for the CPU, the Mersenne Twister of Matsumoto and Nishimura (1998).

const SIZE = 624;
const MIDDLE = 397;

/** A generator that gives the same whole numbers as `torch.Generator().manual_seed(seed)`. */
export class Generator {
  /** @param {bigint} seed whole number from 0; as in torch its lowest 32 bits count */
  constructor(seed) {
    this.state = new Uint32Array(SIZE);
    this.at = SIZE;
    this.state[0] = Number(seed & 0xffffffffn);
    for (let i = 1; i < SIZE; i++) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(before, 1812433253) + i;
    }
  }

  /** @returns {number} the next whole number, 0 to 2^32 - 1 */
  next() {
    if (this.at === SIZE) this.#renew();
    let y = this.state[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /**
   * `torch.randint(low, high, (count,))`.
   * @param {number} low smallest number
   * @param {number} high the number behind the largest
   * @param {number} count
   * @returns {number[]}
   */
  integers(low, high, count) {
    return Array.from({ length: count }, () => low + (this.next() % (high - low)));
  }

  /**
   * `torch.randn(count)`, count at least 16: pairs of uniform numbers, 8 apart, by Box and Muller (1958).
   * @param {number} count
   */
  normals(count) {
    const data = Float32Array.from({ length: count }, () => (this.next() & 0xffffff) / 2 ** 24);
    const fill = (/** @type {number} */ from) => {
      for (let j = from; j < from + 8; j++) {
        const radius = Math.sqrt(-2 * Math.log(1 - data[j]));
        const angle = 2 * Math.PI * data[j + 8];
        data[j] = radius * Math.cos(angle);
        data[j + 8] = radius * Math.sin(angle);
      }
    };
    for (let from = 0; from + 16 <= count; from += 16) fill(from);
    if (count % 16) {
      for (let at = count - 16; at < count; at++) data[at] = (this.next() & 0xffffff) / 2 ** 24;
      fill(count - 16);
    }
    return data;
  }

  #renew() {
    const state = this.state;
    for (let i = 0; i < SIZE; i++) {
      const mixed = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
      state[i] = state[(i + MIDDLE) % SIZE] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }
}

/**
 * The generator of one octave: pictures of different sizes draw alike in the octaves they share.
 * @param {bigint} seed the recipe's
 * @param {number} octave 0 is the coarsest
 */
export function ofOctave(seed, octave) {
  return new Generator((seed * 1000003n + BigInt(octave)) % (1n << 63n));
}

/**
 * The generator of the faint patches under the first octave.
 * @param {bigint} seed the recipe's
 */
export function ofVariation(seed) {
  return ofOctave(seed, 999983);
}
