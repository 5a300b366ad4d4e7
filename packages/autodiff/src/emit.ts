import type { AttributeInput, OperatorName } from '@coppice/graph';

/** A value of a graph under construction. */
export interface Value {
  readonly name: string;
}

/** A size of a shape that every run has; undefined where runs differ. */
export type KnownSize = number | undefined;

/** A value whose rank is known, and of its sizes those that are the same in every run. */
export interface Known extends Value {
  readonly shape: readonly KnownSize[];
}

/** A size: a number where every run has the same, else an int64 value [1]. */
export type Size = number | Value;

/** One loop over the first axis of some sequences. */
export interface ScanParts {
  /** What the loop carries, before the first step. */
  readonly states: readonly Value[];
  /** Values [time, …] of which each step sees one slice […]. */
  readonly sequences: readonly Value[];
  /** Which sequences are read from the last slice to the first. */
  readonly reversed?: readonly boolean[];
  /** Which outputs are stacked from the last slice to the first. */
  readonly outputsReversed?: readonly boolean[];
  /** Ranks of the states, then of the outputs, in one step: ONNX Runtime refuses a loop where it cannot find them itself. */
  readonly ranks?: readonly number[];
  /** One step. Values of the graph around it may be used. */
  body(states: readonly Value[], slices: readonly Value[], emit: Emit): { readonly states: readonly Value[]; readonly outputs: readonly Value[] };
}

/** What a Scan leaves: the last states, and the outputs of all steps [time, …]. */
export interface ScanResult {
  readonly states: readonly Value[];
  readonly outputs: readonly Value[];
}

/** A float where a value may stand. */
export type Operand = Value | number;

/** What an attribute of an emitted node may be; undefined leaves it out. */
export type EmittedAttributes = Readonly<Record<string, AttributeInput | undefined>>;

/**
 * Appends ONNX operators of the newest form in opset 21, one at a time. Gradient rules know nothing else, so that one implementation can
 * write a graph and another one compute at once in float64. All floats are of one type.
 */
export abstract class Emit {
  /** Any operator with any number of results. An undefined input is left out. */
  abstract node(op: OperatorName, inputs: readonly (Value | undefined)[], attributes: EmittedAttributes, outputs: number): Value[];
  /** A float constant. */
  abstract floats(data: readonly number[] | Float32Array, dims: readonly number[]): Value;
  /** An int64 constant. */
  abstract ints(data: readonly number[], dims?: readonly number[]): Value;
  abstract scan(parts: ScanParts): ScanResult;

  /** An operator with one result. */
  op(op: OperatorName, inputs: readonly (Operand | undefined)[], attributes: EmittedAttributes = {}): Value {
    return this.node(op, inputs.map((input) => (typeof input === 'number' ? this.scalar(input) : input)), attributes, 1)[0];
  }

  scalar(value: number): Value {
    return this.floats([value], []);
  }

  add(a: Operand, b: Operand): Value { return this.op('Add', [a, b]); }
  sub(a: Operand, b: Operand): Value { return this.op('Sub', [a, b]); }
  mul(a: Operand, b: Operand): Value { return this.op('Mul', [a, b]); }
  div(a: Operand, b: Operand): Value { return this.op('Div', [a, b]); }
  neg(x: Value): Value { return this.op('Neg', [x]); }
  matMul(a: Value, b: Value): Value { return this.op('MatMul', [a, b]); }
  /** `condition ? a : b`, element by element. */
  where(condition: Value, a: Operand, b: Operand): Value { return this.op('Where', [condition, a, b]); }
  /** 1 where true, 0 where false. */
  asFloat(condition: Value): Value { return this.where(condition, 1, 0); }
  transpose(x: Value, perm: readonly number[]): Value { return this.op('Transpose', [x], { perm: [...perm] }); }
  concat(values: readonly Value[], axis: number): Value { return values.length === 1 ? values[0] : this.op('Concat', values, { axis }); }

  /** Sums over axes; over none it is the value itself. */
  reduceSum(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce('ReduceSum', x, axes, keepDims); }
  reduce(op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd', x: Value, axes: readonly number[], keepDims = false): Value {
    return axes.length === 0 ? x : this.op(op, [x, this.ints(axes)], { keepdims: keepDims ? 1 : 0 });
  }

