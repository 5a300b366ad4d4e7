import { sigmoid, softplus } from './elementwise.ts';
import type { Host } from '../value.ts';
import { elements, expectThat } from './array.ts';

type Activation = (x: number, alpha: number, beta: number) => number;

/** Activation functions of recurrent layers and the defaults of their parameters. Spec: GRU-22, "activations"; the names as in any case. */
const ACTIVATIONS: Readonly<Record<string, readonly [f: Activation, alpha: number, beta: number]>> = {
  sigmoid: [sigmoid, 0, 0],
  tanh: [Math.tanh, 0, 0],
  relu: [(x) => Math.max(0, x), 0, 0],
  affine: [(x, a, b) => a * x + b, 1, 0],
  leakyrelu: [(x, a) => (x < 0 ? a * x : x), 0.01, 0],
  thresholdedrelu: [(x, a) => (x > a ? x : 0), 1, 0],
  scaledtanh: [(x, a, b) => a * Math.tanh(b * x), 1, 1],
  hardsigmoid: [(x, a, b) => Math.max(0, Math.min(1, a * x + b)), 0.2, 0.5],
  elu: [(x, a) => (x < 0 ? a * Math.expm1(x) : x), 1, 0],
  softsign: [(x) => x / (1 + Math.abs(x)), 0, 0],
  softplus: [softplus, 0, 0],
};

export interface RecurrentAttributes {
  readonly activation_alpha?: readonly number[] | undefined;
  readonly activation_beta?: readonly number[] | undefined;
  readonly activations?: readonly string[] | undefined;
  readonly clip?: number | undefined;
  readonly direction: string;
  readonly layout: number;
  readonly linear_before_reset?: number;
  readonly input_forget?: number;
}

/** The functions of a direction, with their parameters in place. */
function functionsOf(attributes: RecurrentAttributes, defaults: readonly string[], d: number): ((x: number) => number)[] {
  const names = attributes.activations ?? [];
  const clip = attributes.clip;
  // Parameters are listed for those functions that have some, in their order.
  const [alphas, betas] = [[...(attributes.activation_alpha ?? [])], [...(attributes.activation_beta ?? [])]];
  const all = Array.from({ length: (d + 1) * defaults.length }, (_, k) => {
    const [f, alpha, beta] = ACTIVATIONS[(names[k] ?? defaults[k % defaults.length]).toLowerCase()];
    const [a, b] = [alpha !== 0 ? (alphas.shift() ?? alpha) : 0, beta !== 0 ? (betas.shift() ?? beta) : 0];
    // ONNX Runtime limits what goes into the gates, and not the state on its way out of an LSTM.
    const limit = k % defaults.length === 2 ? undefined : clip;
    return (x: number): number => f(limit === undefined ? x : Math.max(-limit, Math.min(limit, x)), a, b);
  });
  return all.slice(d * defaults.length);
}

/** The sums of one step before the functions: of a gate and a unit, from the input's side and from the state's. */
interface Sums {
  input(gate: number, unit: number): number;
  state(gate: number, unit: number, of: ArrayLike<number>): number;
  inputBias(gate: number, unit: number): number;
  stateBias(gate: number, unit: number): number;
  peephole(gate: number, unit: number): number;
  readonly f: readonly ((x: number) => number)[];
}

/** The kind of layer: its gates, functions, and a step from the states to the next ones. */
export interface Cell {
  readonly gates: number;
  readonly functions: readonly string[];
  readonly states: number;
  step(sums: Sums, states: readonly Float64Array[], attributes: RecurrentAttributes): readonly Float64Array[];
}

const each = (size: number, of: (unit: number) => number): Float64Array => Float64Array.from({ length: size }, (_, unit) => of(unit));

export const rnnCell: Cell = {
  gates: 1, functions: ['Tanh'], states: 1,
  step: ({ input, state, inputBias, stateBias, f: [f] }, [h]) => [each(h.length, (j) => f(input(0, j) + state(0, j, h) + inputBias(0, j) + stateBias(0, j)))],
};

/** Gates z r n. Spec: GRU-22. */
export const gruCell: Cell = {
  gates: 3, functions: ['Sigmoid', 'Tanh'], states: 1,
  step({ input, state, inputBias, stateBias, f: [f, g] }, [h], { linear_before_reset }) {
    const gate = (k: number) => each(h.length, (j) => f(input(k, j) + state(k, j, h) + inputBias(k, j) + stateBias(k, j)));
    const [z, r] = [gate(0), gate(1)];
    const reset = h.map((value, j) => r[j] * value);
    const candidate = (j: number) => (linear_before_reset === 1
      ? g(input(2, j) + r[j] * (state(2, j, h) + stateBias(2, j)) + inputBias(2, j))
      : g(input(2, j) + state(2, j, reset) + stateBias(2, j) + inputBias(2, j)));
    return [each(h.length, (j) => (1 - z[j]) * candidate(j) + z[j] * h[j])];
  },
};

