import { GraphEdits } from '@coppice/core';
import { makeNode, opsetOf, toFloat32, withFields, type AttributeInput, type DataType, type NodeParts, type NodeProto, type Values } from '@coppice/graph';
import type { ObservedRange } from './calibrate/calibrate.ts';
import { activationScale, quantizeWeight, scaleDimsOf, type ActivationScale, type QuantizedWeight, type Sharing } from './scales.ts';
import type { Site, Sites, SiteWeight } from './site.ts';

/** Settings that all operators share. */
export interface Settings {
  readonly activations: 'uint8' | 'int8';
  /** Largest |q| of int8 weights that meet activations in integer arithmetic: 127, or 63 where that would saturate. */
  readonly mostWithActivations: number;
  /** How weights that are only stored in few bits become floats again. */
  readonly weightsAs: 'cast' | 'dequantize';
  /** Elements of a block of int4 weights. */
  readonly blockSize: number;
}

/** A weight that was written into the graph in few bits. */
export interface WrittenWeight extends QuantizedWeight {
  readonly qName: string;
  readonly scaleName: string;
}

/** What a weight is to become. */
export interface WeightRequest {
  readonly sharing: Sharing;
  readonly most: number;
  readonly dtype: 'int8' | 'int4';
  /** Dimensions of the stored scales; they have the rank of the weight when left out. */
  readonly scaleDims?: (scaleDims: readonly number[]) => readonly number[];
  readonly floor?: Float32Array;
  /** Factor on all elements, e.g. the alpha of a Gemm. */
  readonly times?: number;
  /** Order of the axes in which it is stored; `sharing` is about the result. */
  readonly perm?: readonly number[];
  /** Element type of the stored scales. Default float32. */
  readonly scaleType?: 'float32' | 'float16';
}

/** Writes quantised operators into a graph; what several of them read is written once. */
export class Rewriter {
  readonly sites: Sites;
  readonly settings: Settings;
  readonly edits: GraphEdits;
  readonly opset: number;
  /** Operator sets besides ONNX's own that the new nodes need. */
  readonly domains = new Set<string>();
  /** Bytes of the weights that were written for each node, by its key. */
  readonly written = new Map<string, number>();
  readonly #ranges: ReadonlyMap<string, ObservedRange>;
  readonly #names = new Map<string, string>();
  readonly #weights = new Map<string, WrittenWeight>();
  readonly #paired = new Map<string, string>();
  readonly #readers: ReadonlyMap<number, readonly Site[]>;
  /** Upper ends of Clips whose results are quantised, by value. */
  readonly #limits = new Map<string, number>();

  constructor(sites: Sites, settings: Settings, ranges: ReadonlyMap<string, ObservedRange>) {
    this.sites = sites;
    this.settings = settings;
    this.edits = new GraphEdits(sites.model);
    this.opset = opsetOf(sites.model.proto);
    this.#ranges = ranges;
    this.#readers = readersOf(sites);
  }

  /** The name that a node reads at an operand, earlier edits included; empty where absent. */
  input(site: Site, k: number): string {
    const source = site.node.operands[k]?.source;
    return source?.kind === 'input' ? this.edits.inputOf(site.step.proto, source.index) : '';
  }

  setInput(site: Site, k: number, name: string): void {
    const source = site.node.operands[k]?.source;
    this.edits.setInput(site.step.proto, source?.kind === 'input' ? source.index : k, name);
  }

  /** Name of a value as the file has it. */
  name(value: number): string {
    const { name, scope } = this.sites.program.values[value];
    return name.slice(scope.path.length);
  }

  constant(wanted: string, dtype: DataType, dims: readonly number[], values: Values): string {
    return this.edits.addConstant(wanted, dtype, dims, values);
  }

  /** Puts a node in front of a site's and returns the names of its results. */
  before(site: Site, op: string, inputs: readonly string[], wanted: string | readonly string[], attributes: Readonly<Record<string, AttributeInput>> = {}): string[] {
    const outputs = [wanted].flat().map((name) => this.edits.fresh(name));
    this.edits.insertBefore(site.step.proto, makeNode({ op, inputs, outputs, attributes }));
    return outputs;
  }

