import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../random.ts';
import { deserialiseState, serialiseState } from './state-text.ts';

const again = (state: unknown): unknown => deserialiseState(serialiseState(state));

/** Any state: nested, of all kinds of values. */
function randomState(random: Random, depth: number): unknown {
  const numbers = () => Array.from({ length: random.integer(5) }, () => [random.normal() * 10 ** (random.integer(40) - 20), NaN, -Infinity, Infinity, -0, 0][random.integer(6)]);
  const words = ['', '$', '__proto__', 'constructor', 'conv1.weight', '\u0000é\ud83c'];
  const children = () => Array.from({ length: random.integer(4) }, () => randomState(random, depth - 1));
  const word = () => words[random.integer(words.length)];
  switch (random.integer(depth > 0 ? 14 : 10)) {
    case 0: return numbers();
    case 1: return Float64Array.from(numbers());
    case 2: return Float32Array.from(numbers()).subarray(1);
    case 3: return Int32Array.from(numbers());
    case 4: return BigInt64Array.of(-(2n ** 63n), 5n);
    case 5: return word();
    case 6: return [null, undefined, true, false][random.integer(4)];
    case 7: return 2n ** 80n;
    case 8: return Uint8Array.from({ length: 20_000 }, () => random.integer(256));
    case 9: return random.normal();
    case 10: return children();
    case 11: return new Map(children().map((child) => [word(), child]));
    case 12: return new Set(children());
    default: return Object.fromEntries(children().map((child) => [word(), child]));
  }
}

describe('a saved state', () => {
  it('comes back as it was, whatever plain data it is', () => {
    const random = createRandom('state');
    for (let k = 0; k < 300; k++) {
      const state = randomState(random, 4);
      // vitest takes an own key 'constructor' for the class of an object.
      expect(isDeepStrictEqual(again(state), state), serialiseState(state).slice(0, 300)).toBe(true);
    }
  });

  it('is JSON', () => {
    expect(JSON.parse(serialiseState({ counts: [1, 2], sums: Float64Array.of(0.5) }))).toEqual({ counts: [1, 2], sums: { $: 'Float64Array', of: 'AAAAAAAA4D8=' } });
  });

  it('keeps a key that looks like a mark', () => {
    expect(again({ $: 'Map', of: 3 })).toStrictEqual({ $: 'Map', of: 3 });
  });

  it.each([['a function', { f: () => 1 }, 'Function'], ['an object of a class', [new (class Model { width = 1; })()], 'Model'], ['an error', [new Error('x')], 'Error'], ['a date', new Map([['d', new Date(0)]]), 'Date']])('refuses %s', (_, state, words) => {
    expect(() => serialiseState(state)).toThrow(expect.objectContaining({ code: 'COPPICE_SCORER_INVALID', message: expect.stringContaining(words) }));
  });

  it.each(['', '{"a":', '{"$":"Nonsense","of":"AAAA"}', '{"$":"toString","of":"AAAA"}', '{"$":"Float64Array","of":"AAA="}', '{"$":"Map","of":3}', '{"$":"Float64Array","of":"!"}'])('refuses damaged text: %s', (text) => {
    expect(() => deserialiseState(text)).toThrow(expect.objectContaining({ code: 'COPPICE_RUN_INVALID' }));
  });
});
