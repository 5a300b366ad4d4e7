import type { Loss, NamedTensors, Trace } from '@coppice/core';
import { dataTypes, freshNames, graphOf, makeGraph, makeValueInfo, readTensor, valueNames, withFields, type Model, type Tensor } from '@coppice/graph';
import { differentiate } from './differentiate.ts';
import type { Value } from './emit.ts';
import { GraphEmit } from './graph-emit.ts';
import type { Optimizer } from './optimizer.ts';

/** What is wanted of `trainingStep`. */
export interface TrainingStepRequest {
  readonly loss: Loss;
  /** Initializers that are trained. */
  readonly parameters: readonly string[];
  readonly optimizer: Optimizer;
  /** Gradients are scaled down so that the length of all of them together is at most this. Default: they are not. */
  readonly clipNorm?: number;
  /** Batch norms use and update the statistics of the batch. Default true. */
  readonly training?: boolean;
}

/**
 * One step of training as one graph: forward, loss, backward, optimiser. Weights, running statistics and the memory of the optimiser are
 * inputs and outputs: what a step gives out as `carried.get(name)` goes into the next one as `name`.
 */
export interface TrainingStep {
  readonly model: Model;
  /** Output by input, for all that is carried from step to step. */
  readonly carried: ReadonlyMap<string, string>;
  /** Contents of the carried inputs before the first step. */
  readonly initial: NamedTensors;
  /** Carried inputs that are initializers of the model, under their names. */
  readonly weights: readonly string[];
  /** Scalar float32 inputs of each step. `step` counts from 1. */
  readonly inputs: { readonly learningRate: string; readonly step: string };
  /** Scalar float32 outputs. The norm is that before clipping. */
  readonly outputs: { readonly loss: string; readonly gradientNorm: string };
}

/**
 * Builds a training step for a traced model.
 * @throws CoppiceError as `differentiate`
 */
export function trainingStep(trace: Trace, { loss, parameters, optimizer, clipNorm, training = true }: TrainingStepRequest): TrainingStep {
  const made = differentiate(trace, { loss, parameters, training });
  const graph = graphOf(made.model);
  const fresh = freshNames(valueNames(graph));
  const [learningRate, step] = [{ name: fresh('learning_rate') }, { name: fresh('step') }];
  const emit = new GraphEmit(fresh);
  emit.startNames('optimizer');
  const trained = [...made.gradients.keys()];
  const weights = [...trained, ...made.updates.keys()];
  const tensors = new Map(graph.initializer.filter(({ name }) => weights.includes(name)).map((proto) => [proto.name, readTensor(made.model, proto)]));

  const squares = trained.map((name) => emit.op('ReduceSumSquare', [{ name: made.gradients.get(name)! }], { keepdims: 0 }));
  const norm = emit.op('Sqrt', [squares.length > 1 ? emit.op('Sum', squares) : squares[0]]);
  const scale = clipNorm === undefined ? undefined : emit.op('Min', [1, emit.div(clipNorm, emit.add(norm, 1e-6))]);

  const carried = new Map<string, string>();
  const initial: Record<string, Tensor> = {};
  const carry = (name: string, next: Value, tensor: Tensor) => {
    carried.set(name, next.name);
    initial[name] = tensor;
  };
  for (const name of trained) {
    emit.startNames(`update/${name}`);
    const tensor = tensors.get(name)!;
    const gradient = { name: made.gradients.get(name)! };
    const slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, { name: fresh(`${slot}/${name}`) }]));
    const next = optimizer.update(emit, { parameter: { name }, gradient: scale ? emit.mul(gradient, scale) : gradient, slots, learningRate, step, decays: tensor.dims.length > 1 });
    carry(name, next.parameter, { ...tensor, data: Float32Array.from(tensor.data as Float32Array) });
    for (const slot of optimizer.slots) carry(slots[slot].name, next.slots[slot], { dtype: 'float32', dims: tensor.dims, data: new Float32Array(tensor.data.length) });
  }
  for (const [name, output] of made.updates) carry(name, { name: output }, tensors.get(name)!);

  const scalar = ({ name }: Value) => makeValueInfo(name, 'float32', []);
  const outputs = [scalar({ name: made.loss }), scalar(norm), ...[...carried].map(([name, next]) => makeValueInfo(next, 'float32', initial[name].dims))];
  const inputs = [...graph.input.filter(({ name }) => !weights.includes(name)), scalar(learningRate), scalar(step), ...Object.entries(initial).map(([name, { dims }]) => makeValueInfo(name, 'float32', dims))];
  const initializers = [...graph.initializer.filter(({ name }) => !weights.includes(name)), ...emit.initializers];
  const joined = makeGraph({ name: 'training_step', inputs, outputs, nodes: [...graph.node, ...emit.nodes], initializers });
  return {
    model: { ...made.model, proto: withFields(made.model.proto, { graph: joined }) },
    carried, initial, weights,
    inputs: { learningRate: learningRate.name, step: step.name },
    outputs: { loss: made.loss, gradientNorm: norm.name },
  };
}

/**
 * Initializers of a traced model that gradient descent may change: float32 tensors of more than one element that the main graph computes
 * with, without the running statistics of batch norms.
 */
export function trainableParameters({ program }: Trace): string[] {
  const initializers = new Set(graphOf(program.model).initializer.map(({ name }) => name));
  const used = new Set(program.steps.flatMap(({ node, inputs }) => (node.op === 'BatchNormalization' ? inputs.slice(0, 3) : inputs)));
  return program.values.filter(({ id, name, tensor, weighted }) => tensor?.dataType === dataTypes.float32 && weighted && used.has(id) && initializers.has(name)).map(({ name }) => name);
}
