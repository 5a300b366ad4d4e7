import { convolutions } from './convolutions.ts';
import { movements } from './movements.ts';
import { norms } from './norms.ts';
import { products } from './products.ts';
import { recurrentBlocks } from './recurrent.ts';

export const byFamily = {
  convolutions, movements, products, norms, recurrent: recurrentBlocks,
} as const;

export const blocks = { ...convolutions, ...movements, ...products, ...norms, ...recurrentBlocks };
export type BlockName = keyof typeof blocks;
export const blockNames = Object.keys(blocks) as BlockName[];

/** The family that a block belongs to. */
export const familyOf = (block: BlockName): string => Object.entries(byFamily).find(([, members]) => Object.hasOwn(members, block))![0];
