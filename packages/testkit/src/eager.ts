import { Emit, type EmittedAttributes, type Known, type KnownSize, type ScanParts, type ScanResult, type Value } from '@coppice/autodiff';
import { operators, type AttributeInput, type AttributeSchema, type OperatorName } from '@coppice/graph';
import { array, type Array64 } from './eager/array64.ts';
import { eagerOperators } from './eager/table.ts';

/**
 * An `Emit` that computes at once in float64 instead of writing a graph: the reference against which gradient rules are checked without a
 * runtime. Values are names, as in a graph, so that a rule sees of a tensor only what it would see while a graph is built.
 */
export class EagerEmit extends Emit {
  readonly #values = new Map<string, Array64>();

  /**
   * A value for a rule.
   * @param shape what the rule is to know of the shape; default all of it
   */
  hold(tensor: Array64, shape: readonly KnownSize[] = tensor.shape): Known {
    const name = `v${this.#values.size}`;
    this.#values.set(name, tensor);
    return { name, shape };
  }

  /** The contents of a value. */
  read({ name }: Value): Array64 {
    const tensor = this.#values.get(name);
    if (!tensor) throw new Error(`'${name}' is no value of this emitter`);
    return tensor;
  }

  override node(op: OperatorName, inputs: readonly (Value | undefined)[], attributes: EmittedAttributes, outputs: number): Value[] {
    return compute(op, inputs.map((input) => input && this.read(input)), attributes, outputs).map((tensor) => this.hold(tensor));
  }

  override floats(data: readonly number[] | Float32Array, dims: readonly number[]): Value { return this.hold(array(dims, data)); }
  override ints(data: readonly number[], dims: readonly number[] = [data.length]): Value { return this.hold(array(dims, data, 'int')); }

  override scan({ states, sequences, reversed = [], outputsReversed = [], body }: ScanParts): ScanResult {
    const read = sequences.map((sequence) => this.read(sequence));
    const steps = read[0].shape[0];
    if (read.some(({ shape }) => shape[0] !== steps)) throw new Error(`Sequences of a Scan have the lengths ${read.map(({ shape }) => shape[0]).join(', ')}`);
    let carried = states;
    const made: Array64[][] = [];
    for (let t = 0; t < steps; t++) {
      const slices = read.map((sequence, k) => this.hold(sliceOf(sequence, reversed[k] ? steps - 1 - t : t)));
      const result = body(carried, slices, this);
      result.states.forEach((state, k) => sameShape(this.read(carried[k]), this.read(state)));
      carried = result.states;
      result.outputs.forEach((output, k) => (made[k] ??= []).push(this.read(output)));
    }
    return { states: carried, outputs: made.map((list, k) => this.hold(stack(outputsReversed[k] ? list.toReversed() : list))) };
  }
}

/** One operator of the newest form. @throws Error for one that the eager table lacks */
export function compute(op: OperatorName, inputs: readonly (Array64 | undefined)[], attributes: EmittedAttributes, outputs: number): readonly Array64[] {
  const run = eagerOperators[op] as ((inputs: readonly (Array64 | undefined)[], attributes: Readonly<Record<string, unknown>>, outputs: number) => readonly Array64[]) | undefined;
  if (!run) throw new Error(`The eager table has no ${op}: add it to its family in testkit/src/eager`);
  const results = run(inputs, completed(op, attributes), outputs);
  if (results.length < outputs) throw new Error(`The eager ${op} made ${results.length} of ${outputs} results`);
  return results;
}

/** Attributes with the defaults of the specification. */
export function completed(op: OperatorName, attributes: EmittedAttributes): Readonly<Record<string, unknown>> {
  const forms: Readonly<Record<string, AttributeSchema>> = operators[op].attributes;
  const unknown = Object.keys(attributes).filter((name) => !Object.hasOwn(forms, name));
  if (unknown.length > 0) throw new Error(`${op} has no attribute ${unknown.join(', ')}`);
  return Object.fromEntries(Object.entries(forms).map(([name, form]) => [name, plain(attributes[name]) ?? (typeof form === 'string' ? undefined : form[1])]));
}

const plain = (value: AttributeInput | undefined): unknown => (typeof value === 'object' && 'float' in value ? value.float : value);

/** The part of a tensor at one place of its first axis. */
function sliceOf({ shape: [, ...shape], type, data }: Array64, t: number): Array64 {
  const size = shape.reduce((product, n) => product * n, 1);
  return { shape, type, data: data.slice(t * size, (t + 1) * size) };
}

function stack(list: readonly Array64[]): Array64 {
  for (const item of list) sameShape(list[0], item);
  return array([list.length, ...list[0].shape], list.flatMap(({ data }) => [...data]), list[0].type);
}

function sameShape(a: Array64, b: Array64): void {
  if (a.shape.join() !== b.shape.join()) throw new Error(`A Scan changes a shape from [${a.shape.join(', ')}] to [${b.shape.join(', ')}]`);
}
