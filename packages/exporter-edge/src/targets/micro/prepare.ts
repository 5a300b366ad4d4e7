import { GraphEdits, traceModel, type Backend, type NamedTensors } from '@coppice/core';
import { CoppiceError, graphOf, inlineFunctions, makeInitializer, makeNode, makeValueInfo, normaliseNode, opsetOf, readTensor, sortNodes, toFloat32, withFields, type Model, type NodeProto } from '@coppice/graph';
import { activationScale, calibrate, finishModel, quantize, type CalibrationRuns, type QuantizedOperator } from '@coppice/quantize';
import { parseAxes, type SpeechDescription } from '@coppice/speech';
import type { PreparedModel } from '../../quantise.ts';
import { inputShape } from './lower.ts';
import { moves } from './operators.ts';

export interface MicroPrepareOptions {
  readonly speech: SpeechDescription;
  readonly backend: Backend;
  /** Representative features, of any length: they are cut, or their last frame is repeated, to the model's own. */
  readonly runs: CalibrationRuns;
}

/**
 * A model all of whose activations are in 8 bits: sizes fixed, constants and batch norms folded, what is left of batch norms written as
 * convolutions of one element, convolutions and products quantised, and then everything between them too.
 * @throws CoppiceError `COPPICE_TARGET_REFUSED` for open sizes, and what `finishModel` and `quantize` throw
 */
export async function prepareForMicro(model: Model, { speech, backend, runs }: MicroPrepareOptions): Promise<PreparedModel> {
  const fixed = await withFixedSizes(model, speech, backend);
  const finished = await finishModel(fixed, backend);
  const float = await normsAsConvolutions(finished.model, backend);
  const own = fittedRuns(float, speech, runs);
  const { model: partly, table } = await quantize(float, backend, own, { mode: 'int8-static' });
  const whole = await quantiseRest(partly, float, backend, own, speech);
  return { model: whole, quantisation: 'int8 throughout', steps: finished.steps, table: table.map(inBitsToo) };
}

/** What `quantize` left in float, but for the last operators, reads and gives 8 bits now. */
const inBitsToo = (row: QuantizedOperator): QuantizedOperator =>
  row.form !== 'float' || moves.has(row.operator) || ends.has(row.operator) ? row : { ...row, form: 'int8-static', why: 'it reads and gives 8 bits: in C it is a table of 256 values, or computes in integers' };

/** The model with the sizes of one clip, and what it computed from sizes as constants. */
export async function withFixedSizes(model: Model, speech: SpeechDescription, backend: Backend): Promise<Model> {
  const fixed = fixInput(sortNodes(inlineFunctions(model)), speech);
  const { program, constants } = await traceModel(fixed, backend);
  const edits = new GraphEdits(fixed);
  const known = new Map(program.steps.filter(({ node }) => node.op === 'Shape').map(({ proto, outputs }) => [proto.output[0], constants.get(outputs[0])]));
  for (const node of graphOf(fixed).node) {
    const constant = node.opType === 'Shape' ? known.get(node.output[0]) : undefined;
    if (constant === undefined) continue;
    const [name] = node.output;
    edits.freeOutput(node, 0);
    edits.addTensor(makeInitializer(name, 'int64', constant.dims, BigInt64Array.from(constant.values, (n) => BigInt(Math.round(n)))));
  }
  return edits.apply();
}

/** The input's declared sizes become those of one clip. */
export function fixInput(model: Model, speech: SpeechDescription): Model {
  const shape = inputShape(model, speech);
  if ('refusals' in shape) throw new CoppiceError('COPPICE_TARGET_REFUSED', `The target 'micro' cannot take this model:\n${shape.refusals.map((sentence) => `  ${sentence}`).join('\n')}`);
  const graph = graphOf(model);
  const dims = inputDims(speech, shape);
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { valueInfo: [], input: graph.input.map((info) => (info.name === speech.input ? makeValueInfo(info.name, 'float32', dims) : info)) }) }) };
}

