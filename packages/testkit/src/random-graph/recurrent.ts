import { dataTypes } from '@coppice/graph';
import type { GraphBuilder } from './builder.ts';
import type { Block } from './convolutions.ts';
import { dense } from './products.ts';
import { concat, reshape, sizeOf, slice, split, squeeze, transpose, unsqueeze } from './spelling.ts';
import { as, inLayout, type Value } from './values.ts';
import { weight } from './weights.ts';

interface Cell { readonly op: 'LSTM' | 'GRU' | 'RNN'; readonly gates: number; readonly states: number }
const cells: readonly Cell[] = [{ op: 'LSTM', gates: 4, states: 2 }, { op: 'GRU', gates: 3, states: 1 }, { op: 'RNN', gates: 1, states: 1 }];

/** One tensor of states for all layers, sliced for each, or one of its own. */
interface Layer { readonly cell: Cell; readonly directions: number; readonly hidden: number; readonly width: number; readonly states: readonly string[] | undefined }

/** A packed weight [directions, gates · hidden, …], as one tensor or put together from gates and directions as dynamo leaves large ones. */
function packed(b: GraphBuilder, dims: readonly number[], gates: number, fanIn: number): string {
  const [directions, rows, ...rest] = dims;
  if (!b.chance(0.2)) return weight(b, dims, fanIn);
  b.traits.add('recurrent weights put together from gates');
  const h = rows / gates;
  const order = b.random.shuffle(Array.from({ length: gates }, (_, k) => k));
  const each = Array.from({ length: directions }, () => {
    const stored = b.parameter([rows, ...rest], 1 / Math.sqrt(fanIn));
    const blocks = order.map((k) => slice(b, stored, 0, rest.length + 1, rows, k * h, (k + 1) * h));
    return unsqueeze(b, gates === 1 ? blocks[0] : b.op('Concat', blocks, { axis: 0 }), [0]);
  });
  return directions === 1 ? each[0] : b.op('Concat', each, { axis: 0 });
}

/** Initial states [directions, batch, hidden]: zeros of a computed shape, or learnt ones repeated for the batch. */
function initialState(b: GraphBuilder, x: string, directions: number, hidden: number): string {
  const batch = sizeOf(b, x, 1);
  const shape = b.op('Concat', [b.ints([directions]), batch, b.ints([hidden])], { axis: 0 });
  const style = b.random.uniform();
  if (style < 0.4) return b.op('ConstantOfShape', [shape]);
  const start = weight(b, [directions, 1, hidden]);
  if (style < 0.7) return b.op('Expand', [start, shape]);
  return b.op('Tile', [start, b.op('Concat', [b.ints([1]), batch, b.ints([1])], { axis: 0 })]);
}

/** Y [time, directions, batch, hidden] as [time, batch, directions · hidden], or the sum of both directions. */
function join(b: GraphBuilder, y: string, time: string, directions: number, hidden: number): { name: string; width: number } {
  const sizes = [time, directions, 'batch', hidden];
  if (directions === 1 && b.chance(0.6)) return { name: b.chance(0.5) ? squeeze(b, y, [1]) : b.op('Gather', [y, b.constant('int64', [], [0])], { axis: 1 }), width: hidden };
  const style = directions === 1 ? 0 : b.random.uniform();
  if (style < 0.5) {
    b.traits.add('directions joined by Transpose and Reshape');
    const turned = transpose(b, y, [0, 2, 1, 3]);
    return { name: reshape(b, turned, [time, 'batch', directions, hidden], [time, 'batch', directions * hidden]), width: directions * hidden };
  }
  const parts = style < 0.7 ? split(b, y, 1, 4, [1, 1]) : [slice(b, y, 1, 4, sizes[1], 0, 1), slice(b, y, 1, 4, sizes[1], 1, 2)];
  const each = style < 0.85 ? parts.map((p) => squeeze(b, p, [1])) : [0, 1].map((k) => b.op('Gather', [y, b.constant('int64', [], [k])], { axis: 1 }));
  if (b.chance(0.3)) {
    b.traits.add('directions added');
    return { name: b.op('Add', each), width: hidden };
  }
  b.traits.add('directions joined by Concat');
  return { name: concat(b, b.chance(0.3) ? each.toReversed() : each, 2, 3), width: 2 * hidden };
}

/** One layer on [time, batch, width]. */
function recurrentLayer(b: GraphBuilder, x: string, time: string, layer: Layer): { name: string; width: number; last?: string } {
  const { cell: { op, gates, states }, directions: d, hidden: h, width } = layer;
  const inputs = [x, packed(b, [d, gates * h, width], gates, width), packed(b, [d, gates * h, h], gates, h)];
  inputs.push(b.chance(0.7) ? packed(b, [d, 2 * gates * h], 2 * gates, 1) : '');
  const lengths = b.chance(0.2);
  inputs.push(lengths ? sequenceLengths(b, x) : '');
  const start = layer.states ?? (b.chance(0.5) ? Array.from({ length: states }, () => initialState(b, x, d, h)) : []);
  for (let k = 0; k < states; k++) inputs.push(start[k] ?? '');
  if (op === 'LSTM' && b.chance(0.4)) {
    inputs.push(weight(b, [d, 3 * h]));
    b.traits.add('peepholes');
  }
  while (inputs.at(-1) === '') inputs.pop();
  const direction = d === 2 ? 'bidirectional' : b.pick(['forward', 'reverse', undefined]);
  b.traits.add(`${op} ${direction ?? 'forward'}`);
  if (lengths) b.traits.add('sequence lengths');
  const plain = { RNN: ['Tanh'], GRU: ['Sigmoid', 'Tanh'], LSTM: ['Sigmoid', 'Tanh', 'Tanh'] }[op];
  const activations = b.chance(0.2) ? Array.from({ length: d }, () => plain.map((a) => (a === 'Tanh' && b.chance(0.5) ? 'Softsign' : a))).flat() : undefined;
  const attributes = {
    hidden_size: h, direction, activations,
    linear_before_reset: op === 'GRU' && b.chance(0.6) ? 1 : undefined,
    clip: b.chance(0.15) ? 1.5 : undefined,
    input_forget: undefined,
  };
  const wantsLast = b.chance(0.35);
  const wanted = [0, wantsLast ? 1 : undefined, wantsLast && states === 2 ? 2 : undefined];
  while (wanted.at(-1) === undefined) wanted.pop();
  const results = b.ops(op, inputs, attributes, wanted);
  const joined = join(b, results[0], time, d, h);
  return { ...joined, last: wantsLast ? results[b.between(1, results.length - 1)] : undefined };
}