/** Gates i o f c, peepholes i o f. Spec: LSTM-22. */
export const lstmCell: Cell = {
  gates: 4, functions: ['Sigmoid', 'Tanh', 'Tanh'], states: 2,
  step({ input, state, inputBias, stateBias, peephole, f: [f, g, out] }, [h, c], { input_forget }) {
    const sum = (k: number, j: number) => input(k, j) + state(k, j, h) + inputBias(k, j) + stateBias(k, j);
    const i = each(h.length, (j) => f(sum(0, j) + peephole(0, j) * c[j]));
    const forget = input_forget === 1 ? i.map((x) => 1 - x) : each(h.length, (j) => f(sum(2, j) + peephole(2, j) * c[j]));
    const cell = each(h.length, (j) => forget[j] * c[j] + i[j] * g(sum(3, j)));
    return [each(h.length, (j) => f(sum(1, j) + peephole(1, j) * cell[j]) * out(cell[j])), cell];
  },
};

/** Shapes of X [time, batch, input] (or with the batch first), W, R, B and the initial states. Spec: GRU-22. */
export function checkLayer(gates: number, [x, w, r, b, lengths, ...states]: readonly ({ readonly dims: readonly number[] } | undefined)[], batchFirst: boolean): void {
  const [directions, rows, hidden] = r!.dims;
  const [batch, width] = [x!.dims[batchFirst ? 0 : 1], x!.dims[2]];
  const fits = (value: typeof x, dims: readonly number[]): boolean => !value || (value.dims.length === dims.length && dims.every((size, k) => size === value.dims[k]));
  const state = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  const whole = rows === gates * hidden && fits(w, [directions, rows, width]) && fits(b, [directions, 2 * rows]) && fits(lengths, [batch]) && states.slice(0, 2).every((value) => fits(value, state)) && fits(states[2], [directions, 3 * hidden]);
  expectThat(whole, () => `shapes of ${width} inputs, ${hidden} units, ${directions} direction${directions === 1 ? '' : 's'} and a batch of ${batch} do not fit together`);
}

/**
 * A layer step by step in float64, sequence by sequence; what lies beyond the length of a sequence is zero in Y.
 * Inputs: X [time, batch, input], W, R, B, lengths, the initial states, peepholes; all with the batch axis first for layout 1.
 */
export function recurrentHost(cell: Cell, inputs: readonly (Host | undefined)[], attributes: RecurrentAttributes): Host[] {
  const [x, w, r, b, lengths, h0, c0, p] = inputs as [Host, Host, Host, ...(Host | undefined)[]];
  const { gates } = cell;
  checkLayer(gates, inputs, attributes.layout === 1);
  const batchFirst = attributes.layout === 1;
  const [time, batch] = batchFirst ? [x.dims[1], x.dims[0]] : x.dims;
  const [directions, , size] = r.dims;
  const width = x.dims[2];
  const y = elements(x.dtype, time * directions * batch * size) as Float32Array;
  const last = Array.from({ length: cell.states }, () => elements(x.dtype, directions * batch * size) as Float32Array);
  for (const length of lengths?.data ?? []) expectThat(Number(length) >= 0 && Number(length) <= time, () => `a sequence of ${length} steps where there are ${time}`);
  const number = (of: Host | undefined, at: number): number => (of ? Number(of.data[at]) : 0);
  for (let d = 0; d < directions; d++) for (let n = 0; n < batch; n++) {
    const own = batchFirst ? (n * directions + d) * size : (d * batch + n) * size;
    const f = functionsOf(attributes, cell.functions, d);
    let states: readonly Float64Array[] = [h0, c0].slice(0, cell.states).map((start) => each(size, (j) => number(start, own + j)));
    const length = lengths ? number(lengths, n) : time;
    for (let k = 0; k < length; k++) {
      const t = d === 1 || attributes.direction === 'reverse' ? length - 1 - k : k;
      const row = (batchFirst ? n * time + t : t * batch + n) * width;
      states = cell.step({
        input(gate, j) {
          let [sum, at] = [0, (d * gates * size + gate * size + j) * width];
          for (let i = 0; i < width; i++) sum += (w.data[at++] as number) * (x.data[row + i] as number);
          return sum;
        },
        state(gate, j, of) {
          let [sum, at] = [0, (d * gates * size + gate * size + j) * size];
          for (let i = 0; i < size; i++) sum += (r.data[at++] as number) * of[i];
          return sum;
        },
        inputBias: (gate, j) => number(b, d * 2 * gates * size + gate * size + j),
        stateBias: (gate, j) => number(b, d * 2 * gates * size + (gates + gate) * size + j),
        peephole: (gate, j) => number(p, d * 3 * size + gate * size + j),
        f,
      }, states, attributes);
      const to = batchFirst ? ((n * time + t) * directions + d) * size : ((t * directions + d) * batch + n) * size;
      y.set(states[0], to);
    }
    states.forEach((state, s) => last[s].set(state, own));
  }
  const shape = batchFirst ? [batch, time, directions, size] : [time, directions, batch, size];
  const final = batchFirst ? [batch, directions, size] : [directions, batch, size];
  return [{ dtype: x.dtype, dims: shape, data: y }, ...last.map((data): Host => ({ dtype: x.dtype, dims: final, data }))];
}
