import type { AttributeValue, DataType, OperatorName } from '@coppice/graph';
import { host, vector } from '../host/array.ts';
import { Value, type Host } from '../value.ts';

/** Computes one node; the interpreter brings it. */
export type RunNode = (op: OperatorName, inputs: readonly (Value | undefined)[], attributes: Readonly<Record<string, AttributeValue>>, outputs: number) => Generator<Value, readonly (Value | undefined)[]>;

/**
 * Nodes that take the place of one operator while it runs, when its ranks and sizes are known. What they make is freed at the end, but for
 * what is kept.
 */
export class Expansion {
  readonly #run: RunNode;
  readonly #made: Value[] = [];

  constructor(run: RunNode) {
    this.#run = run;
  }

  /** A node with one result. */
  *op(op: OperatorName, inputs: readonly (Value | undefined)[], attributes: Readonly<Record<string, AttributeValue>> = {}): Generator<Value, Value> {
    const [result] = yield* this.#run(op, inputs, attributes, 1);
    this.#made.push(result!);
    return result!;
  }

  /** A node with several results. */
  *all(op: OperatorName, inputs: readonly (Value | undefined)[], attributes: Readonly<Record<string, AttributeValue>>, outputs: number): Generator<Value, Value[]> {
    const results = (yield* this.#run(op, inputs, attributes, outputs)) as Value[];
    this.#made.push(...results);
    return results;
  }

  host(x: Host): Value {
    const value = Value.host(x);
    this.#made.push(value);
    return value;
  }

  ints(...values: readonly number[]): Value { return this.host(vector(values)); }
  scalar(value: number, dtype: DataType = 'float32'): Value { return this.host(host(dtype, [], [value])); }

  reshape(x: Value, dims: readonly number[]): Generator<Value, Value> { return this.op('Reshape', [x, this.ints(...dims)], { allowzero: 1 }); }
  transpose(x: Value, perm: readonly number[]): Generator<Value, Value> { return this.op('Transpose', [x], { perm }); }
  /** Elements in JavaScript. */
  *read(x: Value): Generator<Value, Host> {
    if (x.data === undefined) yield x;
    return x as Value & Host;
  }

  /** Frees everything but the results. */
  free(): void {
    for (const value of this.#made) value.release();
    this.#made.length = 0;
  }
}
