import type { Value } from '../../emit.ts';
import { once } from '../axes.ts';
import type { Cell, Sums } from './cell.ts';
import { alongAxis, ranksOf, stacked, type LayerCall, type SavedLayer } from './layer.ts';

/** Cotangents of the results; undefined where nobody uses one. */
interface LayerCotangents { readonly Y?: Value; readonly Y_h?: Value; readonly Y_c?: Value }

/** What one Scan back leaves: what the large products are made of, and the cotangents of the first states. */
interface Backward {
  readonly sums: readonly Sums[];
  /** By state, then by direction, [batch, H]. */
  readonly starts: readonly (readonly Value[])[];
}

/**
 * The gradients of a recurrent layer: one Scan back for both directions, and after it
 *   dx = Σ dg·W    dW = Σ dgᵀ·x    dR = Σ daᵀ·h    db = Σ dg, Σ da    dP = Σ da∘c
 * over all steps in one product each, where g = W·x + b and a = R·h + b are what goes into the gates from either side.
 */
export function layerBackward({ attributes, inputs, emit }: LayerCall, cell: Cell, { directions, trajectories, rows, mask }: SavedLayer, cotangents: LayerCotangents) {
  const { X, W, R, B, initial_h, initial_c, P } = inputs;
  const swapped = attributes.layout === 1;
  const hidden = R.shape[2]!;
  const whole = cell.gates * hidden;

  const back = once((): Backward => {
    const y = cotangents.Y && alongAxis(emit, swapped ? emit.transpose(cotangents.Y, [1, 2, 0, 3]) : cotangents.Y, directions.length, 1);
    const last = [cotangents.Y_h, cotangents.Y_c].slice(0, cell.states).map((value) => value && alongAxis(emit, value, directions.length, swapped ? 1 : 0));
    const zeros = once(() => emit.expand(emit.scalar(0), [swapped ? emit.size(X, 0) : emit.size(X, 1), hidden]));
    const ways = directions.map((direction, d) => cell.backward(emit, direction, trajectories[d]));
    const sequences = directions.map((_, d) => [...(y ? [mask ? emit.mul(y[d], mask) : y[d]] : []), ...(mask ? [mask] : []), ...ways[d].sequences]);
    const states = directions.flatMap((_, d) => last.map((value) => value?.[d] ?? zeros()));
    const share = sequences[0].length;
    const flags = (count: number) => directions.flatMap(({ reversed }) => Array<boolean>(count).fill(!reversed));
    const scanned = emit.scan({
      states,
      sequences: sequences.flat(),
      reversed: flags(share),
      outputsReversed: flags(cell.keeps),
      ranks: ranksOf(directions.length * (cell.states + cell.keeps)),
      body(carried, slices, inner) {
        const done = ways.map((way, d) => {
          const own = slices.slice(d * share, (d + 1) * share);
          const dy = y && own.shift();
          const within = mask && own.shift();
          const [dh, ...dc] = carried.slice(d * cell.states, (d + 1) * cell.states);
          const reached = [dy ? inner.add(dy, dh) : dh, ...dc];
          if (!within) return way.step(inner, own, reached);
          // Beyond the end of a sequence the state was passed on, and so is its cotangent.
          const step = way.step(inner, own, reached.map((value) => inner.mul(value, within)));
          const beyond = inner.sub(1, within);
          return { ...step, d: step.d.map((value, k) => inner.add(value, inner.mul(reached[k], beyond))) };
        });
        return { states: done.flatMap(({ d }) => d), outputs: done.flatMap(({ kept }) => kept) };
      },
    });
    return {
      sums: ways.map((way, d) => way.finish(scanned.outputs.slice(d * cell.keeps, (d + 1) * cell.keeps))),
      starts: Array.from({ length: cell.states }, (_, k) => directions.map((__, d) => scanned.states[d * cell.states + k])),
    };
  });
  const flat = (value: Value, width: number) => emit.reshape(value, [-1, width]);
  const inputSums = once(() => back().sums.map(({ input }) => flat(input, whole)));
  const stateSums = once(() => back().sums.map(({ input, state }, d) => (state === input ? inputSums()[d] : flat(state, whole))));
  const start = (k: number) => () => stacked(emit, back().starts[k], swapped ? 1 : 0);

  return {
    X() {
      const [first, ...others] = inputSums().map((sum, d) => emit.matMul(sum, directions[d].W));
      const total = others.reduce((a, b) => emit.add(a, b), first);
      const [time, batch] = (swapped ? [1, 0] : [0, 1]).map((axis) => emit.size(X, axis));
      const dx = emit.reshape(total, [time, batch, emit.size(W, 2)]);
      return swapped ? emit.transpose(dx, [1, 0, 2]) : dx;
    },
    W: () => stacked(emit, inputSums().map((sum) => emit.op('Gemm', [sum, rows], { transA: 1 })), 0),
    R: () => stacked(emit, back().sums.map(({ multiplied }, d) => {
      const all = stateSums()[d];
      const parts = multiplied ?? [{ gates: cell.gates, by: trajectories[d].previous[0] }];
      const columns = emit.split(all, 1, parts.map(({ gates }) => gates * hidden));
      return emit.concat(parts.map(({ by }, k) => emit.op('Gemm', [columns[k], flat(by, hidden)], { transA: 1 })), 0);
    }), 0),
    B: B && (() => stacked(emit, back().sums.map(({ input, state }, d) => {
      const fromInput = emit.reduceSum(inputSums()[d], [0]);
      return emit.concat([fromInput, state === input ? fromInput : emit.reduceSum(stateSums()[d], [0])], 0);
    }), 0)),
    P: P && (() => stacked(emit, back().sums.map(({ peepholes = [] }) =>
      emit.concat(peepholes.map(([da, c]) => emit.reduceSum(emit.mul(da, c), [0, 1])), 0)), 0)),
    initial_h: initial_h && start(0),
    initial_c: initial_c && start(1),
  };
}