  /** A node; new ones go without a name, which would be bytes that nobody reads. */
  node(op: string, inputs: readonly string[], output: string, name: string, attributes: Readonly<Record<string, AttributeInput>> = {}): NodeProto {
    return makeNode({ op, name, inputs, outputs: [output], attributes });
  }

  /** Puts another operator in a node's place; all results keep their names. */
  become(site: Site, { attribute, ...parts }: Pick<NodeParts, 'op' | 'domain' | 'inputs'> & Pick<NodeProto, 'attribute'>): void {
    const { proto } = site.step;
    proto.output.forEach((name, k) => { if (name !== '') this.edits.freeOutput(proto, k); });
    this.edits.insertAfter(proto, withFields(makeNode({ ...parts, name: proto.name, outputs: proto.output }), { attribute }));
  }

  /** Replaces a node by others, of which the last one makes what the node's first result was called. */
  replace(site: Site, nodes: readonly NodeProto[]): void {
    const { proto } = site.step;
    this.edits.freeOutput(proto, 0);
    for (const node of nodes.toReversed()) this.edits.insertAfter(proto, node);
  }

  /** The elements of a weight, in another order of axes if asked. */
  values(weight: SiteWeight, { perm, times = 1 }: Pick<WeightRequest, 'perm' | 'times'> = {}): Float32Array {
    const own = toFloat32(weight.tensor);
    const moved = perm ? transposed(own, weight.dims, perm) : own;
    return times === 1 ? moved : moved.map((w) => w * times);
  }

  /** Stores a weight in few bits, once for all nodes that want it the same way. */
  weight(site: Site, weight: SiteWeight, request: WeightRequest): WrittenWeight {
    const { sharing, most, dtype, perm, times, floor, scaleType = 'float32' } = request;
    const dims = perm ? perm.map((axis) => weight.dims[axis]) : weight.dims;
    const scaleDims = scaleDimsOf(dims, sharing);
    const storedScaleDims = request.scaleDims?.(scaleDims) ?? scaleDims;
    const key = JSON.stringify([weight.value, sharing, most, dtype, perm, times, floor && [...floor], storedScaleDims, scaleType]);
    let made = this.#weights.get(key);
    if (!made) {
      const { q, scales } = quantizeWeight(this.values(weight, request), dims, sharing, most, floor);
      const name = this.name(weight.value);
      made = {
        q, scales, scaleDims,
        qName: this.constant(`${name}/${dtype}`, dtype, dims, q),
        scaleName: this.constant(`${name}/scale`, scaleType, storedScaleDims, scaleType === 'float32' ? scales : Array.from(scales)),
      };
      this.#weights.set(key, made);
      this.written.set(site.key, (this.written.get(site.key) ?? 0) + Math.ceil((q.length * (dtype === 'int4' ? 4 : 8)) / 8) + scales.length * (scaleType === 'float32' ? 4 : 2));
    }
    return made;
  }