  /** @param shape sizes, or an int64 value that lists them; −1 stands for what is left, as in ONNX */
  reshape(x: Value, shape: readonly Size[] | Value): Value { return this.op('Reshape', [x, this.vector(shape)], { allowzero: 0 }); }
  expand(x: Value, shape: readonly Size[] | Value): Value { return this.op('Expand', [x, this.vector(shape)]); }
  unsqueeze(x: Value, axes: readonly number[]): Value { return axes.length === 0 ? x : this.op('Unsqueeze', [x, this.ints(axes)]); }
  squeeze(x: Value, axes: readonly number[]): Value { return axes.length === 0 ? x : this.op('Squeeze', [x, this.ints(axes)]); }
  gather(x: Value, indices: Value, axis: number): Value { return this.op('Gather', [x, indices], { axis }); }

  /** The part [start, end) of some axes, every `step`-th element. Bounds beyond the end mean the end. */
  slice(x: Value, { axes, starts, ends, steps }: { readonly axes: readonly number[]; readonly starts: readonly Size[]; readonly ends: readonly Size[]; readonly steps?: readonly number[] }): Value {
    return this.op('Slice', [x, this.vector(starts), this.vector(ends), this.ints(axes), steps && this.ints(steps)]);
  }

  /** Zeros around a value. @param pads as ONNX lists them: what comes before each axis, then what comes after each */
  pad(x: Value, pads: readonly Size[]): Value {
    return pads.every((size) => size === 0) ? x : this.op('Pad', [x, this.vector(pads)], { mode: 'constant' });
  }

  /** Parts that lie end to end along an axis. */
  split(x: Value, axis: number, sizes: readonly Size[]): Value[] {
    return sizes.length === 1 ? [x] : this.node('Split', [x, this.vector(sizes)], { axis }, sizes.length);
  }

  /** The shape of a value in the run at hand, int64 [rank]. */
  shapeOf(x: Value): Value { return this.op('Shape', [x]); }
  /** One size of a value. */
  size(x: Known, axis: number): Size {
    const at = axis < 0 ? axis + x.shape.length : axis;
    return x.shape[at] ?? this.op('Shape', [x], { start: at, end: at + 1 });
  }
  sizes(x: Known): readonly Size[] | Value {
    return x.shape.every((size) => size !== undefined) ? (x.shape as readonly number[]) : this.shapeOf(x);
  }
  /** Zeros of the shape of a value. */
  zerosLike(x: Known): Value { return this.expand(this.scalar(0), this.sizes(x)); }

  /** Sums of sizes: numbers stay numbers. */
  plus(a: Size, b: Size): Size {
    if (typeof a === 'number' && typeof b === 'number') return a + b;
    return a === 0 ? b : b === 0 ? a : this.op('Add', [this.vector([a]), this.vector([b])]);
  }
  times(a: Size, b: Size): Size {
    if (typeof a === 'number' && typeof b === 'number') return a * b;
    return a === 1 ? b : b === 1 ? a : this.op('Mul', [this.vector([a]), this.vector([b])]);
  }
  minus(a: Size, b: Size): Size { return this.plus(a, this.times(b, -1)); }

  /** Sizes as an int64 value [count]. */
  vector(sizes: readonly Size[] | Value): Value {
    if (!isList(sizes)) return sizes;
    if (sizes.every((size) => typeof size === 'number')) return this.ints(sizes as readonly number[]);
    return this.concat(sizes.map((size) => (typeof size === 'number' ? this.ints([size]) : size)), 0);
  }

  /**
   * Undoes broadcasting: sums `value`, which has the shape `from`, over the axes that `to` does not have or has with size one.
   * @returns a value of the shape of `to`
   */
  reduceTo(value: Value, from: readonly KnownSize[], to: Known): Value {
    const lead = from.length - to.shape.length;
    const missing = from.slice(0, lead).map((_, axis) => axis);
    const stretched = to.shape.flatMap((size, axis) => (size === 1 && from[axis + lead] !== 1 ? [axis + lead] : []));
    const kept = this.reduceSum(value, stretched, true);
    return this.reduceSum(kept, missing);
  }
}

const isList = (sizes: readonly Size[] | Value): sizes is readonly Size[] => Array.isArray(sizes);
