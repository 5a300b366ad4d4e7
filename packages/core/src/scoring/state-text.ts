import { CoppiceError } from '@coppice/graph';

/** Arrays whose bytes are written as they lie in memory. */
const ARRAYS = { Float32Array, Float64Array, Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array } as const;
type ArrayName = keyof typeof ARRAYS;

/** What JSON has no word for, marked by a key of its own. */
interface Marked { readonly $: string; readonly of?: unknown }

/**
 * The state of a scorer (or a whole `ScoreState`) as JSON text: plain objects and arrays, Maps, Sets, typed arrays (little-endian, in
 * base64), and all numbers, NaN, infinities and −0 included. What is referred to twice becomes two copies.
 * @throws CoppiceError `COPPICE_SCORER_INVALID` for functions, symbols and objects of other classes
 */
export const serialiseState = (state: unknown): string => JSON.stringify(mark(state));

/**
 * The state that `serialiseState` made a text of.
 * @throws CoppiceError `COPPICE_RUN_INVALID` when the text is damaged
 */
export function deserialiseState(text: string): unknown {
  try {
    return unmark(JSON.parse(text));
  } catch (cause) {
    throw new CoppiceError('COPPICE_RUN_INVALID', 'A saved state of scoring is damaged. Remove it, and score from the first batch again.', { cause });
  }
}

function mark(value: unknown): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value === undefined) return { $: 'undefined' } satisfies Marked;
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : { $: 'number', of: Object.is(value, -0) ? '-0' : String(value) } satisfies Marked;
  if (typeof value === 'bigint') return { $: 'bigint', of: String(value) } satisfies Marked;
  if (Array.isArray(value)) return value.map(mark);
  if (value instanceof Map) return { $: 'Map', of: [...value].map(([key, item]) => [mark(key), mark(item)]) } satisfies Marked;
  if (value instanceof Set) return { $: 'Set', of: [...value].map(mark) } satisfies Marked;
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (ArrayBuffer.isView(value) && kind in ARRAYS) return { $: kind, of: toBase64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) } satisfies Marked;
  const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
  if (typeof value !== 'object' || (prototype !== Object.prototype && prototype !== null)) {
    throw new CoppiceError('COPPICE_SCORER_INVALID', `The state of a scorer holds a ${kind === 'Object' ? (value.constructor?.name ?? 'class') : kind}, which cannot be saved. Keep numbers, texts, plain objects, arrays, typed arrays, Maps and Sets.`);
  }
  const entries = Object.entries(value).map(([key, item]) => [key, mark(item)] as const);
  return entries.some(([key]) => key === '$') ? { $: 'Object', of: entries } satisfies Marked : Object.fromEntries(entries);
}

function unmark(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(unmark);
  if (!('$' in value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unmark(item)]));
  const { $: kind, of } = value as Marked;
  switch (kind) {
    case 'undefined': return undefined;
    case 'number': return Number(of);
    case 'bigint': return BigInt(of as string);
    case 'Map': return new Map(unmark(of) as [unknown, unknown][]);
    case 'Set': return new Set(unmark(of) as unknown[]);
    case 'Object': return Object.fromEntries((of as [string, unknown][]).map(([key, item]) => [key, unmark(item)]));
    default: {
      if (!Object.hasOwn(ARRAYS, kind)) throw new TypeError(`no array is called ${kind}`);
      return new ARRAYS[kind as ArrayName](fromBase64(of as string).buffer);
    }
  }
}

/** Characters are made in pieces: a call takes only so many arguments. */
function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let from = 0; from < bytes.length; from += 0x2000) pieces.push(String.fromCharCode(...bytes.subarray(from, from + 0x2000)));
  return btoa(pieces.join(''));
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let k = 0; k < bytes.length; k++) bytes[k] = characters.charCodeAt(k);
  return bytes;
}
