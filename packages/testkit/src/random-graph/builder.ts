import { createRandom, type Random } from '@coppice/core';
import { makeInitializer, makeNode, type AttributeInput, type DataType, type NodeProto, type TensorProto, type Values } from '@coppice/graph';

/** How an exporter spells what can be said in several ways. */
export interface Spelling {
  /** Small constants as nodes (older exporters) or as initializers. */
  readonly constants: 'nodes' | 'initializers';
  /** Share of shapes that are computed from Shape instead of stated. */
  readonly computedShapes: number;
  /** Share of weights that reach their node through Cast, Transpose, Slice, Concat, … */
  readonly computedWeights: number;
}

type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

/**
 * Collects the nodes and initializers of a graph. Each block draws from a random stream of its own, so that leaving a block out of a
 * case leaves the choices of the others as they were.
 */
export class GraphBuilder {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  /** Inputs and outputs besides those of the case: states that are carried from call to call. */
  readonly states: { readonly name: string; readonly sizes: readonly (number | string)[]; readonly side: 'input' | 'output' }[] = [];
  readonly opset: number;
  spelling: Spelling;
  /** What was used, for the statement of what a study has covered. */
  readonly traits = new Set<string>();
  random: Random;
  private names = 0;

  constructor(opset: number, spelling: Spelling, random: Random) {
    this.opset = opset;
    this.spelling = spelling;
    this.random = random;
  }

  /** From now on random choices come from another stream. */
  stream(seed: string): void {
    this.random = createRandom(seed);
  }

  name(hint: string): string {
    this.names++;
    return `${hint}_${this.names}`;
  }

  /** Adds a node and returns the names of its results; `outputs` holds the numbers of those that are wanted. */
  ops(op: string, inputs: readonly string[], attributes: Attributes, outputs: readonly (number | undefined)[], domain?: string): string[] {
    const name = this.name(op.toLowerCase());
    const results = outputs.map((k) => (k === undefined ? '' : k === 0 ? `${name}_y` : `${name}_y${k}`));
    this.nodes.push(makeNode({ op, domain, name, inputs, outputs: results, attributes }));
    this.traits.add(`op:${op}`);
    return results;
  }

  /** A node with one result. */
  op(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.ops(op, inputs, attributes, [0])[0];
  }

  /** A parameter: standard normal numbers times `scale`, none near zero, so that a slice that is lost or doubled shows. */
  parameter(dims: readonly number[], scale = 1, hint = 'w'): string {
    const count = dims.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: count }, () => {
      const value = this.random.normal();
      return scale * (value + Math.sign(value) * 0.1);
    });
    return this.tensor('float32', dims, data, hint);
  }

  /** Positive numbers around one: scales, variances. */
  positive(dims: readonly number[], hint = 'scale'): string {
    const count = dims.reduce((a, b) => a * b, 1);
    return this.tensor('float32', dims, Float32Array.from({ length: count }, () => 0.5 + this.random.uniform()), hint);
  }

  tensor(dtype: DataType, dims: readonly number[], values: Values, hint: string): string {
    const name = this.name(hint);
    this.initializers.push(makeInitializer(name, dtype, dims, values));
    return name;
  }

  /** A small constant, as the exporter at hand stores it. */
  constant(dtype: DataType, dims: readonly number[], values: Values, hint = 'c'): string {
    if (this.spelling.constants === 'initializers') return this.tensor(dtype, dims, values, hint);
    const name = this.name(hint);
    this.nodes.push(makeNode({ op: 'Constant', name: `${name}_node`, inputs: [], outputs: [name], attributes: { value: makeInitializer('', dtype, dims, values) } }));
    return name;
  }

  ints(values: readonly number[], hint = 'ints'): string {
    return this.constant('int64', [values.length], values, hint);
  }

  scalar(value: number, hint = 'scalar'): string {
    return this.constant('float32', [], [value], hint);
  }

  chance(share: number): boolean {
    return this.random.uniform() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.random.integer(items.length)];
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.random.integer(high - low + 1);
  }

  /** Runs `make` with every weight and shape stated, for a node whose shapes a runtime must infer before it runs. */
  plainly<T>(make: () => T): T {
    const { spelling } = this;
    this.spelling = { ...spelling, computedShapes: 0, computedWeights: 0 };
    const made = make();
    this.spelling = spelling;
    return made;
  }

  /** Runs `fill` and takes the nodes and initializers that it adds out again: the contents of a body. */
  body(fill: () => void): { readonly nodes: readonly NodeProto[]; readonly initializers: readonly TensorProto[] } {
    const [nodes, initializers] = [this.nodes.length, this.initializers.length];
    fill();
    return { nodes: this.nodes.splice(nodes), initializers: this.initializers.splice(initializers) };
  }
}
