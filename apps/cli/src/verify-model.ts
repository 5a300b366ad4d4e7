import { fromPlanFile, maskModel, verifyCut, type PlanFile, type Verdict } from '@coppice/core';
import { readModel, writeModel } from '@coppice/graph/node';
import type { Context } from './context.ts';
import { filesOf, identifyFiles } from './model-hash.ts';
import { openModel, type RunOptions } from './model-options.ts';
import { checkOutputs, uninterrupted } from './output-files.ts';
import { assertOriginal, readPlan } from './plan-document.ts';
import { randomRuns } from './random-inputs.ts';

/** Options of `coppice verify`. */
export interface VerifyModelOptions extends RunOptions {
  readonly plan: string;
  /** Random inputs to compare on; one more where inputs were given. */
  readonly runs: number;
  readonly tolerance?: number;
  readonly writeMasked?: string;
  readonly force?: boolean;
}

/** What came of comparing. */
export interface VerifyReport {
  readonly original: string;
  readonly slim: string;
  readonly plan: string;
  readonly removedUnits: number;
  readonly verdict: Verdict;
  readonly warnings: readonly string[];
  readonly masked: string | null;
}

/** Compares a slim model with the original whose removed units are masked, as the plan names them. */
export async function verifyModel(path: string, slimPath: string, options: VerifyModelOptions, context: Context): Promise<VerifyReport> {
  const { plan: planPath, writeMasked, force } = options;
  if (writeMasked !== undefined) checkOutputs([writeMasked], { force, inputs: [path, slimPath, planPath] });
  const plan = readPlan(planPath);
  const model = readModel(path);
  assertOriginal(plan, identifyFiles(filesOf(model, path)));
  const slim = readModel(slimPath);
  const warnings = slimWarnings(plan, identifyFiles(filesOf(slim, slimPath)).sha256, slimPath);
  const { norm = 'exact', factors = 'heads', release, dims } = plan.request;
  const { units, trace, backend, given } = await openModel(path, { ...options, norm, factors, release, dim: { ...dims, ...options.dim } }, context, model);
  const removed = fromPlanFile(units, plan);
  if (writeMasked !== undefined) await uninterrupted(() => writeModel(maskModel(units, removed), writeMasked, { force }));
  context.terminal.progress('comparing the slim model with the masked original');
  const verdict = await verifyCut(units, removed, slim, backend, { inputs: randomRuns(trace, given, options.runs), tolerance: options.tolerance });
  return { original: path, slim: slimPath, plan: planPath, removedUnits: removed.length, verdict, warnings, masked: writeMasked ?? null };
}

const slimWarnings = (plan: PlanFile, sha256: string, path: string): string[] =>
  (plan.slim.sha256 === sha256 ? [] : [`${path} is not the file that the plan was written with (SHA-256 ${sha256.slice(0, 12)}… instead of ${plan.slim.sha256.slice(0, 12)}…). It is compared all the same.`]);
