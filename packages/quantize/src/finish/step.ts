import type { Model } from '@coppice/graph';

/** What one pass did to a model. */
export interface Pass {
  readonly model: Model;
  /** What it changed: names of nodes or values. */
  readonly changed: readonly string[];
  /** What it might have changed and did not: sentences. */
  readonly left: readonly string[];
}

export const unchanged = (model: Model, left: readonly string[] = []): Pass => ({ model, changed: [], left });
