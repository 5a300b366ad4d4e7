import { CoppiceError } from '@coppice/graph';

/** How a list of recordings is read. */
export interface ManifestOptions {
  /** Folder that paths of recordings start from. Default: the folder of the list, or what the layout says. */
  readonly root?: string;
  /** Names of columns or entries, where they are none of the usual ones. */
  readonly pathColumn?: string;
  readonly textColumn?: string;
  readonly speakerColumn?: string;
  readonly idColumn?: string;
  readonly splitColumn?: string;
  /** Up to this share of the recordings of a part may be missing or lack a transcript, and is skipped. Default 0.01. */
  readonly maxBrokenShare?: number;
}

const names = ['root', 'pathColumn', 'textColumn', 'speakerColumn', 'idColumn', 'splitColumn', 'maxBrokenShare'] as const satisfies readonly (keyof ManifestOptions)[];

/**
 * Options as a user writes them, e.g. `{ textColumn: 'normalised', maxBrokenShare: '0.05' }`.
 * @throws CoppiceError `COPPICE_ARGUMENT_INVALID` for an option that there is not, or a share that is none
 */
export function readOptions(written: Readonly<Record<string, string | number>>): ManifestOptions {
  return Object.fromEntries(Object.entries(written).map(([name, value]) => {
    if (!names.some((known) => known === name)) throw refusal(`there is no option '${name}'; it has ${names.join(', ')}`);
    return name === 'maxBrokenShare' ? [name, readShare(value)] : [name, String(value)];
  }));
}

/** @throws CoppiceError `COPPICE_ARGUMENT_INVALID` */
export function readShare(value: string | number): number {
  const share = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
  if (!(share >= 0 && share <= 1)) throw refusal(`maxBrokenShare is '${value}' and must lie between 0 and 1`);
  return share;
}

const refusal = (what: string): CoppiceError => new CoppiceError('COPPICE_ARGUMENT_INVALID', `The manifest cannot be opened so: ${what}.`);
