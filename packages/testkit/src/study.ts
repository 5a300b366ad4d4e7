import { createRandom, findUnits, traceModel, type Backend } from '@coppice/core';
import { printUnits } from './print-units.ts';
import { proveCase, randomPlan, type Outcome } from './prove.ts';
import { buildCase, randomRecipe, type Case, type Recipe } from './random-graph.ts';
import { shrinkRecipe } from './shrink.ts';

/** A case that did not come out equal, as small as it could be made. */
export interface Failure {
  readonly seed: number;
  readonly kind: Outcome['kind'];
  readonly message: string;
  /** The blocks that are left. */
  readonly blocks: readonly string[];
  readonly recipe: Recipe;
  /** The graph with its units, and which of them were removed. */
  readonly graph: string;
}

/** What a number of random cases gave. */
export interface Study {
  readonly cases: number;
  /** Plans that were tried. */
  readonly cuts: number;
  readonly outcomes: Readonly<Record<Outcome['kind'], number>>;
  /** How many units went, all cases together. */
  readonly removed: number;
  /** Largest difference, relative to the scale of its output, of those that count as equal: in float32 throughout, and with steps to 8 bits. */
  readonly widest: number;
  readonly widestQuantised: number;
  /** How many cases used each block, operator and peculiarity, or were of each opset, and came out equal. */
  readonly blocks: Readonly<Record<string, number>>;
  readonly traits: Readonly<Record<string, number>>;
  readonly opsets: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly seconds: number;
}

export interface StudyOptions {
  readonly from: number;
  readonly cases: number;
  /** Plans for each case. Default 1. */
  readonly plans?: number;
  /** Failures that are made small and printed; later ones are only counted. Default 5. */
  readonly explain?: number;
  readonly progress?: (done: number) => void;
}

/** The outcome of a case, its states released if the recipe says so. */
export const proveRecipe = ({ recipe, model, release }: Case, backend: Backend, plans = 1): Promise<Outcome> =>
  proveCase(model, recipe.seed, backend, { dims: recipe.dims, release, plans, factors: recipe.factors });

const isGood = ({ kind }: Outcome): boolean => kind === 'equal' || kind === 'frozen';

/** Proves the cases of consecutive seeds. */
export async function runStudy(backend: Backend, { from, cases, plans = 1, explain = 5, progress }: StudyOptions): Promise<Study> {
  const start = performance.now();
  const outcomes: Record<Outcome['kind'], number> = { equal: 0, frozen: 0, wrong: 0, refused: 0, failed: 0 };
  const [blocks, traits, opsets]: Record<string, number>[] = [{}, {}, {}];
  const count = (table: Record<string, number>, key: string) => { table[key] = (table[key] ?? 0) + 1; };
  const failures: Failure[] = [];
  let [removed, widest, widestQuantised] = [0, 0, 0];
  for (let seed = from; seed < from + cases; seed++) {
    const one = buildCase(randomRecipe(seed));
    const outcome = await proveRecipe(one, backend, plans);
    outcomes[outcome.kind]++;
    if (!isGood(outcome)) failures.push(failures.length < explain ? await explainFailure(one, outcome, backend, plans) : brief(one, outcome));
    if (outcome.kind === 'equal') {
      removed += outcome.removed;
      if (one.traits.has('op:QuantizeLinear')) widestQuantised = Math.max(widestQuantised, outcome.relative);
      else widest = Math.max(widest, outcome.relative);
      for (const block of new Set(one.used)) count(blocks, block);
      for (const trait of one.traits) count(traits, trait);
      count(opsets, String(one.recipe.opset));
      if (one.recipe.factors === 'head-dim') count(traits, 'head widths instead of heads');
    }
    progress?.(seed - from + 1);
  }
  return { cases, cuts: outcomes.equal * plans, outcomes, removed, widest, widestQuantised, blocks, traits, opsets, failures, seconds: (performance.now() - start) / 1000 };
}

/** Several studies as one; seconds are those of the longest, as if they had run side by side. */
export function mergeStudies(studies: readonly Study[]): Study {
  const sum = (of: (s: Study) => number) => studies.reduce((total, s) => total + of(s), 0);
  const tables = (of: (s: Study) => Readonly<Record<string, number>>) => {
    const total: Record<string, number> = {};
    for (const s of studies) for (const [key, n] of Object.entries(of(s))) total[key] = (total[key] ?? 0) + n;
    return total;
  };
  return {
    cases: sum((s) => s.cases), cuts: sum((s) => s.cuts), removed: sum((s) => s.removed),
    outcomes: tables((s) => s.outcomes) as Study['outcomes'],
    blocks: tables((s) => s.blocks), traits: tables((s) => s.traits), opsets: tables((s) => s.opsets),
    widest: Math.max(...studies.map((s) => s.widest)),
    widestQuantised: Math.max(...studies.map((s) => s.widestQuantised)),
    failures: studies.flatMap((s) => s.failures),
    seconds: Math.max(...studies.map((s) => s.seconds)),
  };
}

const messageOf = (outcome: Outcome): string => ('message' in outcome ? outcome.message : outcome.kind);

const brief = ({ recipe, used }: Case, outcome: Outcome): Failure =>
  ({ seed: recipe.seed, kind: outcome.kind, message: messageOf(outcome), blocks: used, recipe, graph: '' });

/** Makes a failing case small and prints it. */
export async function explainFailure(one: Case, outcome: Outcome, backend: Backend, plans = 1): Promise<Failure> {
  const tries = Math.max(plans, 3);
  const recipe = await shrinkRecipe(one.recipe, async (smaller) => (await proveRecipe(buildCase(smaller), backend, tries)).kind === outcome.kind);
  const small = buildCase(recipe);
  const last = await proveRecipe(small, backend, tries);
  return { ...brief(small, isGood(last) ? outcome : last), graph: await printCase(small, backend, tries) };
}

/** The graph of a case with its units and the plans that were tried. */
export async function printCase({ recipe, model, release }: Case, backend: Backend, plans: number): Promise<string> {
  try {
    const units = findUnits(await traceModel(model, backend, { dims: recipe.dims, seed: recipe.seed }), { release, factors: recipe.factors });
    const tried = Array.from({ length: plans }, (_, plan) => `plan ${plan} removes ${randomPlan(units, createRandom(`${recipe.seed}/plan/${plan}`)).join(' ')}`);
    return [printUnits(units), ...tried].join('\n');
  } catch (error) {
    return `(no units to print: ${error instanceof Error ? error.message : String(error)})`;
  }
}
