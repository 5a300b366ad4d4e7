/** A reproducible source of random numbers: the same seed gives the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1), in steps of 2⁻⁵³. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** A whole number in [0, below), for `below` from 1 to 2⁵³. */
  integer(below: number): number;
  /** The same items in random order; the argument stays as it is. */
  shuffle<T>(items: readonly T[]): T[];
}

/**
 * Random numbers from a seed: xoshiro128** (Blackman & Vigna 2021, "Scrambled linear pseudorandom number generators"),
 * its state filled by SplitMix32 from a hash of the seed. A number and its decimal text are the same seed; texts such as
 * `7/weights` give independent streams. Not for secrets.
 */
export function createRandom(seed: number | string): Random {
  const word = xoshiro128(hash(String(seed)));
  const uniform = (): number => ((word() >>> 5) * 0x4000000 + (word() >>> 6)) / 0x20000000000000;
  const integer = (below: number): number => Math.floor(uniform() * below);
  let spare: number | undefined;
  return {
    uniform,
    integer,
    /** Box and Muller 1958: two at a time. */
    normal() {
      if (spare !== undefined) {
        const second = spare;
        spare = undefined;
        return second;
      }
      // 1 − u is never 0, so the logarithm is finite.
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    /** Fisher and Yates. */
    shuffle(items) {
      const shuffled = [...items];
      for (let k = shuffled.length - 1; k > 0; k--) {
        const other = integer(k + 1);
        [shuffled[k], shuffled[other]] = [shuffled[other], shuffled[k]];
      }
      return shuffled;
    },
  };
}

/** FNV-1a, 32 bits, over UTF-16 units. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let k = 0; k < text.length; k++) sum = Math.imul(sum ^ text.charCodeAt(k), 0x01000193);
  return sum >>> 0;
}

/** Words of 32 bits. */
function xoshiro128(seed: number): () => number {
  const split = splitMix32(seed);
  let [a, b, c, d] = [split(), split(), split(), split()];
  return () => {
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return scrambled;
  };
}

function splitMix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