/** As many lengths as items, all of them the whole length: int32 [batch]. */
function sequenceLengths(b: GraphBuilder, x: string): string {
  const time = b.op('Cast', [sizeOf(b, x, 0)], { to: dataTypes.int32 });
  return b.op('Expand', [time, sizeOf(b, x, 1)]);
}

/** One to three layers, the states of all of them in one tensor now and then. */
const recurrent = (op?: Cell['op'], directionsWanted?: number): Block => (b, x) => {
  const value = inLayout(b, x, 'btc');
  const cell = cells.find((c) => c.op === op) ?? b.pick(cells);
  const directions = directionsWanted ?? b.between(1, 2);
  const layers = b.pick([1, 1, 2, 3]);
  const sharedWidth = b.between(2, 6);
  const stacked = layers > 1 && b.chance(0.5);
  let current = { name: transpose(b, value.name, [1, 0, 2]), width: value.channels };
  let states: string[] | undefined;
  if (stacked) {
    b.traits.add('initial states of all layers in one tensor');
    const shape = b.op('Concat', [b.ints([layers * directions]), sizeOf(b, current.name, 1), b.ints([sharedWidth])], { axis: 0 });
    states = Array.from({ length: cell.states }, () => (b.chance(0.5) ? b.op('ConstantOfShape', [shape]) : b.op('Expand', [weight(b, [layers * directions, 1, sharedWidth]), shape])));
    if (b.chance(0.4)) states.fill(states[0]);
  }
  let last: string | undefined;
  let lastHidden = 0;
  for (let k = 0; k < layers; k++) {
    const hidden = stacked ? sharedWidth : b.between(2, 6);
    const own = states?.map((s) => slice(b, s, 0, 3, layers * directions, k * directions, (k + 1) * directions));
    const made = recurrentLayer(b, current.name, value.time, { cell, directions, hidden, width: current.width, states: own });
    if (made.last) [last, lastHidden] = [made.last, hidden];
    current = made;
  }
  const sequence = as(value, transpose(b, current.name, [1, 0, 2]), { layout: 'btc', channels: current.width, frequency: 1 });
  return last === undefined ? sequence : withLastState(b, sequence, last, directions, lastHidden);
};

/** The last state [directions, batch, hidden] is added to every step, through a layer of its own. */
function withLastState(b: GraphBuilder, sequence: Value, state: string, directions: number, hidden: number): Value {
  b.traits.add('last state used');
  const turned = transpose(b, state, [1, 0, 2]);
  const flat = reshape(b, turned, ['batch', directions, hidden], ['batch', directions * hidden]);
  const projected = b.op('MatMul', [flat, weight(b, [directions * hidden, sequence.channels], directions * hidden)]);
  return as(sequence, b.op('Add', [sequence.name, unsqueeze(b, projected, [1])]));
}

/** A layer whose states come in and go out as those of the model, for calls one after another. */
const streaming: Block = (b, x) => {
  const value = inLayout(b, x, 'btc');
  const cell = b.pick(cells);
  const hidden = b.between(3, 6);
  const sizes = [1, 'batch', hidden];
  const starts = Array.from({ length: cell.states }, () => b.name('state_in'));
  for (const name of starts) b.states.push({ name, sizes, side: 'input' });
  const inputs = [transpose(b, value.name, [1, 0, 2]), packed(b, [1, cell.gates * hidden, value.channels], cell.gates, value.channels), packed(b, [1, cell.gates * hidden, hidden], cell.gates, hidden), '', '', ...starts];
  const [y, ...last] = b.ops(cell.op, inputs, { hidden_size: hidden }, Array.from({ length: cell.states + 1 }, (_, k) => k));
  for (const name of last) b.states.push({ name, sizes, side: 'output' });
  b.traits.add('states as inputs and outputs of the model');
  return as(value, transpose(b, squeeze(b, y, [1]), [1, 0, 2]), { layout: 'btc', channels: hidden });
};

/** A recurrent layer after a projection of its own, so that its inputs may go too. */
const projectedRecurrent: Block = (b, x) => recurrent()(b, dense(b, inLayout(b, x, 'btc'), b.between(3, 7)), []);

export const recurrentBlocks = {
  lstm: recurrent('LSTM'), gru: recurrent('GRU'), rnn: recurrent('RNN'), bidirectional: recurrent(undefined, 2), projectedRecurrent, streaming,
} satisfies Readonly<Record<string, Block>>;