const inputDims = (speech: SpeechDescription, { frames, width }: { readonly frames: number; readonly width: number }): number[] =>
  (parseAxes(speech.inputAxes) ?? []).map((name) => (name === 'time' ? frames : name === 'feature' ? width : 1));

/** Batch norms that fold into nothing, as convolutions of one element: a factor and a bias for each channel. */
async function normsAsConvolutions(model: Model, backend: Backend): Promise<Model> {
  const graph = graphOf(model);
  if (!graph.node.some(({ opType }) => opType === 'BatchNormalization')) return model;
  const { program, runs: [{ shapes }] } = await traceModel(model, backend);
  const ranks = new Map(program.values.map(({ id, name }) => [name, shapes[id]?.length]));
  const edits = new GraphEdits(model);
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const opset = opsetOf(model.proto);
  for (const node of graph.node.filter(({ opType, domain }) => opType === 'BatchNormalization' && domain === '')) {
    const parts = node.input.slice(1, 5).map((name) => tensors.get(name)).map((tensor) => tensor && toFloat32(readTensor(model, tensor)));
    if (parts.some((part) => part === undefined) || node.output.slice(1).some((name) => name !== '')) continue;
    const [scale, shift, mean, variance] = parts as Float32Array[];
    const epsilon = Number(normaliseNode(node, opset, () => undefined).attributes['epsilon'] ?? 1e-5);
    const factor = scale.map((s, c) => s / Math.sqrt(variance[c] + epsilon));
    const channels = factor.length;
    const rank = ranks.get(node.output[0]);
    if (rank !== 3 && rank !== 4) continue;
    const ones = Array<number>(rank - 2).fill(1);
    const weight = edits.addConstant(`${node.output[0]}/weight`, 'float32', [channels, 1, ...ones], factor);
    const bias = edits.addConstant(`${node.output[0]}/bias`, 'float32', [channels], shift.map((b, c) => b - mean[c] * factor[c]));
    const [name] = node.output;
    edits.freeOutput(node, 0);
    edits.insertAfter(node, makeNode({ op: 'Conv', name: node.name, inputs: [node.input[0], weight, bias], outputs: [name], attributes: { kernel_shape: ones, group: channels } }));
  }
  return edits.apply();
}

/** Features of the length that the model takes. */
function fittedRuns(model: Model, speech: SpeechDescription, runs: CalibrationRuns): CalibrationRuns {
  const shape = inputShape(model, speech);
  if ('refusals' in shape) return runs;
  const names = parseAxes(speech.inputAxes) ?? [];
  const time = names.indexOf('time');
  const dims = inputDims(speech, shape);
  return async function* () {
    for await (const run of runs()) {
      const { [speech.input]: given } = run;
      const frames = given.dims[time];
      const data = new Float32Array(dims.reduce((product, n) => product * n, 1));
      const inner = dims.slice(time + 1).reduce((product, n) => product * n, 1);
      const outer = data.length / inner / shape.frames;
      const skipped = Math.max(0, Math.floor((frames - shape.frames) / 2));
      for (let o = 0; o < outer; o++) {
        for (let t = 0; t < shape.frames; t++) {
          const from = (o * frames + Math.min(frames - 1, skipped + t)) * inner;
          data.set((given.data as Float32Array).subarray(from, from + inner), (o * shape.frames + t) * inner);
        }
      }
      yield { ...run, [speech.input]: { dtype: 'float32', dims, data } } satisfies NamedTensors;
    }
  };
}

/** Operators behind which floats may stay, because they only end the model. */
const ends: ReadonlySet<string> = new Set(['LogSoftmax', 'Softmax']);

