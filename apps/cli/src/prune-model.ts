import {
  assertEqual, assertPreparation, cutModel, Kept, narrowInputs, planCut, scoreUnits, toPlanFile, verifyCut,
  type Backend, type BeforeAfter, type Cost, type NamedTensors, type Plan, type PlanFileRequest, type PlanRequest, type Units, type Verdict,
} from '@coppice/core';
import { CoppiceError, type Model } from '@coppice/graph';
import { writeModel } from '@coppice/graph/node';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { scorerNamed } from './container.ts';
import type { Context } from './context.ts';
import { readBatches, type NamedFile } from './input-files.ts';
import { measureInTurns, type Timing } from './measure.ts';
import { filesOf, identifyFiles } from './model-hash.ts';
import { openModel, type AnalysisOptions } from './model-options.ts';
import { checkOutputs, uninterrupted } from './output-files.ts';
import { planText, writeText } from './plan-document.ts';
import { noteReleased, releasedShapes, type ReleasedShapes } from './released-states.ts';
import { randomRuns } from './random-inputs.ts';
import { withTrueMetadata } from './state-metadata.ts';

/** Options of `coppice prune`. */
export interface PruneOptions extends AnalysisOptions {
  readonly out: string;
  /** Default: `plan.json` in the folder of `out`. */
  readonly plan?: string;
  readonly macs?: number;
  readonly params?: number;
  readonly bytes?: number;
  readonly group?: Readonly<Record<string, number>>;
  readonly roundTo?: number;
  readonly minWidth?: number;
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  readonly ranking?: 'uniform' | 'global';
  readonly scorer: string;
  readonly seed: number;
  readonly data?: readonly NamedFile[];
  readonly force?: boolean;
}

/** What came of pruning. */
export interface PruneReport {
  readonly original: string;
  readonly slim: string;
  readonly plan: string;
  readonly request: PlanFileRequest;
  readonly got: Readonly<Record<keyof Cost, BeforeAfter>>;
  /** Bytes of the files of each model, external data included. */
  readonly fileBytes: BeforeAfter;
  readonly latency: { readonly backend: string; readonly before: Timing; readonly after: Timing; readonly inputs: Readonly<Record<string, readonly number[]>> } | null;
  readonly widths: Plan['widths'];
  readonly verdict: Verdict;
  readonly released: ReleasedShapes;
  readonly notes: readonly string[];
  readonly baked: readonly string[];
  readonly milliseconds: Readonly<Record<'read' | 'trace' | 'units' | 'score' | 'plan' | 'cut' | 'verify', number>>;
}

/**
 * Prunes a model file: read, trace, find units, score, plan, cut, verify, measure, write. The slim model and its plan are written
 * together, and only when the slim model equals the masked original.
 */
