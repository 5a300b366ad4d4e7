import type { Recipe } from '@coppice/cli';

/** One run of a study: a recipe, and what distinguishes it. */
export interface Cell {
  /** Folder name of the run. */
  readonly name: string;
  readonly scorer: string;
  /** Share of the multiply–accumulates that is kept in the end. */
  readonly keep: number;
  readonly schedule: 'one-shot' | 'iterative';
  readonly recovery: keyof typeof recoveries;
  readonly seed: number;
  readonly recipe: Omit<Recipe, 'dataset' | 'datasetOptions'>;
}

/** What the cells of one study have in common. */
export interface StudySettings {
  /** Fine-tuning steps of a run, all rounds together. */
  readonly steps: number;
  readonly tune?: NonNullable<Exclude<Recipe['tune'], false>>;
  /** Shares of the multiply–accumulates that are kept. */
  readonly keep: readonly number[];
  readonly schedules: readonly Cell['schedule'][];
  readonly seeds: readonly number[];
  readonly splits?: Recipe['splits'];
  /** How a cut is followed up where a study does not vary that. */
  readonly recovery: keyof typeof recoveries;
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
  all: { reconstruct: true, recalibrate: true, tune: { distillation: 0 } },
  'all and distillation': { reconstruct: true, recalibrate: true, tune: { distillation: 0.5 } },
} as const satisfies Record<string, Pick<Recipe, 'reconstruct' | 'recalibrate' | 'tune'>>;

interface CellParts extends Pick<Cell, 'scorer' | 'keep' | 'schedule' | 'seed'> {
  readonly recovery: keyof typeof recoveries;
}

/** A run; the steps of an iterative one are shared by its rounds, the last one having half of them. */
export function cell({ scorer, keep, schedule, recovery, seed }: CellParts, { steps, tune, splits }: StudySettings): Cell {
  const macs = schedule === 'one-shot' ? [keep] : roundsTo(keep);
  const chosen = recoveries[recovery];
  const last = macs.length === 1 ? steps : Math.round(steps / 2);
  return {
    name: [scorer, `keep${Math.round(100 * keep)}`, schedule, recovery.replaceAll(' ', '-'), `seed${seed}`].join('_'), scorer, keep, schedule, recovery, seed,
    recipe: {
      scorer, macs, seed, splits, ...chosen, tune: chosen.tune && { ...tune, ...chosen.tune, steps: last }, roundSteps: macs.length === 1 ? 0 : Math.round((steps - last) / (macs.length - 1)),
      // WebAssembly computes four numbers at a time.
      plan: { ranking: 'uniform', roundTo: 4 },
    },
  };
}

/** Every scorer once for each share, one-shot, with and without recovery. */
export const everyScorer = (scorers: readonly string[], settings: StudySettings): Cell[] =>
  scorers.flatMap((scorer) => settings.keep.flatMap((keep) => (['none', settings.recovery] as const).map((recovery) => cell({ scorer, keep, schedule: 'one-shot', recovery, seed: settings.seeds[0] }, settings))));

/** Some scorers over all shares, schedules and seeds; seeds change slowest, so that a study that is cut short has whole curves. */
export const curves = (scorers: readonly string[], settings: StudySettings): Cell[] =>
  settings.seeds.flatMap((seed) => settings.keep.flatMap((keep) => settings.schedules.flatMap((schedule) => scorers.map((scorer) => cell({ scorer, keep, schedule, recovery: settings.recovery, seed }, settings)))));

/** What each part of recovery gives back. */
export const recoveryParts = (scorer: string, settings: StudySettings): Cell[] =>
  settings.keep.flatMap((keep) => (Object.keys(recoveries) as (keyof typeof recoveries)[]).map((recovery) => cell({ scorer, keep, schedule: 'one-shot', recovery, seed: settings.seeds[0] }, settings)));
