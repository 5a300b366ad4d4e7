import { CoppiceError } from '@coppice/graph';
import type { PhoneSet } from './phones.ts';

/** How the corpus is opened. */
export interface TimitOptions {
  /** The set that an utterance's `phones` are in. Default 39, which errors are counted in. */
  readonly phones?: PhoneSet;
  /** Whether the two sentences that every speaker reads (SA1, SA2) are there; results are published without. Default false. */
  readonly sa?: boolean;
  /** `normalised`: lower case, without punctuation, as in TIMIT's own word files; `written`: as the sentence was given to the speaker. Default `normalised`. */
  readonly text?: 'normalised' | 'written';
  /** Up to this share of the recordings of a part may lack phones or a sentence, and is skipped. Default 0.01. */
  readonly maxBrokenShare?: number;
}

/** Options with defaults for what was not said. */
export type ReadTimitOptions = Required<TimitOptions>;

const defaults: ReadTimitOptions = { phones: 39, sa: false, text: 'normalised', maxBrokenShare: 0.01 };

/**
 * Options as a user writes them, e.g. `{ phones: '48', sa: 'true' }`.
 * @throws CoppiceError `COPPICE_ARGUMENT_INVALID` for an option that there is not, or a value that it cannot have
 */
export function readOptions(written: Readonly<Record<string, unknown>>): ReadTimitOptions {
  const unknown = Object.keys(written).find((name) => !Object.hasOwn(defaults, name));
  if (unknown !== undefined) return refuse(`there is no option '${unknown}'; it has ${Object.keys(defaults).join(', ')}`);
  const { phones, sa, text, maxBrokenShare }: Partial<Record<string, unknown>> = { ...defaults, ...written };
  const set = ([61, 48, 39] as const).find((size) => size === Number(phones));
  const withSa = ({ 1: true, true: true, yes: true, 0: false, false: false, no: false } as Partial<Record<string, boolean>>)[String(sa)];
  const kind = (['normalised', 'written'] as const).find((name) => name === text);
  const share = String(maxBrokenShare).trim() === '' ? Number.NaN : Number(maxBrokenShare);
  if (set === undefined) return refuse(`phones is '${String(phones)}' and must be 61, 48 or 39`);
  if (withSa === undefined) return refuse(`sa is '${String(sa)}' and must be true or false`);
  if (kind === undefined) return refuse(`text is '${String(text)}' and must be normalised or written`);
  if (!(share >= 0 && share <= 1)) return refuse(`maxBrokenShare is '${String(maxBrokenShare)}' and must lie between 0 and 1`);
  return { phones: set, sa: withSa, text: kind, maxBrokenShare: share };
}

function refuse(what: string): never {
  throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `TIMIT cannot be opened so: ${what}.`);
}
