import { float, makeGraph, makeInitializer, makeNode, makeValueInfo, type AttributeInput, type NodeProto, type OperatorName, type TensorProto } from '@coppice/graph';
import { Emit, type EmittedAttributes, type ScanParts, type ScanResult, type Value } from './emit.ts';

/** What several emitters of one model share: names and constants. */
interface Shared {
  readonly fresh: (wanted: string) => string;
  prefix: string;
  readonly initializers: TensorProto[];
  readonly known: Map<string, Value>;
}

/** Writes nodes of a float32 graph. Equal small constants become one initializer. */
export class GraphEmit extends Emit {
  readonly nodes: NodeProto[] = [];
  readonly #shared: Shared;

  /** @param fresh gives names that the model does not have yet */
  constructor(fresh: (wanted: string) => string, shared: Shared = { fresh, prefix: 'emitted', initializers: [], known: new Map() }) {
    super();
    this.#shared = shared;
  }

  /** From now on the names of emitted values begin like this, e.g. with what they differentiate. */
  startNames(prefix: string): void {
    this.#shared.prefix = prefix;
  }

  /** Constants that the nodes use. */
  get initializers(): readonly TensorProto[] { return this.#shared.initializers; }

  override node(op: OperatorName, inputs: readonly (Value | undefined)[], attributes: EmittedAttributes, outputs: number): Value[] {
    const results = Array.from({ length: outputs }, () => this.#fresh(op));
    const last = inputs.findLastIndex((input) => input !== undefined);
    this.nodes.push(makeNode({
      op, name: results[0].name, attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, asFloats(name, value)])),
      inputs: inputs.slice(0, last + 1).map((input) => input?.name ?? ''), outputs: results.map(({ name }) => name),
    }));
    return results;
  }

  override floats(data: readonly number[] | Float32Array, dims: readonly number[]): Value { return this.#constant('float32', data, dims); }
  override ints(data: readonly number[], dims: readonly number[] = [data.length]): Value { return this.#constant('int64', data, dims); }

  override scan({ states, sequences, reversed = [], outputsReversed = [], ranks, body }: ScanParts): ScanResult {
    const inner = new GraphEmit(this.#shared.fresh, this.#shared);
    const inputs = [...states, ...sequences].map(() => this.#fresh('step'));
    const result = body(inputs.slice(0, states.length), inputs.slice(states.length), inner);
    // A value that is both carried and stacked, or passed on as it came, would be left uninitialised by ONNX Runtime.
    const outputs = [...result.states, ...result.outputs].map((value) => inner.op('Identity', [value]));
    const graph = makeGraph({
      name: this.#fresh('body').name,
      inputs: inputs.map(({ name }) => makeValueInfo(name, 'float32')),
      outputs: outputs.map(({ name }, k) => makeValueInfo(name, 'float32', ranks && Array.from({ length: ranks[k] }, (_, axis) => `${name}/${axis}`))),
      nodes: inner.nodes,
    });
    const flags = (count: number, list: readonly boolean[]) => Array.from({ length: count }, (_, k) => (list[k] ? 1 : 0));
    const results = this.node('Scan', [...states, ...sequences], {
      body: graph, num_scan_inputs: sequences.length,
      scan_input_directions: flags(sequences.length, reversed), scan_output_directions: flags(result.outputs.length, outputsReversed),
    }, outputs.length);
    return { states: results.slice(0, states.length), outputs: results.slice(states.length) };
  }

  #fresh(op: string): Value { return { name: this.#shared.fresh(`${this.#shared.prefix}/${op}`) }; }

  #constant(dtype: 'float32' | 'int64', data: readonly number[] | Float32Array, dims: readonly number[]): Value {
    const key = data.length <= 16 ? `${dtype}[${dims.join()}]${data.join()}` : undefined;
    const known = key === undefined ? undefined : this.#shared.known.get(key);
    if (known) return known;
    const value = { name: this.#shared.fresh('constant') };
    this.#shared.initializers.push(makeInitializer(value.name, dtype, dims, data));
    if (key !== undefined) this.#shared.known.set(key, value);
    return value;
  }
}

/** Attributes that are floats even where a rule writes a whole number. */
const FLOATS = new Set(['alpha', 'beta', 'epsilon', 'momentum', 'gamma', 'scale', 'softcap', 'lambd', 'bias']);

const asFloats = (name: string, value: AttributeInput | undefined): AttributeInput | undefined =>
  typeof value === 'number' && FLOATS.has(name) ? float(value) : value;
