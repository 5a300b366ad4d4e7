import { freshNames, makeInitializer, makeNode, type AttributeInput, type DataType, type NodeProto, type TensorProto, type Values } from '@coppice/graph';

/**
 * Nodes and constants that are put around a model. Values are names. Only forms of operators that are the same from opset 13 to the
 * newest one are emitted through it, so that nobody asks which opset a model has: pooling instead of reductions, sizes as inputs.
 */
export class Emitter {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #fresh: (wanted: string) => string;

  /** @param taken names that exist already; those given out are added */
  constructor(taken: Set<string>) {
    this.#fresh = freshNames(taken);
  }

  /** A node with one result, which has the name of the node. */
  op(op: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeInput>> = {}, name = `coppice.${op}`): string {
    const result = this.#fresh(name);
    this.nodes.push(makeNode({ op, name: result, inputs, outputs: [result], attributes }));
    return result;
  }

  /** A value under a name that is spoken for, e.g. the input that a model had. */
  as(name: string, value: string, nodeName: string): void {
    this.nodes.push(makeNode({ op: 'Identity', name: this.#fresh(nodeName), inputs: [value], outputs: [name] }));
  }

  constant(dtype: DataType, dims: readonly number[], values: Values, name = 'coppice.constant'): string {
    const result = this.#fresh(name);
    this.initializers.push(makeInitializer(result, dtype, dims, values));
    return result;
  }

  /** float32 scalar. */
  float(value: number): string { return this.constant('float32', [], [value]); }
  /** int64 [count]. */
  ints(...values: readonly number[]): string { return this.constant('int64', [values.length], values); }
}
