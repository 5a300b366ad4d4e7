import type { Emit, Known, Value } from '../../emit.ts';
import { NoGradient, type Forward } from '../../vjp.ts';
import { activationOf } from './activations.ts';
import type { Cell, Direction, Trajectory } from './cell.ts';

/** A node of one of the three kinds. With layout 1, batch and time, or batch and direction, are the other way round. */
export interface LayerCall {
  readonly attributes: {
    readonly activations: readonly string[] | undefined;
    readonly clip: number | undefined;
    readonly direction: string;
    readonly layout: number;
  };
  readonly inputs: {
    /** [time, batch, input]. */
    readonly X: Known;
    /** [direction, G·H, input]. */
    readonly W: Known;
    /** [direction, G·H, H]. */
    readonly R: Known;
    /** [direction, 2·G·H]. */
    readonly B: Known | undefined;
    /** Integers [batch]. */
    readonly sequence_lens: Known | undefined;
    /** [direction, batch, H]. */
    readonly initial_h: Known | undefined;
    readonly initial_c?: Known | undefined;
    /** [direction, 3·H]. */
    readonly P?: Known | undefined;
  };
  readonly emit: Emit;
}

/** What the way back needs of the forward. */
export interface SavedLayer {
  readonly directions: readonly Direction[];
  readonly trajectories: readonly Trajectory[];
  /** All steps of X, [time·batch, input]. */
  readonly rows: Value;
  /** 1 where a step lies within its sequence, [time, batch, 1]. */
  readonly mask: Value | undefined;
}

/**
 * A recurrent layer as one Scan for both directions, after W·x of all steps in one product each. A step beyond the length of its sequence
 * leaves the states as they are, so that the last states are those of the last real step, and a reversed sequence starts at its own end.
 * @throws NoGradient for attributes that it does not know
 */
export function layerForward({ attributes, inputs, emit }: LayerCall, cell: Cell): Forward<'LSTM', SavedLayer> {
  const { X, W, R, sequence_lens, initial_h, initial_c } = inputs;
  const swapped = attributes.layout === 1;
  const directions = directionsOf(attributes, inputs, cell, emit);
  const [time, batch] = (swapped ? [1, 0] : [0, 1]).map((axis) => emit.size(X, axis));
  const mask = sequence_lens && maskOf(emit, sequence_lens, time);
  const rows = emit.reshape(swapped ? emit.transpose(X, [1, 0, 2]) : X, [-1, emit.size(W, 2)]);
  const hidden = R.shape[2]!;
  const starts = [initial_h, initial_c].slice(0, cell.states).map((start) => (start
    ? alongAxis(emit, swapped ? emit.transpose(start, [1, 0, 2]) : start, directions.length, 0)
    : directions.map(() => emit.expand(emit.scalar(0), [batch, hidden]))));
  const projected = directions.map((direction) =>
    emit.reshape(emit.op('Gemm', [rows, direction.W, cell.bias(emit, direction)], { transB: 1 }), [time, batch, cell.gates * hidden]));

  const steps = directions.map((direction) => cell.forward(emit, direction));
  const reads = mask ? 2 : 1;
  const leaves = cell.states + cell.saves;
  const flags = (count: number) => directions.flatMap(({ reversed }) => Array<boolean>(count).fill(reversed));
  const scanned = emit.scan({
    states: directions.flatMap((_, d) => starts.map((start) => start[d])),
    sequences: directions.flatMap((_, d) => [projected[d], ...(mask ? [mask] : [])]),
    reversed: flags(reads),
    outputsReversed: flags(leaves),
    ranks: ranksOf(directions.length * (cell.states + leaves)),
    body(carried, slices, inner) {
      const done = steps.map((step, d) => {
        const before = carried.slice(d * cell.states, (d + 1) * cell.states);
        const [x, within] = slices.slice(d * reads, (d + 1) * reads);
        const { states, gates } = step(inner, x, before);
        const real = within && inner.op('Greater', [within, 0]);
        return { gates, states: real ? states.map((state, k) => inner.where(real, state, before[k])) : states };
      });
      return { states: done.flatMap(({ states }) => states), outputs: done.flatMap(({ states, gates }) => [...states, ...gates]) };
    },
  });

  const trajectories = directions.map(({ reversed }, d): Trajectory => {
    const outputs = scanned.outputs.slice(d * leaves, (d + 1) * leaves);
    const states = outputs.slice(0, cell.states);
    return { states, gates: outputs.slice(cell.states), previous: states.map((state, k) => statesBefore(emit, state, starts[k][d], reversed)) };
  });
  const last = (k: number) => stacked(emit, directions.map((_, d) => scanned.states[d * cell.states + k]), swapped ? 1 : 0);
  const y = stacked(emit, trajectories.map(({ states: [h] }) => (mask ? emit.mul(h, mask) : h)), 1);
  return {
    outputs: { Y: swapped ? emit.transpose(y, [2, 0, 1, 3]) : y, Y_h: last(0), ...(cell.states === 2 && { Y_c: last(1) }) },
    saved: { directions, trajectories, rows, mask },
  };
}

