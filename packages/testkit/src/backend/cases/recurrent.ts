import { ints, reals, small, type Draw, type OperatorCase } from '../operator-case.ts';

const cells = { LSTM: { gates: 4, states: 2 }, GRU: { gates: 3, states: 1 }, RNN: { gates: 1, states: 1 } } as const;
type Cell = keyof typeof cells;
const directions = { forward: 1, reverse: 1, bidirectional: 2 } as const;
const [batch, width, hidden] = [3, 4, 5];

interface Extra {
  readonly title: string;
  readonly lengths?: readonly number[];
  readonly start?: true;
  readonly peepholes?: true;
  readonly bias?: false;
  readonly attributes?: OperatorCase['attributes'];
}

/** A layer x[n, 3, 4] with all results that it has; all gates have weights of their own, so that none can stand for another. */
function layer(op: Cell, direction: keyof typeof directions, { title, lengths, start, peepholes, bias, attributes }: Extra): OperatorCase {
  const [{ gates, states }, d] = [cells[op], directions[direction]];
  const rows = gates * hidden;
  const first = (n: number): Draw => (attributes?.layout === 1 ? reals(batch, n, width) : reals(n, batch, width));
  const state = (): Draw | undefined => (start ? (attributes?.layout === 1 ? small(batch, d, hidden) : small(d, batch, hidden)) : undefined);
  const operands = (n: number): (Draw | undefined)[] => [
    first(n), small(d, rows, width), small(d, rows, hidden), bias === false ? undefined : small(d, 2 * rows), lengths && ints(lengths),
    ...Array.from({ length: states }, state), ...(peepholes ? [small(d, 3 * hidden)] : []),
  ];
  const last = operands(5).findLastIndex((draw) => draw !== undefined);
  return {
    op, title: `${direction}${title}`, operands: (n) => operands(n).slice(0, last + 1), types: { 4: 'int32' },
    attributes: { hidden_size: hidden, direction, ...attributes }, results: ['y', 'h', ...(states === 2 ? ['c'] : [])],
  };
}

const everywhere = (Object.keys(cells) as Cell[]).flatMap((op) => (Object.keys(directions) as (keyof typeof directions)[]).flatMap((direction) => [
  layer(op, direction, { title: '' }),
  layer(op, direction, { title: ' from initial states, to the end of each sequence', start: true, lengths: [5, 2, 4] }),
]));

export const recurrent: readonly OperatorCase[] = [
  ...everywhere,
  ...(Object.keys(cells) as Cell[]).map((op) => layer(op, 'forward', { title: ' without biases', bias: false })),
  ...(Object.keys(cells) as Cell[]).map((op) => layer(op, 'bidirectional', { title: ', the batch first', start: true, attributes: { layout: 1 } })),
  layer('GRU', 'bidirectional', { title: ', the reset gate behind the product', attributes: { linear_before_reset: 1 } }),
  layer('GRU', 'reverse', { title: ', the reset gate behind the product, from an initial state', start: true, attributes: { linear_before_reset: 1 } }),
  layer('LSTM', 'bidirectional', { title: ' with peepholes', peepholes: true, start: true }),
  layer('RNN', 'bidirectional', { title: ' with other functions', attributes: { activations: ['Relu', 'Tanh'] } }),
];
