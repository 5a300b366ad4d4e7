import { describeInputs, flattenModel, type Program } from '@coppice/core';
import { readTensor, sortNodes, inlineFunctions, toFloat32, type Model } from '@coppice/graph';
import { parseAxes, type SpeechDescription } from '@coppice/speech';
import { Refusal, lookup, refuse, sizeOf, type Lowered, type QuantisedValue, type Target8, type Value } from './lowering.ts';
import { moves, rowOf } from './operators.ts';
import type { Buffer, Call, MicroProgram, Scale } from './program.ts';
import { clampOf } from './rows-elementwise.ts';
import { inFloat } from './rows-reduction.ts';

type Step = Program['steps'][number];

/** Features of one clip: how many frames of how many numbers, and how the model wants them. */
export interface InputShape {
  readonly frames: number;
  readonly width: number;
  /** Whether all frames of a feature come before those of the next. */
  readonly transposed: boolean;
}

/**
 * What keeps the sizes of a model's input from being known, a sentence each, or the sizes.
 * @param speech its `clip` says how long a clip is
 */
export function inputShape(model: Model, speech: SpeechDescription): InputShape | { readonly refusals: readonly string[] } {
  const inputs = describeInputs(model);
  const input = inputs.find(({ name }) => name === speech.input);
  if (input === undefined || inputs.length !== 1) return { refusals: [`The model wants ${inputs.length} inputs (${inputs.map(({ name }) => `'${name}'`).join(', ')}), and a device gives it the features '${speech.input}' alone.`] };
  const names = parseAxes(speech.inputAxes) ?? [];
  if (input.dims?.length !== names.length) return { refusals: [`The input '${input.name}' has ${input.dims?.length ?? 'unknown'} axes, and the description says '${speech.inputAxes}'.`] };
  const at = (name: string) => input.dims![names.indexOf(name)];
  const refusals: string[] = [];
  const [time, width, batch] = [at('time'), at('feature'), at('batch')];
  const { clip } = speech;
  if (clip === undefined) refusals.push(`The description does not say how long a clip is, and static memory needs that: add "clip": { "seconds": …, "frames": ${typeof time === 'number' ? time : '…'} }, the length of sound that the model was trained on.`);
  else if (typeof time === 'number' && time !== clip.frames) refusals.push(`The input '${input.name}' has ${time} frames, and clip.frames of the description is ${clip.frames}. Make them the same.`);
  if (typeof width !== 'number') refusals.push(`The axis 'feature' of the input '${input.name}' is open. Export the model with a fixed number of features.`);
  if (typeof batch === 'number' && batch !== 1) refusals.push(`The input '${input.name}' takes a batch of ${batch}, and a device recognises one clip at a time. Export the model with a batch of one or an open one.`);
  return refusals.length > 0 ? { refusals } : { frames: clip!.frames, width: width as number, transposed: names.indexOf('feature') < names.indexOf('time') };
}

/** A model as calls of C kernels, or everything that keeps it from that, a sentence each. */
export function lowerModel(model: Model, speech: SpeechDescription): MicroProgram | { readonly refusals: readonly string[] } {
  const shape = inputShape(model, speech);
  if ('refusals' in shape) return shape;
  const { frames, width, transposed } = shape;
  const dims = (parseAxes(speech.inputAxes) ?? []).map((name) => (name === 'time' ? frames : name === 'feature' ? width : 1));
  const layout = transposed ? { rows: width, columns: frames, row_stride: 1, column_stride: width } : { rows: frames, columns: width, row_stride: width, column_stride: 1 };
  const lowered = lowerGraph(model, [{ name: speech.input, dims, layout }], speech.output);
  if ('refusals' in lowered) return lowered;
  const { output: { dims: outDims, beyond = [], buffer } } = lowered;
  const classes = outDims.at(-1) ?? 0;
  if (sizeOf(outDims) !== classes) return { refusals: [`The output '${speech.output}' is ${outDims.join(' × ')}: a keyword spotter gives one row of scores for a clip.`] };
  if (classes + beyond.length !== speech.tokens.length) return { refusals: [`The output '${speech.output}' has ${classes + beyond.length} classes, and the description names ${speech.tokens.length} tokens.`] };
  return { buffers: lowered.buffers, calls: lowered.calls, input: { buffer: 0, frames, width }, output: { buffer, classes, beyond } };
}

