import { compareTensors, traceModel, verificationInputs, type Backend, type NamedTensors, type OutputDifference } from '@coppice/core';
import { dataTypes, graphOf, type Model } from '@coppice/graph';
import { dropUnread, prepareModel } from '../prepare.ts';
import { dropIdentities } from './drop-identities.ts';
import { foldBatchNorms } from './fold-batch-norms.ts';
import { foldConstants } from './fold-constants.ts';
import type { Pass } from './step.ts';

export interface FinishOptions {
  /** Inputs to compare on. Default: random ones in the sizes that a trace finds, and with a batch of one. */
  readonly inputs?: readonly NamedTensors[];
  /** Largest difference of an output relative to its scale. Default: 1e-4, in float16 1e-2, in 8 bits 5e-2. */
  readonly tolerance?: number;
}

/** One step of finishing, and what running both models said about it. */
export interface FinishStep {
  readonly name: 'prepare' | 'drop identities' | 'fold constants' | 'fold batch norms' | 'drop unread';
  /** Names of the nodes or values that it changed. */
  readonly changed: readonly string[];
  /** What it left as it is, and why: sentences. */
  readonly left: readonly string[];
  /** The largest difference of an output between the models before and after the step. */
  readonly difference: OutputDifference | undefined;
  /** False when the difference was over the tolerance: then the step was not taken. */
  readonly taken: boolean;
}

/**
 * A model as it should be shipped: functions inlined, nothing computed that never changes, batch norms and constant factors in the weights
 * of the linear operators around them, no node that hands on what it reads. Same inputs, outputs and metadata. Each step is run
 * against the model before it, and left out where an output differs by more than the tolerance.
 * @throws CoppiceError `COPPICE_TRACE_FAILED` when no inputs are given and none work; what the backend throws
 */
export async function finishModel(model: Model, backend: Backend, options: FinishOptions = {}): Promise<{ model: Model; steps: readonly FinishStep[] }> {
  const inputs = options.inputs ?? verificationInputs(await traceModel(model, backend));
  const tolerance = options.tolerance ?? toleranceFor(model);
  const steps: FinishStep[] = [];
  let current = model;
  let outputs = await runAll(current, backend, inputs, true);
  const taken = inputs.filter((_, k) => outputs[k]);
  outputs = outputs.filter(Boolean);
  const step = async (name: FinishStep['name'], pass: (model: Model) => Pass | Promise<Pass>): Promise<boolean> => {
    const { model: next, changed, left } = await pass(current);
    if (changed.length === 0) {
      if (left.length > 0 && !steps.some((s) => s.name === name && String(s.left) === String(left))) steps.push({ name, changed, left, difference: undefined, taken: true });
      return false;
    }
    const got = await runAll(next, backend, taken);
    const difference = worst(model, got, outputs, tolerance);
    const good = difference === undefined || (difference.finite && difference.relative <= tolerance);
    steps.push({ name, changed, left, difference, taken: good });
    if (good) [current, outputs] = [next, got];
    return good;
  };
  await step('prepare', (m) => changedTo(m, prepareModel(m)));
  await step('drop identities', dropIdentities);
  await step('fold constants', (m) => foldConstants(m, backend));
  // Each round folds one neighbour of each linear operator.
  for (let round = 0; round < MOST_ROUNDS && await step('fold batch norms', (m) => foldBatchNorms(m, backend)); round++);
  await step('drop identities', dropIdentities);
  await step('drop unread', (m) => changedTo(m, dropUnread(m)));
  return { model: current, steps };
}

const MOST_ROUNDS = 6;

/** A pass that works on the model as a whole, told by how many nodes and tensors it took away. */
function changedTo(before: Model, after: Model): Pass {
  const count = (model: Model) => [graphOf(model).node.length, graphOf(model).initializer.length, graphOf(model).input.length, model.proto.functions.length, model.proto.opsetImport.map(({ version }) => version)];
  return { model: after, changed: String(count(before)) === String(count(after)) ? [] : ['the graph'], left: [] };
}

const QUANTIZED = new Set(['QuantizeLinear', 'DynamicQuantizeLinear', 'DynamicQuantizeLSTM', 'DynamicQuantizeMatMul']);

function toleranceFor(model: Model): number {
  const { node, initializer, input } = graphOf(model);
  if (node.some(({ opType }) => QUANTIZED.has(opType))) return 5e-2;
  const half = initializer.some(({ dataType }) => dataType === dataTypes.float16) || input.some(({ type }) => type?.value.case === 'tensorType' && type.value.value.elemType === dataTypes.float16);
  return half ? 1e-2 : 1e-4;
}

/** Runs a model on all inputs. With `some`, those that it refuses give undefined, but one has to work. */
async function runAll(model: Model, backend: Backend, inputs: readonly NamedTensors[], some = false): Promise<(NamedTensors | undefined)[]> {
  const executable = await backend.compile(model, { optimise: 'none' });
  try {
    const results: (NamedTensors | undefined)[] = [];
    let refusal: unknown;
    for (const input of inputs) {
      results.push(await executable.run(input).catch((error: unknown) => {
        if (!some) throw error;
        refusal = error;
        return undefined;
      }));
    }
    if (results.length > 0 && results.every((r) => r === undefined)) throw refusal;
    return results;
  } finally {
    await executable.dispose();
  }
}

function worst(model: Model, got: readonly (NamedTensors | undefined)[], expected: readonly (NamedTensors | undefined)[], tolerance: number): OutputDifference | undefined {
  const all = graphOf(model).output.flatMap(({ name }) => expected.flatMap((results, k) => (results ? [compareTensors(name, got[k]?.[name], results[name], tolerance)] : [])));
  return all.toSorted((a, b) => Number(a.finite) - Number(b.finite) || b.relative - a.relative)[0];
}
