import { attentions } from './attention.ts';
import { bodies } from './bodies.ts';
import { convolutions } from './convolutions.ts';
import { movements } from './movements.ts';
import { norms } from './norms.ts';
import { products } from './products.ts';
import { recurrentBlocks } from './recurrent.ts';
import { residuals } from './residuals.ts';

/** All blocks by family; the numbers are those of DESIGN.md's list of traps. */
export const byFamily = {
  /** 5 and 12. */
  convolutions,
  /** 1 to 4, 9 and 13. */
  movements,
  /** 12. */
  products,
  /** 5 and 10. */
  norms,
  /** 6. */
  recurrent: recurrentBlocks,
  /** 7. */
  attention: attentions,
  /** 8, 9, 10 and 13. */
  residuals,
  /** 9 and 13. */
  bodies,
} as const;

export const blocks = { ...convolutions, ...movements, ...products, ...norms, ...recurrentBlocks, ...attentions, ...residuals, ...bodies };
export type BlockName = keyof typeof blocks;
export const blockNames = Object.keys(blocks) as BlockName[];

/** The family that a block belongs to. */
export const familyOf = (block: BlockName): string => Object.entries(byFamily).find(([, members]) => Object.hasOwn(members, block))![0];
