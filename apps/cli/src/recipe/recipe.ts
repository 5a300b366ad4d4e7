import type { PlanRequest, UnitOptions } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { specAugmentPolicies } from '@coppice/speech';
import type { TuneSettings } from '../speech/tune.ts';

/**
 * Everything that decides what comes out of a run: which units go, in how many rounds, and how the accuracy grows back. Plain data, so that
 * it can be written beside the result and compared.
 */
export interface Recipe {
  /** `digits:/data/fsdd`. */
  readonly dataset: string;
  readonly datasetOptions?: Readonly<Record<string, string | number>>;
  /** Parts of the corpus. Default train, dev, test. */
  readonly splits?: { readonly train?: string; readonly dev?: string; readonly test?: string };
  /** Whether the training part is drawn anew every few epochs, where the corpus can. Default true. */
  readonly redraw?: boolean;
  /** Share of the original's multiply–accumulates to keep after each round; one entry is one-shot. */
  readonly macs: readonly number[];
  /** Default `taylor`. */
  readonly scorer?: string;
  readonly plan?: Pick<PlanRequest, 'roundTo' | 'minWidth' | 'only' | 'skip' | 'ranking'>;
  readonly units?: Pick<UnitOptions, 'norm' | 'factors'>;
  /**
   * Whether each round scores the model that it prunes. With `false` the original's scores decide in all rounds: which units go then depends on
   * nothing that was trained between rounds, and is the same on every backend. Default true.
   */
  readonly rescore?: boolean;
  /** Batches of training data that scorers and reconstruction see. Default 8. */
  readonly calibrationBatches?: number;
  /** Least-squares reconstruction of the consumers. Default true. */
  readonly reconstruct?: boolean;
  /** New statistics for batch norms. Default true. */
  readonly recalibrate?: boolean;
  /** Fine-tuning after each round; `false` for none. */
  readonly tune?: Partial<TuneSettings> | false;
  /** Steps after each round but the last; the last one has `tune.steps`. Default: the same. */
  readonly roundSteps?: number;
  /** `greedy` or the width of a beam. Default `greedy`. */
  readonly decoder?: 'greedy' | number;
  readonly seed?: number;
}

/** Returns its argument; gives a recipe file its types. */
export const defineRecipe = (recipe: Recipe): Recipe => recipe;

/** A recipe with everything filled in. */
export interface SettledRecipe extends Required<Omit<Recipe, 'tune' | 'splits'>> {
  readonly splits: { readonly train: string; readonly dev: string; readonly test: string };
  readonly tune: TuneSettings | false;
}

/** How fine-tuning is done unless a recipe says otherwise. */
export const defaultTuning: TuneSettings = {
  steps: 600, peak: 5e-4, batchSize: 16, weightDecay: 0.01, clipNorm: 5, distillation: 0, augment: 'small', speeds: [1], evaluateEvery: 100, patience: 0,
};

/**
 * Fills in defaults and checks what can be checked without the model.
 * @param where how messages call it
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` naming the entry
 */
export function settleRecipe(recipe: Recipe, where = 'The recipe'): SettledRecipe {
  checkEntries(recipe, where);
  const invalid = invalidIn(where);
  const tune = recipe.tune === false ? false : { ...defaultTuning, ...defined(recipe.tune ?? {}) };
  const settled: SettledRecipe = {
    redraw: true, scorer: 'taylor', rescore: true, plan: {}, units: {}, calibrationBatches: 8, roundSteps: tune ? tune.steps : 0, reconstruct: true, recalibrate: true, decoder: 'greedy', seed: 0, datasetOptions: {},
    ...defined(recipe), tune,
    splits: { train: 'train', dev: 'dev', test: 'test', ...defined(recipe.splits ?? {}) },
  };
  const { dataset, macs, scorer, decoder, splits } = settled;
  if (typeof dataset !== 'string') throw invalid("'dataset' must name a corpus, e.g. 'digits:/data/fsdd'");
  if (!Array.isArray(macs) || macs.length === 0 || !macs.every((share) => share > 0 && share <= 1)) throw invalid("'macs' must list shares from above 0 to 1, e.g. [0.6, 0.35, 0.2]");
  const rising = macs.findIndex((share, k) => k > 0 && share >= macs[k - 1]);
  if (rising > 0) throw invalid(`'macs' must fall from round to round, and ${macs[rising]} follows ${macs[rising - 1]}`);
  if (typeof scorer !== 'string') throw invalid("'scorer' must be the name of a scorer; `coppice scorers` lists them");
  for (const [name, split] of Object.entries(splits)) if (typeof split !== 'string') throw invalid(`'splits.${name}' must name a part of the corpus`);
  for (const [name, least] of Object.entries({ calibrationBatches: 1, roundSteps: 0, seed: 0 } as const)) {
    const value = settled[name as 'seed'];
    if (!Number.isSafeInteger(value) || value < least) throw invalid(`'${name}' is ${value}, and must be a whole number from ${least}`);
  }
  for (const name of ['redraw', 'rescore', 'reconstruct', 'recalibrate'] as const) if (typeof settled[name] !== 'boolean') throw invalid(`'${name}' is ${String(settled[name])}, and must be true or false`);
  if (decoder !== 'greedy' && !(Number.isInteger(decoder) && decoder >= 1)) throw invalid(`'decoder' is ${String(decoder)}, and must be 'greedy' or the width of a beam`);
  checkPlan(settled, invalid);
  if (tune) checkTuning(tune, invalid);
  return settled;
}

