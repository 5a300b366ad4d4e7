import type { AttributeInput } from './attribute-values.ts';
import { makeInitializer, makeNode } from './edit.ts';
import type { NodeProto, TensorProto } from './gen/onnx_pb.js';

/** Appends nodes that take the place of another one. Values are names. */
export class Lowering {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #prefix: string;
  readonly #fresh: (wanted: string) => string;

  constructor(prefix: string, fresh: (wanted: string) => string) {
    this.#prefix = prefix;
    this.#fresh = fresh;
  }

  /** A node with one result. An empty name leaves an input out. */
  op(op: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeInput | undefined>> = {}): string {
    return this.all(op, inputs, 1, attributes)[0];
  }

  /** A node with several results. */
  all(op: string, inputs: readonly string[], outputs: number, attributes: Readonly<Record<string, AttributeInput | undefined>> = {}): string[] {
    const results = Array.from({ length: outputs }, () => this.#fresh(`${this.#prefix}/${op}`));
    this.nodes.push(makeNode({ op, name: results[0], inputs, outputs: results, attributes }));
    return results;
  }

  /** int64 [count]. */
  ints(...values: readonly number[]): string { return this.#constant('ints', 'int64', [values.length], values); }
  /** int64 scalar. */
  int(value: number): string { return this.#constant('int', 'int64', [], [value]); }
  /** float32 scalar. */
  float(value: number): string { return this.#constant('float', 'float32', [], [value]); }
  bool(value: boolean): string { return this.#constant('bool', 'bool', [], [value ? 1 : 0]); }
  /** A scalar of the type that another value has. */
  like(value: number, other: string): string { return this.op('CastLike', [this.float(value), other]); }
  /** The number of axes, an int64 scalar. */
  rank(x: string): string { return this.op('Size', [this.op('Shape', [x])]); }

  #constant(what: string, dtype: 'int64' | 'float32' | 'bool', dims: readonly number[], values: readonly number[]): string {
    const name = this.#fresh(`${this.#prefix}/${what}`);
    this.initializers.push(makeInitializer(name, dtype, dims, values));
    return name;
  }
}
