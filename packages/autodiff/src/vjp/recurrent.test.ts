import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import type { AttributeInput, OperatorName } from '@coppice/graph';
import { array, checkGradient, completed, EagerEmit, uniform, type Array64, type GradientCase } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { gradients } from '../table.ts';
import type { Call, RuleWithForward } from '../vjp.ts';

const backend = wasmBackend();

/** What a case has besides its kind. */
interface Layer {
  readonly direction: string;
  readonly bias?: boolean;
  readonly initial?: boolean;
  readonly peepholes?: boolean;
  /** Lengths of the two sequences. */
  readonly lengths?: readonly number[];
  readonly reads?: readonly number[];
  /** Batch and time differ between the two runs. */
  readonly open?: boolean;
  readonly attributes?: Readonly<Record<string, AttributeInput>>;
}

const gates: Readonly<Record<string, number>> = { GRU: 3, LSTM: 4, RNN: 1 };

function operands(random: Random, op: OperatorName, layer: Layer, time: number, batch: number): (Array64 | undefined)[] {
  const [width, hidden, directions] = [3, 2, layer.direction === 'bidirectional' ? 2 : 1];
  const swapped = layer.attributes?.layout === 1;
  const rows = gates[op] * hidden;
  const weights = createRandom('weights');
  const state = () => (layer.initial ? uniform(random, swapped ? [batch, directions, hidden] : [directions, batch, hidden]) : undefined);
  return [
    uniform(random, swapped ? [batch, time, width] : [time, batch, width]),
    uniform(weights, [directions, rows, width]), uniform(weights, [directions, rows, hidden]),
    layer.bias ? uniform(weights, [directions, 2 * rows]) : undefined,
    layer.lengths && array([batch], layer.lengths, 'int'),
    state(),
    ...(op === 'LSTM' ? [state(), layer.peepholes ? uniform(weights, [directions, 3 * hidden]) : undefined] : []),
  ];
}

async function check(op: OperatorName, layer: Layer): Promise<void> {
  const random = createRandom(`${op}/${JSON.stringify(layer)}`);
  const given: GradientCase = {
    op, inputs: operands(random, op, layer, 4, 2), attributes: { direction: layer.direction, hidden_size: 2, ...layer.attributes },
    ...(layer.open && { again: operands(random, op, layer, 6, 3) }),
    reads: layer.reads ?? [0], results: op === 'LSTM' ? 3 : 2,
  };
  await checkGradient(given, backend);
}

const directions = ['forward', 'reverse', 'bidirectional'];
/** Every combination of some results. */
const reads = (results: number): number[][] => Array.from({ length: 2 ** results - 1 }, (_, k) => Array.from({ length: results }, (__, r) => r).filter((r) => ((k + 1) >> r) & 1));

/** Each direction with and without bias, first states, open sizes, and results in turn. */
const layers = (results: number): Layer[] => directions.flatMap((direction, d) => [0, 1, 2, 3].map((k): Layer => ({
  direction, bias: k !== 1, initial: k > 1, open: k % 2 === 1, reads: reads(results)[(4 * d + k) % reads(results).length],
})));

describe('GRU', () => {
  for (const linear_before_reset of [0, 1]) {
    it.each(layers(2))(`goes back through %j, linear_before_reset ${linear_before_reset}`, (layer) => check('GRU', { ...layer, attributes: { linear_before_reset } }));
    it.each(directions)(`stops at the end of each sequence, %s, linear_before_reset ${linear_before_reset}`, (direction) =>
      check('GRU', { direction, bias: true, initial: true, lengths: [2, 4], reads: [0, 1], attributes: { linear_before_reset } }));
  }
  it('takes other activation functions, those of each direction', () =>
    check('GRU', { direction: 'bidirectional', bias: true, attributes: { activations: ['Sigmoid', 'Tanh', 'Tanh', 'Sigmoid'], linear_before_reset: 1 } }));
});

describe('LSTM', () => {
  it.each(layers(3))('goes back through %j', (layer) => check('LSTM', layer));
  it.each(layers(3))('goes back through %j with peepholes', (layer) => check('LSTM', { ...layer, peepholes: true }));
  it.each(directions)('stops at the end of each sequence, %s', (direction) =>
    check('LSTM', { direction, bias: true, initial: true, peepholes: true, lengths: [2, 4], reads: [0, 1, 2] }));
  it('takes other activation functions', () => check('LSTM', { direction: 'reverse', bias: true, attributes: { activations: ['Tanh', 'Sigmoid', 'Sigmoid'] } }));
});

describe('RNN', () => {
  it.each(layers(2))('goes back through %j', (layer) => check('RNN', layer));
  it.each(['Relu', 'Sigmoid', 'Tanh'])('goes back through %s', (name) => check('RNN', { direction: 'bidirectional', bias: true, attributes: { activations: [name, name] } }));
  it.each(directions)('stops at the end of each sequence, %s', (direction) => check('RNN', { direction, bias: true, initial: true, lengths: [2, 4], reads: [0, 1] }));
});

describe('a recurrent layer', () => {
  it.each(['GRU', 'LSTM', 'RNN'] as const)('%s may have its batch in front', (op) =>
    check(op, { direction: 'bidirectional', bias: true, initial: true, open: true, reads: [0, 1], attributes: { layout: 1 } }));

  const refused: readonly (readonly ['GRU' | 'LSTM' | 'RNN', Readonly<Record<string, AttributeInput>>, string])[] = [
    ['GRU', { clip: 3 }, 'it clips'], ['LSTM', { input_forget: 1 }, 'are coupled'], ['RNN', { activations: ['LeakyRelu'] }, 'not LeakyRelu'],
  ];
  it.each(refused)('%s is refused by name with %j', (op, attributes, sentence) => {
    const emit = new EagerEmit();
    const [X, W, R] = operands(createRandom(1), op, { direction: 'forward' }, 4, 2).map((operand) => operand && emit.hold(operand));
    const call = { op, attributes: completed(op, attributes), inputs: { X, W, R }, emit } as unknown as Call;
    expect(() => (gradients[op] as RuleWithForward<OperatorName>).forward(call)).toThrow(sentence);
  });
});
