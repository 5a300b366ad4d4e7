import type { Recipe } from '@coppice/cli';

/** One run of a study: a recipe, and what distinguishes it. */
export interface Cell {
  /** Folder name of the run. */
  readonly name: string;
  readonly scorer: string;
  /** Share of the multiply–accumulates that is kept in the end. */
  readonly keep: number;
  readonly schedule: 'one-shot' | 'iterative';
  readonly recovery: string;
  readonly seed: number;
  readonly recipe: Omit<Recipe, 'dataset' | 'datasetOptions'>;
}

/** What the cells of one study have in common. */
export interface StudySettings {
  /** Fine-tuning steps of a run, all rounds together. */
  readonly steps: number;
  readonly tune?: NonNullable<Exclude<Recipe['tune'], false>>;
}

/** Shares after each round: about equal factors, at most a third of the compute at once. */
export const roundsTo = (keep: number): number[] => {
  const rounds = Math.max(2, Math.ceil(Math.log(keep) / Math.log(0.62)));
  return Array.from({ length: rounds }, (_, k) => (k === rounds - 1 ? keep : Number((keep ** ((k + 1) / rounds)).toFixed(4))));
};

/** How a cut is followed up. */
export const recoveries = {
  none: { reconstruct: false, recalibrate: false, tune: false },
  'least squares': { reconstruct: true, recalibrate: false, tune: false },
  'batch norm': { reconstruct: false, recalibrate: true, tune: false },
  'closed form': { reconstruct: true, recalibrate: true, tune: false },
  'fine-tuning': { reconstruct: false, recalibrate: false, tune: { distillation: 0 } },
  distillation: { reconstruct: false, recalibrate: false, tune: { distillation: 1 } },
  all: { reconstruct: true, recalibrate: true, tune: { distillation: 0.5 } },
} as const satisfies Record<string, Pick<Recipe, 'reconstruct' | 'recalibrate' | 'tune'>>;

interface CellParts extends Pick<Cell, 'scorer' | 'keep' | 'schedule' | 'seed'> {
  readonly recovery: keyof typeof recoveries;
}

/** A run; the steps of an iterative one are shared by its rounds, the last one having half of them. */
export function cell({ scorer, keep, schedule, recovery, seed }: CellParts, { steps, tune }: StudySettings): Cell {
  const macs = schedule === 'one-shot' ? [keep] : roundsTo(keep);
  const chosen = recoveries[recovery];
  const last = macs.length === 1 ? steps : Math.round(steps / 2);
  return {
    name: [scorer, `keep${Math.round(100 * keep)}`, schedule, recovery.replaceAll(' ', '-'), `seed${seed}`].join('_'), scorer, keep, schedule, recovery, seed,
    recipe: {
      scorer, macs, seed, ...chosen, tune: chosen.tune && { ...tune, ...chosen.tune, steps: last }, roundSteps: macs.length === 1 ? 0 : Math.round((steps - last) / (macs.length - 1)),
      plan: { ranking: 'uniform' },
    },
  };
}

/** Every scorer once at half and at a fifth of the compute, one-shot, with and without recovery. */
export const everyScorer = (scorers: readonly string[], settings: StudySettings): Cell[] =>
  scorers.flatMap((scorer) => [0.5, 0.2].flatMap((keep) => (['none', 'all'] as const).map((recovery) => cell({ scorer, keep, schedule: 'one-shot', recovery, seed: 0 }, settings))));

/** Some scorers from 70 % to 10 % of the compute, one-shot and iterative, with three seeds. */
export const curves = (scorers: readonly string[], settings: StudySettings): Cell[] =>
  scorers.flatMap((scorer) => [0.7, 0.5, 0.35, 0.2, 0.1].flatMap((keep) => (['one-shot', 'iterative'] as const).flatMap((schedule) => [0, 1, 2].map((seed) => cell({ scorer, keep, schedule, recovery: 'all', seed }, settings)))));

/** What each part of recovery gives back, at half and at a fifth of the compute. */
export const recoveryParts = (scorer: string, settings: StudySettings): Cell[] =>
  [0.5, 0.2].flatMap((keep) => (Object.keys(recoveries) as (keyof typeof recoveries)[]).map((recovery) => cell({ scorer, keep, schedule: 'one-shot', recovery, seed: 0 }, settings)));
