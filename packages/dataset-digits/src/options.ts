import { CoppiceError } from '@coppice/graph';
import type { JoinOptions } from './join-digits.ts';
import type { ReadRecordingsOptions } from './recordings.ts';

/** How the corpus is opened. */
export interface DigitsOptions extends ReadRecordingsOptions, Omit<JoinOptions, 'name' | 'epoch'> {
  /** Speakers of whom all recordings go into a part `heldOut` and into no other. */
  readonly heldOut?: readonly string[];
  /** Whether utterances are strings of digits, not single recordings. */
  readonly strings?: boolean;
}

/** Reads a value as written on a command line. */
type Reader = (name: string, value: string | number) => unknown;

const number: Reader = (name, value) => {
  const parsed = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
  return Number.isFinite(parsed) ? parsed : refuse(`'${name}' must be a number, not '${value}'`);
};
const text: Reader = (_name, value) => String(value);
const list: Reader = (_name, value) => String(value).split(',').map((item) => item.trim()).filter((item) => item !== '');
const flag: Reader = (name, value) => {
  const known = { 1: true, true: true, yes: true, 0: false, false: false, no: false }[String(value)];
  return known ?? refuse(`'${name}' must be true or false, not '${value}'`);
};

const readers = {
  heldOut: list, strings: flag, sampleRateHz: number, maxBrokenShare: number, cacheBytes: number, seed: number, count: number, uses: number,
  minDigits: number, maxDigits: number, minGapMs: number, maxGapMs: number, digitGainDb: number, gainDb: number,
  noise: text, minSnrDb: number, maxSnrDb: number,
} satisfies Record<keyof DigitsOptions, Reader>;

function refuse(what: string): never {
  throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `The digits corpus cannot be opened so: ${what}.`);
}

/**
 * Options as a user writes them, e.g. `{ heldOut: 'lucas,theo', strings: 'true' }`. Ranges are checked where they are used.
 * @throws CoppiceError `COPPICE_ARGUMENT_INVALID` for an option that there is not, or a value that is no number where one is needed
 */
export function readOptions(written: Readonly<Record<string, string | number>>): DigitsOptions {
  const isName = (name: string): name is keyof typeof readers => Object.hasOwn(readers, name);
  return Object.fromEntries(Object.entries(written).map(([name, value]) => {
    if (!isName(name)) return refuse(`there is no option '${name}'; it has ${Object.keys(readers).join(', ')}`);
    return [name, readers[name](name, value)];
  }));
}