/** A tensor of floats that the caller gives. */
export interface GivenInput {
  readonly name: string;
  readonly dims: readonly number[];
  /** How its elements lie in memory; row-major when left out. */
  readonly layout?: { readonly rows: number; readonly columns: number; readonly row_stride: number; readonly column_stride: number };
}

/** What a graph is lowered to: the given inputs are the first buffers, in their order, and the output holds floats. */
export interface LoweredGraph {
  readonly buffers: readonly Buffer[];
  readonly calls: readonly Call[];
  readonly output: Extract<Value, { readonly kind: 'tensor' }>;
}

/** A graph as calls of C kernels, whatever it is good for. */
export function lowerGraph(model: Model, inputs: readonly GivenInput[], output: string): LoweredGraph | { readonly refusals: readonly string[] } {
  return new Walk(flattenModel(sortNodes(inlineFunctions(model))), model).run(inputs, output);
}

/** Sentences about operators that have no row, of a model that is not quantised yet. */
export function operatorRefusals(model: Model, prepared: ReadonlySet<string>): string[] {
  const refusals = new Refusals();
  for (const step of flattenModel(inlineFunctions(model)).steps) {
    const row = rowOf(step.node.domain, step.node.op);
    if ('absent' in row && !prepared.has(step.node.op)) refusals.add(step, row.absent);
  }
  return refusals.sentences();
}

/** The same sentence about several nodes is said once. */
class Refusals {
  readonly #found = new Map<string, { readonly op: string; readonly sentence: string; readonly where: string; count: number }>();

  add({ node, proto }: Step, sentence: string): void {
    const known = this.#found.get(`${node.op} ${sentence}`);
    if (known) known.count++;
    else this.#found.set(`${node.op} ${sentence}`, { op: node.op, sentence, where: proto.name || proto.output[0], count: 1 });
  }

  get any(): boolean {
    return this.#found.size > 0;
  }

  sentences(): string[] {
    return [...this.#found.values()].map(({ op, sentence, where, count }) => `${op} ${sentence}: ${count === 1 ? `node '${where}'` : `${count} nodes, the first is '${where}'`}.`);
  }
}

class Walk {
  readonly #program: Program;
  readonly #model: Model;
  readonly #layouts = new Map<number, NonNullable<GivenInput['layout']>>();
  readonly #values = new Map<number, Value>();
  /** Values of which nothing is known, because something before them was refused. */
  readonly #broken = new Set<number>();
  readonly #readers = new Map<number, Step[]>();
  /** ReLUs and Clips that were joined with what makes their operand. */
  readonly #joined = new Set<Step>();
  readonly #buffers: Buffer[] = [];
  readonly #calls: Call[] = [];
  readonly #refusals = new Refusals();

