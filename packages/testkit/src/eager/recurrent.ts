import { at, build, offset, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

/** A state [hidden]. */
type Row = Float64Array;

/** Activation functions of recurrent layers. Spec: GRU-22, "activations". */
const functions: Readonly<Record<string, (x: number) => number>> = {
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  relu: (x) => Math.max(0, x),
};

interface RecurrentAttributes {
  readonly activations?: readonly string[];
  readonly clip?: number;
  readonly direction: string;
  readonly layout: number;
}

/** What one step of one direction reads: dot products with rows of the matrices, biases, peepholes. */
interface Step {
  /** W[gate h]·x. */
  readonly input: (gate: number, h: number) => number;
  /** R[gate h]·state. */
  readonly hidden: (gate: number, h: number, state: ArrayLike<number>) => number;
  readonly inputBias: (gate: number, h: number) => number;
  readonly hiddenBias: (gate: number, h: number) => number;
  readonly peephole: (gate: number, h: number) => number;
  readonly f: readonly ((x: number) => number)[];
}

/** States after one step. */
type Cell = (step: Step, states: readonly Row[], size: number) => readonly Row[];

const rowOf = (size: number, of: (h: number) => number): Row => Float64Array.from({ length: size }, (_, h) => of(h));

/** A layer step by step, sequence by sequence; what lies beyond the length of a sequence is zero in Y. */
function run(inputs: readonly (Array64 | undefined)[], attributes: RecurrentAttributes, gates: number, defaults: readonly string[], count: number, cell: Cell): Array64[] {
  if (attributes.clip !== undefined) throw new Error('The eager recurrent layers do not clip');
  const turned = (value: Array64 | undefined, perm: readonly number[]) => (attributes.layout === 1 && value ? transpose(value, perm) : value);
  const [first, w, r, b, lengths, startH, startC, p] = inputs as [Array64, Array64, Array64, ...(Array64 | undefined)[]];
  const [x, h0, c0] = [turned(first, [1, 0, 2])!, turned(startH, [1, 0, 2]), turned(startC, [1, 0, 2])];
  const [time, batch] = x.shape;
  const [directions, , size] = r.shape;
  const names = attributes.activations ?? Array.from({ length: directions }, () => defaults).flat();
  const y = build([time, directions, batch, size], () => 0);
  const last = Array.from({ length: count }, () => build([directions, batch, size], () => 0));
  for (let d = 0; d < directions; d++) {
    const dot = (matrix: Array64, row: number, of: (k: number) => number): number => {
      let sum = 0;
      for (let k = 0; k < matrix.shape[2]; k++) sum += at(matrix, [d, row, k]) * of(k);
      return sum;
    };
    const f = defaults.map((_, k) => functions[names[d * defaults.length + k].toLowerCase()]);
    for (let n = 0; n < batch; n++) {
      const start = (state: Array64 | undefined): Row => rowOf(size, (h) => (state ? at(state, [d, n, h]) : 0));
      let states: readonly Row[] = [h0, c0].slice(0, count).map(start);
      const length = lengths?.data[n] ?? time;
      for (let k = 0; k < length; k++) {
        const t = d === 1 || attributes.direction === 'reverse' ? length - 1 - k : k;
        states = cell({
          input: (gate, h) => dot(w, gate * size + h, (j) => at(x, [t, n, j])),
          hidden: (gate, h, state) => dot(r, gate * size + h, (j) => state[j]),
          inputBias: (gate, h) => (b ? at(b, [d, gate * size + h]) : 0),
          hiddenBias: (gate, h) => (b ? at(b, [d, (gates + gate) * size + h]) : 0),
          peephole: (gate, h) => (p ? at(p, [d, gate * size + h]) : 0),
          f,
        }, states, size);
        states[0].forEach((value, h) => { y.data[offset(y.shape, [t, d, n, h])] = value; });
      }
      states.forEach((state, s) => state.forEach((value, h) => { last[s].data[offset(last[s].shape, [d, n, h])] = value; }));
    }
  }
  return [turned(y, [2, 0, 1, 3])!, ...last.map((state) => turned(state, [1, 0, 2])!)];
}

const transpose = (x: Array64, perm: readonly number[]): Array64 =>
  build(perm.map((axis) => x.shape[axis]), (index) => at(x, x.shape.map((_, axis) => index[perm.indexOf(axis)])));

export const recurrent = {
  /** h = f(W·x + R·h + b). Spec: RNN-22. */
  RNN: (inputs, attributes) => run(inputs, attributes, 1, ['Tanh'], 1, ({ input, hidden, inputBias, hiddenBias, f: [f] }, [h], size) =>
    [rowOf(size, (j) => f(input(0, j) + hidden(0, j, h) + inputBias(0, j) + hiddenBias(0, j)))]),

  /** Gates z r h; h = (1 − z)∘ĥ + z∘h. Spec: GRU-22. */
  GRU: (inputs, attributes) => run(inputs, attributes, 3, ['Sigmoid', 'Tanh'], 1, ({ input, hidden, inputBias, hiddenBias, f: [f, g] }, [h], size) => {
    const gate = (k: number) => rowOf(size, (j) => f(input(k, j) + hidden(k, j, h) + inputBias(k, j) + hiddenBias(k, j)));
    const [z, r] = [gate(0), gate(1)];
    const reset = h.map((value, j) => r[j] * value);
    const candidate = (j: number) => (attributes.linear_before_reset === 0
      ? g(input(2, j) + hidden(2, j, reset) + hiddenBias(2, j) + inputBias(2, j))
      : g(input(2, j) + r[j] * (hidden(2, j, h) + hiddenBias(2, j)) + inputBias(2, j)));
    return [rowOf(size, (j) => (1 - z[j]) * candidate(j) + z[j] * h[j])];
  }),

  /** Gates i o f c, peepholes i o f. Spec: LSTM-22. */
  LSTM: (inputs, attributes) => {
    if (attributes.input_forget !== 0) throw new Error('The eager LSTM has no coupled gates');
    return run(inputs, attributes, 4, ['Sigmoid', 'Tanh', 'Tanh'], 2, ({ input, hidden, inputBias, hiddenBias, peephole, f: [f, g, out] }, [h, c], size) => {
      const sum = (k: number, j: number) => input(k, j) + hidden(k, j, h) + inputBias(k, j) + hiddenBias(k, j);
      const i = rowOf(size, (j) => f(sum(0, j) + peephole(0, j) * c[j]));
      const forget = rowOf(size, (j) => f(sum(2, j) + peephole(2, j) * c[j]));
      const cell = rowOf(size, (j) => forget[j] * c[j] + i[j] * g(sum(3, j)));
      const o = rowOf(size, (j) => f(sum(1, j) + peephole(1, j) * cell[j]));
      return [rowOf(size, (j) => o[j] * out(cell[j])), cell];
    });
  },
} satisfies EagerRows;