export async function pruneModel(path: string, options: PruneOptions, context: Context): Promise<PruneReport> {
  const { terminal } = context;
  const { out, plan: planPath = join(dirname(out), 'plan.json'), force = false } = options;
  checkOutputs([out, planPath], { force, inputs: [path] });
  const scorer = scorerNamed(context.container, options.scorer);
  const request = planRequest(options, scorer.comparable);
  const { model, backend, trace, units, given, milliseconds } = await openModel(path, options, context);
  const files = filesOf(model, path);
  const original = identifyFiles(files);
  const notes: string[] = [...trace.notes];

  terminal.progress(`scoring ${units.units.length} units with ${scorer.name}`);
  const [scores, score] = await timed(() => scoreUnits(units, scorer, {
    seed: options.seed, backend, onNote: (note) => notes.push(note),
    data: options.data && readBatches(model, options.data, trace.runs[0].inputs),
  }));
  const [plan, planning] = await timed(() => planCut(units, scores, request));
  notes.push(...plan.notes);
  const [cut, cutting] = await timed(() => cutModel(units, plan.removed));
  const released = releasedShapes(model, cut);
  const slim = withTrueMetadata(noteReleased(cut, released), released, notes);
  for (const name of units.options.release) if (!released[name]) notes.push(`'${name}' was released but keeps its width: nothing that it reaches was pruned. A state is released at both ends, its input and its output; \`coppice inspect\` with the same --release says what still freezes it.`);
  terminal.progress('comparing the slim model with the masked original');
  const inputs = randomRuns(trace, given, VERIFY_RUNS);
  const [verdict, verify] = await timed(async () => {
    await assertPreparation(model, trace, backend, inputs);
    return verifyCut(units, plan.removed, slim, backend, { inputs });
  });
  assertEqual(verdict);
  terminal.progress('measuring');
  const latency = await measure({ units, model, slim, removed: plan.removed, backend, inputs: trace.runs[0].inputs, notes });

  if (latency && latency.after.medianMs > 0.95 * latency.before.medianMs) {
    notes.push(`The slim model is not faster on ${latency.backend}. Small models are bound by the number of nodes; odd widths may cost (--round-to 8), and so do norms that run at the full width to stay exact (--norm shrink, where fine-tuning follows).`);
  }
  const asked: PlanFileRequest = { ...request, scorer: scorer.name, seed: options.seed, ...units.options, ...(options.dim && { dims: options.dim }) };
  const slimIdentity = await uninterrupted(() => {
    const written = writeModel(slim, out, { force });
    try {
      const identity = identifyFiles(written);
      const latencyMs = latency && { before: latency.before.medianMs, after: latency.after.medianMs };
      writeText(planPath, planText(toPlanFile({ original, slim: identity, request: asked, units, plan, verdict, baked: trace.baked, latencyMs: latencyMs ?? undefined })), force);
      return identity;
    } catch (error) {
      for (const file of written) rmSync(file, { force: true });
      throw error;
    }
  });
  const both = (measure: keyof Cost): BeforeAfter => ({ before: plan.before[measure], after: plan.after[measure] });
  return {
    original: path, slim: out, plan: planPath, request: asked,
    got: { macs: both('macs'), params: both('params'), bytes: both('bytes') },
    fileBytes: { before: original.bytes, after: slimIdentity.bytes },
    latency, widths: plan.widths, verdict, released, notes, baked: trace.baked,
    milliseconds: { ...milliseconds, score, plan: planning, cut: cutting, verify },
  };
}

/** Two seeds, each with both traced sizes and a batch of one. */
const VERIFY_RUNS = 6;

/** What the planner is asked; only what was given. */
function planRequest({ macs, params, bytes, group, roundTo, minWidth, only, skip, ranking }: PruneOptions, comparable: boolean | undefined): PlanRequest {
  if (macs === undefined && params === undefined && bytes === undefined && group === undefined) {
    throw new CoppiceError('COPPICE_BUDGET_INVALID', 'Nothing was asked for. Say what to keep, e.g. --macs 0.5 for half of the multiply–accumulates, or --params, --bytes, --group GLOB=share.');
  }
  const all = { macs, params, bytes, groups: group, roundTo, minWidth, only, skip, ranking, comparable };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

interface Measurement { readonly units: Units; readonly model: Model; readonly slim: Model; readonly removed: readonly number[]; readonly backend: Backend; readonly inputs: NamedTensors; readonly notes: string[] }

/** A short measurement; a runtime that fails here costs a note, not the result. */
async function measure({ units, model, slim, removed, backend, inputs, notes }: Measurement): Promise<PruneReport['latency']> {
  const narrow = narrowInputs(units, new Kept(units, removed), inputs);
  try {
    const [before, after] = await measureInTurns(backend, [{ model, inputs }, { model: slim, inputs: narrow }], { runs: 25, warmUp: 2, limitMs: 1500 });
    return { backend: backend.name, before, after, inputs: Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims])) };
  } catch (error) {
    notes.push(`The latency could not be measured: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

async function timed<T>(work: () => T | Promise<T>): Promise<readonly [T, number]> {
  const start = performance.now();
  const result = await work();
  return [result, performance.now() - start];
}