/** Puts 8 bits behind every operator that computes, and into constants that are added or multiplied. */
async function quantiseRest(model: Model, float: Model, backend: Backend, runs: CalibrationRuns, speech: SpeechDescription): Promise<Model> {
  const graph = graphOf(model);
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const readers = (name: string): NodeProto[] => graph.node.filter(({ input }) => input.includes(name));
  const outputs = new Set(graph.output.map(({ name }) => name));
  const edits = new GraphEdits(model);
  const opset = opsetOf(model.proto);

  const isTail = (name: string): boolean => outputs.has(name) || (readers(name).length > 0 && readers(name).every((node) => ends.has(node.opType) || (moves.has(node.opType) && isTail(node.output[0]))));
  const wanted = new Map<string, NodeProto | undefined>();
  if (!readers(speech.input).every(({ opType }) => opType === 'QuantizeLinear')) wanted.set(speech.input, undefined);
  for (const node of graph.node) {
    const [name] = node.output;
    if (['QuantizeLinear', 'DequantizeLinear', 'Constant'].includes(node.opType) || moves.has(node.opType) || ends.has(node.opType)) continue;
    const read = readers(name);
    if (isTail(name) && ['Gemm', 'MatMul'].includes(node.opType)) continue;
    if (read.length > 0 && read.every(({ opType }) => opType === 'QuantizeLinear')) continue;
    if (!outputs.has(name) && read.length === 1 && ['Relu', 'Clip'].includes(read[0].opType) && read[0].input[0] === name) continue;
    wanted.set(name, node);
  }
  const known = new Set(graphOf(float).node.flatMap(({ output }) => output));
  const names = [...wanted.keys()].filter((name) => known.has(name) || name === speech.input);
  const ranges = await calibrate(withInputAsValue(float, speech.input), backend, runs, names.map((name) => (name === speech.input ? inputCopy : name)), { method: 'min-max' });
  for (const name of names) {
    const range = ranges.get(name === speech.input ? inputCopy : name);
    if (range === undefined || 'refused' in range) continue;
    const { scale, zeroPoint } = activationScale(range.min, range.max, 'uint8');
    const [q, scaleName, zeroName] = [edits.fresh(`${name}/q`), edits.addConstant(`${name}/scale`, 'float32', [], [scale]), edits.addConstant(`${name}/zero`, 'uint8', [], [zeroPoint])];
    const maker = wanted.get(name);
    const pair = (from: string, to: string): NodeProto[] => [makeNode({ op: 'QuantizeLinear', inputs: [from, scaleName, zeroName], outputs: [q] }), makeNode({ op: 'DequantizeLinear', inputs: [q, scaleName, zeroName], outputs: [to] })];
    if (maker === undefined) {
      const inside = edits.fresh(`${name}/dq`);
      for (const node of readers(name)) node.input.forEach((each, k) => { if (each === name) edits.setInput(node, k, inside); });
      const [first] = graph.node;
      for (const node of pair(name, inside)) edits.insertBefore(first, node);
    } else {
      const raw = edits.fresh(`${name}/float`);
      edits.setOutput(maker, 0, raw);
      for (const node of pair(raw, name).toReversed()) edits.insertAfter(maker, node);
    }
  }
  for (const node of graph.node.filter(({ opType }) => ['Add', 'Sub', 'Mul'].includes(opType))) {
    node.input.forEach((name, k) => {
      const tensor = tensors.get(name);
      if (tensor === undefined || makers.has(name)) return;
      const { dims, dtype, data } = readTensor(model, tensor);
      if (data.length < 2 || dtype !== 'float32') return;
      const most = (data as Float32Array).reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
      const scale = Math.fround((most || 1) / 127);
      const stored = edits.addConstant(`${name}/int8`, 'int8', dims, Int8Array.from(data as Float32Array, (x) => Math.round(x / scale)));
      const widened = edits.fresh(`${name}/dq`);
      edits.insertBefore(node, makeNode({ op: 'DequantizeLinear', inputs: [stored, edits.addConstant(`${name}/scale`, 'float32', [], [scale])], outputs: [widened] }));
      edits.setInput(node, k, widened);
    });
  }
  if (opset < 13) throw new CoppiceError('COPPICE_UNSUPPORTED_OPSET', `The model uses opset ${opset}, and 8 bits are written from opset 13 on.`);
  return edits.apply();
}

/** What the input is called as a value that calibration can look at. */
const inputCopy = 'coppice/input';
function withInputAsValue(model: Model, input: string): Model {
  const graph = graphOf(model);
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { node: [makeNode({ op: 'Identity', inputs: [input], outputs: [inputCopy] }), ...graph.node] }) }) };
}