  /** Something that is written once for each scope in which it is wanted. */
  once(site: Site, what: string, make: () => string): string {
    const key = `${site.step.scope.path}\n${what}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#names.set(key, made);
    return made;
  }

  /** Scale and zero point of an activation. @throws CoppiceError `COPPICE_CALIBRATION_INVALID` */
  scaleOf(name: string): ActivationScale {
    const range = this.#ranges.get(name);
    if (!range || 'refused' in range) throw new Error(`'${name}' has no range although it was planned`);
    const limit = this.#limits.get(name);
    const made = activationScale(limit === undefined ? range.min : 0, range.max, this.settings.activations);
    // A runtime leaves the Clip out only if no number of 8 bits lies beyond its end, to the last bit.
    return limit === undefined ? made : { ...made, scale: within(made.scale, limit) };
  }

  /** The names of the scale and the zero point of an activation, as initializers. */
  scaleNames(name: string): readonly [string, string] {
    const { scale, zeroPoint, dtype } = this.scaleOf(name);
    const stored = (what: string, make: () => string): string => {
      const known = this.#names.get(`${what} of ${name}`);
      if (known !== undefined) return known;
      const made = make();
      this.#names.set(`${what} of ${name}`, made);
      return made;
    };
    return [
      stored('scale', () => this.constant(`${name}/scale`, 'float32', [], [scale])),
      stored('zero point', () => this.constant(`${name}/zero`, dtype, [], [zeroPoint])),
    ];
  }

  /** Makes a node read an activation through 8 bits. */
  pairInput(site: Site, k: number): ActivationScale {
    const value = site.step.inputs[k];
    const name = this.name(value);
    if (!this.#paired.has(name)) {
      const [scale, zero] = this.scaleNames(name);
      const [q] = this.before(site, 'QuantizeLinear', [name, scale, zero], `${name}/q`);
      this.#paired.set(name, this.before(site, 'DequantizeLinear', [q, scale, zero], `${name}/dq`)[0]);
    }
    this.setInput(site, k, this.#paired.get(name)!);
    return this.scaleOf(name);
  }

  /**
   * The value that is quantised behind a node: its result, or that of the ReLU which alone reads it (or of a Clip from zero on, such as
   * ReLU6), because a runtime then leaves the ReLU out: the 8 bits clip.
   */
  resultOf(site: Site): { readonly site: Site; readonly name: string } {
    const [y] = site.step.outputs;
    const readers = this.#readers.get(y) ?? [];
    const [only] = readers;
    const joined = readers.length === 1 && (only.node.op === 'Relu' || this.#clipLimit(only) !== undefined) && only.step.inputs[0] === y && only.step.scope === site.step.scope && !this.sites.program.outputs.includes(y);
    const at = joined ? only : site;
    const name = this.name(at.step.outputs[0]);
    if (joined && only.node.op === 'Clip') this.#limits.set(name, this.#clipLimit(only)!);
    return { site: at, name };
  }

  /** The upper end of a Clip that begins at zero. */
  #clipLimit({ node, step }: Site): number | undefined {
    if (node.op !== 'Clip') return undefined;
    const [low, high] = [1, 2].map((k) => {
      const contents = this.sites.contents(step.inputs[k] ?? -1);
      return contents ? Number(contents.data[0]) : node.operands[k]?.constant?.[0];
    });
    return low === 0 && high !== undefined && high > 0 ? high : undefined;
  }

  /** Puts the result of a node through 8 bits; whoever read it reads what comes out. */
  pairResult(site: Site): void {
    const { site: at, name } = this.resultOf(site);
    if (this.#paired.has(name)) return;
    const [scale, zero] = this.scaleNames(name);
    const { proto } = at.step;
    const raw = this.edits.fresh(`${name}/float`);
    const q = this.edits.fresh(`${name}/q`);
    this.edits.setOutput(proto, 0, raw);
    this.edits.insertAfter(proto, makeNode({ op: 'DequantizeLinear', inputs: [q, scale, zero], outputs: [name] }));
    this.edits.insertAfter(proto, makeNode({ op: 'QuantizeLinear', inputs: [raw, scale, zero], outputs: [q] }));
    this.#paired.set(name, name);
  }
}

/** The largest scale not above `scale` with which 255 steps do not lead beyond `limit`, in float32. */
function within(scale: number, limit: number): number {
  let lower = scale;
  while (Math.fround(255 * lower) > limit) lower = Math.fround(lower * (1 - 2 ** -23));
  return lower;
}

function readersOf({ sites, program }: Sites): Map<number, readonly Site[]> {
  const readers = new Map<number, Site[]>();
  for (const site of sites) for (const id of new Set(site.step.inputs)) if (id >= 0) (readers.get(id) ?? readers.set(id, []).get(id)!).push(site);
  // What a body hands out or is declared as a result of the model is read by somebody too.
  for (const id of program.outputs) if (id >= 0 && !readers.has(id)) readers.set(id, []);
  return readers;
}

/** A copy with the axes in another order: axis k of the result is axis perm[k] of what is given. */
export function transposed(data: Float32Array, dims: readonly number[], perm: readonly number[]): Float32Array {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, n) => product * n, 1));
  const to = perm.map((axis) => dims[axis]);
  const steps = perm.map((axis) => strides[axis]);
  const result = new Float32Array(data.length);
  const at = to.map(() => 0);
  for (let k = 0; k < result.length; k++) {
    let from = 0;
    for (let axis = 0; axis < at.length; axis++) from += at[axis] * steps[axis];
    result[k] = data[from];
    for (let axis = at.length - 1; axis >= 0 && ++at[axis] === to[axis]; axis--) at[axis] = 0;
  }
  return result;
}
