import type { Cell } from './cell.ts';

/** h′ = f(g + R·h); da = dh∘f′, dh = da·R. Elman 1990; spec: RNN-22. */
export const rnn: Cell = {
  gates: 1,
  functions: ['Tanh'],
  states: 1,
  saves: 0,
  keeps: 1,
  bias: (emit, { biases }) => biases && emit.add(...biases),
  forward(emit, { R, functions: [f] }) {
    const turned = emit.transpose(R, [1, 0]);
    return (inner, projected, [h]) => ({ states: [f.of(inner, inner.add(projected, inner.matMul(h, turned)))], gates: [] });
  },
  backward: (emit, { R, functions: [f] }, { states: [h] }) => ({
    sequences: [f.slope(emit, h)],
    step(inner, [slope], [dh]) {
      const da = inner.mul(dh, slope);
      return { d: [inner.matMul(da, R)], kept: [da] };
    },
    finish: ([da]) => ({ input: da, state: da }),
  }),
};