  constructor(program: Program, model: Model) {
    [this.#program, this.#model] = [program, model];
    for (const step of program.steps) for (const id of new Set(step.inputs)) this.#readers.set(id, [...(this.#readers.get(id) ?? []), step]);
  }

  run(inputs: readonly GivenInput[], outputName: string): LoweredGraph | { readonly refusals: readonly string[] } {
    const { values, steps, outputs } = this.#program;
    for (const { id, tensor } of values) if (tensor) this.#values.set(id, this.#constant(tensor));
    for (const { name, dims, layout } of inputs) {
      const buffer = this.#buffer('float', sizeOf(dims));
      this.#layouts.set(buffer, layout ?? { rows: 1, columns: sizeOf(dims), row_stride: 0, column_stride: 1 });
      const id = this.#program.inputs.find((each) => values[each].name === name);
      if (id !== undefined) this.#values.set(id, { kind: 'tensor', dims, buffer });
    }
    for (const step of steps) this.#step(step);
    if (this.#refusals.any) return { refusals: this.#refusals.sentences() };
    const output = this.#values.get(outputs.find((id) => values[id].name === outputName) ?? -1);
    if (output?.kind !== 'tensor' || this.#layouts.has(output.buffer)) return { refusals: [`The output '${outputName}' does not depend on the input, or is none of the model.`] };
    const last = inFloat({ buffer: this.#buffer, call: (kernel, fields, reads, writes) => void this.#calls.push({ kernel, fields, reads, writes, node: outputName }) }, output);
    return { buffers: this.#buffers, calls: this.#calls, output: last };
  }

  readonly #buffer = (type: Buffer['type'], elements: number): number => {
    // Offsets are int32 in C, and no device of this class has a tenth of that.
    if (!Number.isSafeInteger(elements) || elements < 1 || elements * 4 > 2 ** 30) return refuse(`makes a tensor of ${elements} elements, which no device of this class holds`);
    return this.#buffers.push({ type, elements }) - 1;
  };

  #constant(tensor: NonNullable<Program['values'][number]['tensor']>): Value {
    const { dtype, dims, data } = readTensor(this.#model, tensor);
    if (dtype === 'int8' || dtype === 'int32') return { kind: 'weight', dims, q: data as Int8Array | Int32Array, scales: Float32Array.of(1), axis: 0 };
    if (/^(b?float|u?int|bool)/.test(dtype)) return { kind: 'constant', dims, data: /float(16|32|64)$/.test(dtype) ? Array.from(toFloat32({ dtype, dims, data })) : Array.from(data as ArrayLike<number | bigint>, Number) };
    return { kind: 'constant', dims, data: [] };
  }

  #step(step: Step): void {
    if (step.inputs.some((id) => this.#broken.has(id))) return void step.outputs.forEach((id) => this.#broken.add(id));
    try {
      const results = this.#lower(step);
      step.outputs.forEach((id, k) => { if (id >= 0 && results[k]) this.#values.set(id, results[k]); else if (id >= 0 && this.#readers.has(id)) this.#broken.add(id); });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refusals.add(step, error.message);
      step.outputs.forEach((id) => this.#broken.add(id));
    }
  }

  #lower(step: Step): readonly Value[] {
    const inputs = step.inputs.map((id, k) => this.#values.get(id) ?? this.#listed(step, k));
    const { op, attributes } = step.node;
    const node: Lowered = {
      op, attributes, inputs, buffer: this.#buffer, target: undefined,
      call: (kernel, fields, reads, writes) => void this.#calls.push({ kernel, fields, reads, writes, node: step.proto.name || step.proto.output[0] }),
    };
    if (op === 'QuantizeLinear') return [this.#quantise(node, step)];
    if (op === 'DequantizeLinear') return [this.#dequantise(node)];
    if (this.#joined.has(step)) return [inputs[0]!];
    const row = rowOf(step.node.domain, op);
    if ('absent' in row) return refuse(row.absent);
    const target = moves.has(op) ? undefined : this.#targetOf(step);
    return row({ ...node, target });
  }

  /** An operand that an old form of the operator holds in an attribute. */
  #listed(step: Step, k: number): Value | undefined {
    const constant = step.node.operands[k]?.constant;
    return constant === undefined ? undefined : { kind: 'constant', dims: [constant.length], data: constant };
  }

  /** The 8 bits that alone are made of a result, through a ReLU or Clip that alone reads it. */
  #targetOf(step: Step): Target8 | undefined {
    let [id] = step.outputs;
    const clamps: Step[] = [];
    for (;;) {
      const readers = this.#readers.get(id) ?? [];
      if (this.#program.outputs.includes(id) || readers.length === 0) return undefined;
      if (readers.every(({ node }) => node.op === 'QuantizeLinear')) {
        const scales = readers.map((reader) => this.#scaleOf(reader));
        if (scales.some(({ scale, zero }) => scale !== scales[0].scale || zero !== scales[0].zero)) return refuse('has a result that is put into 8 bits in two ways');
        let [least, most] = [-128, 127];
        for (const clamp of clamps) {
          const limits = clampOf(clamp.node.op, [1, 2].map((k) => this.#bound(clamp, k)), scales[0])!;
          [least, most] = [Math.max(least, limits.least), Math.min(most, limits.most)];
          this.#joined.add(clamp);
        }
        return { ...scales[0], least, most: Math.max(least, most) };
      }
      const [only] = readers;
      if (readers.length !== 1 || !['Relu', 'Clip'].includes(only.node.op) || only.inputs[0] !== id) return undefined;
      clamps.push(only);
      [id] = only.outputs;
    }
  }

  #bound(step: Step, k: number): number | undefined {
    const value = this.#values.get(step.inputs[k] ?? -1) ?? this.#listed(step, k);
    return value?.kind === 'constant' ? value.data[0] : undefined;
  }

  /** Scale and zero of a QuantizeLinear or DequantizeLinear of activations. */
  #scaleOf(step: Pick<Step, 'inputs' | 'node'>): Scale {
    const [scale, zero] = [step.inputs[1], step.inputs[2]].map((id) => this.#values.get(id ?? -1));
    if (scale?.kind !== 'constant' || scale.data.length !== 1) return refuse('has scales that are no single constant number');
    if (zero?.kind === 'weight') return zero.q instanceof Int8Array && zero.q.length === 1 ? { scale: scale.data[0], zero: zero.q[0] } : refuse('makes other numbers than 8 bits');
    const tensor = this.#program.values[step.inputs[2] ?? -1]?.tensor;
    if (tensor !== undefined && tensor.dataType !== 2) return refuse('makes other numbers than int8 or uint8');
    if (zero !== undefined && (zero.kind !== 'constant' || zero.data.length !== 1)) return refuse('has a zero point that is no constant number');
    // uint8 is int8 with everything 128 lower.
    return { scale: scale.data[0], zero: (zero?.kind === 'constant' ? zero.data[0] : 0) - 128 };
  }

  #quantise(node: Lowered, step: Step): Value {
    const [x] = node.inputs;
    if (x?.kind !== 'tensor') return refuse('quantises a constant, which should have been folded');
    const to = this.#scaleOf(step);
    if (x.scale !== undefined) return x.scale.scale === to.scale && x.scale.zero === to.zero ? x : lookup(node, x as QuantisedValue, (value) => value, { ...to, least: -128, most: 127 });
    const layout = this.#layouts.get(x.buffer);
    if (layout === undefined) return refuse('puts floats into 8 bits that are not the features');
    const buffer = node.buffer('int8', sizeOf(x.dims));
    node.call('quantise', { ...layout, ...to }, [x.buffer], buffer);
    return { kind: 'tensor', dims: x.dims, buffer, scale: to };
  }

  #dequantise(node: Lowered): Value {
    const [x, scale, zero] = node.inputs;
    if (x?.kind === 'tensor') return x;
    if (x?.kind !== 'weight') return refuse('has a weight that is not in int8, or int32 for a bias');
    if (scale?.kind !== 'constant') return refuse('has a scale that depends on the data');
    const zeros: ArrayLike<number> = zero === undefined ? [] : zero.kind === 'weight' ? zero.q : zero.kind === 'constant' ? zero.data : [1];
    if (Array.from(zeros).some((each) => each !== 0)) return refuse('has a weight with a zero point; weights are symmetric here');
    if (Number(node.attributes['block_size'] ?? 0) !== 0) return refuse('has a weight in blocks');
    const axis = Number(node.attributes['axis'] ?? 1);
    return { ...x, scales: Float32Array.from(scale.data), axis: axis < 0 ? axis + x.dims.length : axis };
  }
}

