import { makeGraph, makeValueInfo } from '@coppice/graph';
import type { GraphBuilder } from './builder.ts';
import { newWidth, type Block } from './convolutions.ts';
import { made } from './movements.ts';
import { dense } from './products.ts';
import { activation, reduce, sizeOf, transpose } from './spelling.ts';
import { as, inLayout, type Value } from './values.ts';
import { weight } from './weights.ts';

/** A branch that maps an outer value; its weights are its own, or captured from outside. */
function branch(b: GraphBuilder, value: Value, width: number): ReturnType<typeof makeGraph> {
  const captured = b.chance(0.5) ? dense(b, value, width, false) : undefined;
  let output = '';
  const { nodes, initializers } = b.body(() => {
    const inner = captured ?? dense(b, value, width);
    output = b.op('Identity', [activation(b, inner.name)]);
  });
  return makeGraph({ name: 'branch', inputs: [], outputs: [makeValueInfo(output, 'float32', ['batch', `${output}_length`, `${output}_width`])], nodes, initializers });
}

/** One of two branches, by the data. */
const conditional: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'btc'), newWidth(b));
  const mean = reduce(b, 'ReduceMean', value.name, [0, 1, 2], false, 3);
  const condition = b.op('Greater', [mean, b.scalar(0.1)]);
  const width = newWidth(b);
  const branches = { then_branch: branch(b, value, width), else_branch: branch(b, value, width) };
  const y = as(value, b.op('If', [condition], branches), { channels: width });
  return dense(b, y, newWidth(b));
};

/** A recurrence h = f(x W + h U) written as Scan along time; weights are captured. */
const scan: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'btc'), newWidth(b));
  const hidden = b.between(3, 6);
  const steps = transpose(b, dense(b, value, hidden).name, [1, 0, 2]);
  const u = weight(b, [hidden, hidden], hidden);
  const start = initial(b, value.name, hidden);
  const [state, step] = [b.name('state'), b.name('step')];
  let output = '';
  let next = '';
  const { nodes, initializers } = b.body(() => {
    next = b.op('Tanh', [b.op('Add', [step, b.op('MatMul', [state, u])])]);
    output = b.op('Identity', [next]);
  });
  const body = makeGraph({
    name: 'step', nodes, initializers,
    inputs: [makeValueInfo(state, 'float32', ['batch', hidden]), makeValueInfo(step, 'float32', ['batch', hidden])],
    outputs: [makeValueInfo(next, 'float32', ['batch', hidden]), makeValueInfo(output, 'float32', ['batch', hidden])],
  });
  const [, sequence] = b.ops('Scan', [start, steps], { body, num_scan_inputs: 1 }, [0, 1]);
  return as(value, transpose(b, sequence, [1, 0, 2]), { channels: hidden });
};

function initial(b: GraphBuilder, x: string, hidden: number): string {
  const shape = b.op('Concat', [sizeOf(b, x, 0), b.ints([hidden])], { axis: 0 });
  return b.chance(0.5) ? b.op('ConstantOfShape', [shape]) : b.op('Expand', [weight(b, [1, hidden]), shape]);
}

/** The same as a Loop that gathers its step, as tf2onnx writes Keras' GRU. */
const loop: Block = (b, x) => {
  if (b.opset < 11) return undefined;
  const value = made(b, inLayout(b, x, 'btc'), newWidth(b));
  const hidden = b.between(3, 6);
  const projected = dense(b, value, hidden).name;
  const u = weight(b, [hidden, hidden], hidden);
  const start = initial(b, value.name, hidden);
  const count = b.op('Squeeze', [sizeOf(b, value.name, 1)]);
  const going = b.tensor('bool', [], [true], 'yes');
  const [iteration, condition, state] = [b.name('iteration'), b.name('condition'), b.name('state')];
  let [output, next, goOn] = ['', '', ''];
  const { nodes, initializers } = b.body(() => {
    const step = b.op('Gather', [projected, iteration], { axis: 1 });
    next = b.op('Tanh', [b.op('Add', [step, b.op('MatMul', [state, u])])]);
    output = b.op('Identity', [next]);
    goOn = b.op('Identity', [condition]);
  });
  const body = makeGraph({
    name: 'step', nodes, initializers,
    inputs: [makeValueInfo(iteration, 'int64', []), makeValueInfo(condition, 'bool', []), makeValueInfo(state, 'float32', ['batch', hidden])],
    outputs: [makeValueInfo(goOn, 'bool', []), makeValueInfo(next, 'float32', ['batch', hidden]), makeValueInfo(output, 'float32', ['batch', hidden])],
  });
  const [, sequence] = b.ops('Loop', [count, going, start], { body }, [0, 1]);
  return as(value, transpose(b, sequence, [1, 0, 2]), { channels: hidden });
};

export const bodies = { conditional, scan, loop } satisfies Readonly<Record<string, Block>>;