/** Every value of a step is [batch, H]. */
export const ranksOf = (values: number): number[] => Array<number>(values).fill(2);

/** The states before each step, from those after it and the first one [batch, H]. */
function statesBefore(emit: Emit, states: Value, start: Value, reversed: boolean): Value {
  const first = emit.unsqueeze(start, [0]);
  const rest = emit.slice(states, reversed ? { axes: [0], starts: [1], ends: [END] } : { axes: [0], starts: [0], ends: [-1] });
  return emit.concat(reversed ? [rest, first] : [first, rest], 0);
}

/** A bound of Slice that lies beyond every end. */
const END = 2 ** 53 - 1;

/** The parts of a value along an axis of one or two, without the axis. */
export const alongAxis = (emit: Emit, x: Value, count: number, axis: number): Value[] =>
  emit.split(x, axis, Array<number>(count).fill(1)).map((part) => emit.squeeze(part, [axis]));

/** Values next to each other along a new axis. */
export const stacked = (emit: Emit, values: readonly Value[], axis: number): Value => emit.concat(values.map((value) => emit.unsqueeze(value, [axis])), axis);

/** 1 where a step lies within its sequence, [time, batch, 1]. */
function maskOf(emit: Emit, lengths: Known, time: Value | number): Value {
  const steps = typeof time === 'number'
    ? emit.ints(Array.from({ length: time }, (_, t) => t))
    : emit.op('Range', [emit.ints([0], []), emit.squeeze(time, [0]), emit.ints([1], [])]);
  const within = emit.op('Less', [emit.unsqueeze(steps, [1]), emit.unsqueeze(emit.op('Cast', [lengths], { to: INT64 }), [0])]);
  return emit.unsqueeze(emit.asFloat(within), [2]);
}

const INT64 = 7;

/** The weights of each direction; refuses what would mean something else. */
function directionsOf({ activations, clip, direction }: LayerCall['attributes'], { W, R, B, P }: LayerCall['inputs'], cell: Cell, emit: Emit): Direction[] {
  if (clip !== undefined) throw new NoGradient('it clips what goes into its activation functions; export it without the attribute clip');
  const reversed = { forward: [false], reverse: [true], bidirectional: [false, true] }[direction];
  const hidden = R.shape[2];
  if (!reversed || hidden === undefined || W.shape[2] === undefined) throw new NoGradient(`its direction '${direction}' or its hidden size is not known`);
  const names = activations && activations.length > 0 ? activations : reversed.flatMap(() => cell.functions);
  const each = (x: Known): Value[] => alongAxis(emit, x, reversed.length, 0);
  const [w, r, b, p] = [W, R, B, P].map((x) => x && each(x));
  return reversed.map((backwards, d) => {
    const biases = b && emit.split(b[d], 0, [cell.gates * hidden, cell.gates * hidden]);
    return {
      reversed: backwards, hidden, W: w![d], R: r![d], biases: biases && [biases[0], biases[1]], peepholes: p?.[d],
      functions: cell.functions.map((_, k) => activationOf(names[d * cell.functions.length + k] ?? '')),
    };
  });
}
