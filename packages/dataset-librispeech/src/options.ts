import { CoppiceError } from '@coppice/graph';

/** How the corpus is opened. */
export interface LibriSpeechOptions {
  /** So many speakers of `train`, the last ones in the order of their names, are the part `heldOut` and in no other. Default 0. */
  readonly holdOut?: number;
  /** Up to this share of the recordings of a part may lack a transcript, or of the transcripts a recording, and is skipped. Default 0.01. */
  readonly maxBrokenShare?: number;
}

const names = ['holdOut', 'maxBrokenShare'] as const satisfies readonly (keyof LibriSpeechOptions)[];

/**
 * Options as a user writes them, e.g. `{ holdOut: '6' }`.
 * @throws CoppiceError `COPPICE_ARGUMENT_INVALID` for an option that there is not, or a value that is no number
 */
export function readOptions(written: Readonly<Record<string, string | number>>): LibriSpeechOptions {
  return Object.fromEntries(Object.entries(written).map(([name, value]) => {
    if (!names.some((known) => known === name)) return refuse(`there is no option '${name}'; it has ${names.join(', ')}`);
    const parsed = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
    return Number.isFinite(parsed) ? [name, parsed] : refuse(`'${name}' must be a number, not '${value}'`);
  }));
}

/** @throws CoppiceError `COPPICE_ARGUMENT_INVALID` */
export function checkOptions({ holdOut = 0, maxBrokenShare = 0 }: LibriSpeechOptions): void {
  if (!Number.isInteger(holdOut) || holdOut < 0) refuse(`holdOut is ${holdOut} and must be a number of speakers`);
  if (!(maxBrokenShare >= 0 && maxBrokenShare <= 1)) refuse(`maxBrokenShare is ${maxBrokenShare} and must lie between 0 and 1`);
}

export function refuse(what: string): never {
  throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `The LibriSpeech corpus cannot be opened so: ${what}.`);
}