type Invalid = (what: string) => CoppiceError;

const invalidIn = (where: string): Invalid => (what) => new CoppiceError('COPPICE_CONFIG_INVALID', `${where} cannot be used: ${what}.`);

/** The entries of a recipe and of its parts. */
export const recipeEntries = {
  recipe: Object.keys({
    dataset: 0, datasetOptions: 0, splits: 0, redraw: 0, macs: 0, scorer: 0, rescore: 0, plan: 0, units: 0, calibrationBatches: 0, reconstruct: 0, recalibrate: 0, tune: 0, roundSteps: 0, decoder: 0, seed: 0,
  } satisfies Record<keyof Recipe, 0>),
  splits: ['train', 'dev', 'test'],
  plan: Object.keys({ ranking: 0, roundTo: 0, minWidth: 0, only: 0, skip: 0 } satisfies Record<keyof SettledRecipe['plan'], 0>),
  units: Object.keys({ norm: 0, factors: 0 } satisfies Record<keyof SettledRecipe['units'], 0>),
  tune: Object.keys(defaultTuning),
} as const;

/**
 * Refuses entries that nobody knows, in a recipe or a part of one.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` naming the entry
 */
export function checkEntries(recipe: Partial<Recipe>, where: string): void {
  const invalid = invalidIn(where);
  if (!isRecord(recipe)) throw invalid('it is not an object. Write `export default defineRecipe({ … })`');
  refuseUnknown(recipe, recipeEntries.recipe, 'it has', invalid);
  for (const name of ['splits', 'plan', 'units', 'tune', 'datasetOptions'] as const) {
    const part: unknown = recipe[name];
    if (part === undefined || (name === 'tune' && part === false)) continue;
    if (!isRecord(part)) throw invalid(`'${name}' must be an object${name === 'tune' ? ', or false for no fine-tuning' : ''}`);
    if (name !== 'datasetOptions') refuseUnknown(part, recipeEntries[name], `'${name}' has`, invalid);
  }
}

function refuseUnknown(part: object, known: readonly string[], whose: string, invalid: Invalid): void {
  const unknown = Object.keys(part).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalid(`${whose} an entry '${unknown}', and only ${known.join(', ')} are known`);
}

function checkPlan({ plan: { ranking, roundTo, minWidth, only, skip }, units: { norm, factors } }: SettledRecipe, invalid: Invalid): void {
  for (const [name, value] of Object.entries({ roundTo, minWidth })) if (value !== undefined && !(Number.isInteger(value) && value >= 1)) throw invalid(`'plan.${name}' is ${value}, and must be a whole number from 1`);
  for (const [name, value] of Object.entries({ only, skip })) if (value !== undefined && !(Array.isArray(value) && value.every((glob) => typeof glob === 'string'))) throw invalid(`'plan.${name}' must list names of groups or patterns, e.g. ['rnn*']`);
  const oneOf = { 'plan.ranking': [ranking, ['uniform', 'global']], 'units.norm': [norm, ['exact', 'shrink', 'freeze']], 'units.factors': [factors, ['heads', 'head-dim']] } as const;
  for (const [name, [value, choices]] of Object.entries(oneOf)) if (value !== undefined && !(choices as readonly string[]).includes(value)) throw invalid(`'${name}' is '${value}', and must be one of ${choices.join(', ')}`);
}

function checkTuning(tune: TuneSettings, invalid: Invalid): void {
  for (const name of ['steps', 'batchSize', 'evaluateEvery'] as const) if (!Number.isInteger(tune[name]) || tune[name] < 1) throw invalid(`'tune.${name}' is ${tune[name]}, and must be a whole number from 1`);
  for (const name of ['peak', 'clipNorm'] as const) if (!(tune[name] > 0 && tune[name] < Infinity)) throw invalid(`'tune.${name}' is ${tune[name]}, and must be above 0`);
  if (!(tune.weightDecay >= 0 && tune.weightDecay < Infinity)) throw invalid(`'tune.weightDecay' is ${tune.weightDecay}, and must not be below 0`);
  if (!Number.isInteger(tune.patience) || tune.patience < 0) throw invalid(`'tune.patience' is ${tune.patience}, and must be a whole number from 0`);
  if (!(tune.distillation >= 0 && tune.distillation <= 1)) throw invalid(`'tune.distillation' is ${tune.distillation}, and must be from 0 to 1`);
  if (!Array.isArray(tune.speeds) || tune.speeds.length === 0 || !tune.speeds.every((speed) => speed >= 0.5 && speed <= 2)) throw invalid(`'tune.speeds' must list factors from 0.5 to 2, e.g. [0.9, 1, 1.1]`);
  if (tune.augment !== 'none' && !Object.hasOwn(specAugmentPolicies, tune.augment)) throw invalid(`'tune.augment' is '${tune.augment}', and must be none or one of ${Object.keys(specAugmentPolicies).join(', ')}`);
}

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Entries that are there but undefined say nothing. */
const defined = <T extends object>(given: T): T => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
