import { CoppiceError } from '@coppice/graph';
import type { Slice } from './analysis/collect.ts';
import type { UnitOptions, Units } from './analysis/units.ts';
import type { Cost } from './cost.ts';
import { removedUnits, type Plan, type PlanRequest, type RemovedUnit } from './plan.ts';
import type { OutputDifference, Verdict } from './verify.ts';

/** Which file a plan speaks of. */
export interface FileIdentity {
  /** Name without folders. */
  readonly name: string;
  /** Of the bytes of the `.onnx` file, followed by those of its external data files in the order in which the model first names them. */
  readonly sha256: string;
  /** Of all these files together. */
  readonly bytes: number;
}

/** All that decides which units a model has and which of them go. */
export interface PlanFileRequest extends PlanRequest, UnitOptions {
  readonly scorer: string;
  readonly seed: number;
  /** Sizes of open input dimensions that were fixed for the trace. */
  readonly dims?: Readonly<Record<string, number>>;
}

export interface BeforeAfter {
  readonly before: number;
  readonly after: number;
}

/** A plan as a file: what was asked, what was got, and every removed slice in the coordinates of the original. `docs/plan-file.md` describes it. */
export interface PlanFile {
  readonly format: 'coppice-plan';
  readonly version: 1;
  readonly original: FileIdentity;
  readonly slim: FileIdentity;
  readonly request: PlanFileRequest;
  /** Multiply–accumulates of the first traced run, elements of weights, their bytes, and the median of a run where it was measured. */
  readonly got: Readonly<Record<keyof Cost, BeforeAfter>> & { readonly latencyMs?: BeforeAfter };
  readonly verdict: Pick<Verdict, 'equal' | 'kind' | 'runs'> & Pick<OutputDifference, 'output' | 'absolute' | 'relative' | 'tolerance'>;
  /** Values that the original computes from weights and that are initializers of the slim model; slices may name them. */
  readonly baked: readonly string[];
  readonly removed: readonly RemovedUnit[];
}

/** What `toPlanFile` puts together. */
export interface PlanFileParts {
  readonly original: FileIdentity;
  readonly slim: FileIdentity;
  readonly request: PlanFileRequest;
  readonly units: Units;
  readonly plan: Plan;
  readonly verdict: Verdict;
  readonly baked: readonly string[];
  readonly latencyMs?: BeforeAfter;
}

/** The file of a plan that was carried out and verified. */
export function toPlanFile({ original, slim, request, units, plan, verdict, baked, latencyMs }: PlanFileParts): PlanFile {
  const { equal, kind, runs, worst } = verdict;
  const measure = (name: keyof Cost): BeforeAfter => ({ before: plan.before[name], after: plan.after[name] });
  return {
    format: 'coppice-plan',
    version: 1,
    original,
    slim,
    request: { ...request, ...units.options },
    got: { macs: measure('macs'), params: measure('params'), bytes: measure('bytes'), ...(latencyMs && { latencyMs }) },
    verdict: { equal, kind, runs, output: worst.output, absolute: worst.absolute, relative: worst.relative, tolerance: worst.tolerance },
    baked,
    removed: removedUnits(units, plan),
  };
}

/**
 * The units that a plan file removes, by id, ascending. Units are recognised by their slices, so a plan survives a change of names and order.
 * @param units of the same original, found with the options of the plan's request
 * @throws CoppiceError `COPPICE_PLAN_INVALID` when an entry is no unit of this model, or is there twice
 */
export function fromPlanFile(units: Units, file: Pick<PlanFile, 'removed'>): number[] {
  const ids = new Map(units.units.map(({ id, slices }) => [keyOf(slices), id]));
  const removed = new Set<number>();
  for (const { group, lane, unit, slices } of file.removed) {
    const id = ids.get(keyOf(slices));
    const entry = `Unit ${unit} of '${group}'${lane > 0 ? `, lane ${lane},` : ''}`;
    if (id === undefined) throw new CoppiceError('COPPICE_PLAN_INVALID', `${entry} in the plan has slices that are no unit of this model. The plan belongs to another model, was edited, or comes from another version of Coppice; make it again with \`coppice prune\`.`);
    if (removed.has(id)) throw new CoppiceError('COPPICE_PLAN_INVALID', `${entry} is in the plan twice. Remove one of the two entries.`);
    removed.add(id);
  }
  return [...removed].toSorted((a, b) => a - b);
}

const keyOf = (slices: readonly Slice[]): string =>
  slices.map(({ initializer, axis, indices, at = {} }) => JSON.stringify([initializer, axis, indices, Object.entries(at).toSorted()])).toSorted().join('\n');
