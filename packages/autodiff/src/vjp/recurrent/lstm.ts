import type { Emit, Value } from '../../emit.ts';
import type { Cell } from './cell.ts';

/**
 * Gates i o f n in the order of the rows; c′ = f∘c + i∘n, h′ = o∘k(c′); with peepholes i and f see c, and o sees c′.
 * Back, with every factor computed for all steps at once:
 *   dc = dc + dh∘(o∘k′ + p_o∘k∘o′)   da = [dc∘n∘i′, dh∘k∘o′, dc∘c∘f′, dc∘i∘n′]
 *   dc = dc∘(f + p_i∘n∘i′ + p_f∘c∘f′)   dh = da·R
 * so that a step is one product. Hochreiter & Schmidhuber 1997, Gers & Schmidhuber 2000 (peepholes); spec: LSTM-22.
 */
export const lstm: Cell = {
  gates: 4,
  functions: ['Sigmoid', 'Tanh', 'Tanh'],
  states: 2,
  saves: 5,
  keeps: 2,
  bias: (emit, { biases }) => biases && emit.add(...biases),
  forward(emit, { R, hidden, peepholes, functions: [f, g, k] }) {
    const turned = emit.transpose(R, [1, 0]);
    const [pi, po, pf] = peepholes ? emit.split(peepholes, 0, [hidden, hidden, hidden]) : [];
    return (inner, projected, [h, c]) => {
      const sums = inner.add(projected, inner.matMul(h, turned));
      const leave = (i: Value, o: Value | ((next: Value) => Value), forget: Value, n: Value) => {
        const next = inner.add(inner.mul(forget, c), inner.mul(i, n));
        const out = typeof o === 'function' ? o(next) : o;
        const seen = k.of(inner, next);
        return { states: [inner.mul(out, seen), next], gates: [i, out, forget, n, seen] };
      };
      if (!peepholes) {
        const [gates, candidate] = inner.split(sums, 1, [3 * hidden, hidden]);
        const [i, o, forget] = inner.split(f.of(inner, gates), 1, [hidden, hidden, hidden]);
        return leave(i, o, forget, g.of(inner, candidate));
      }
      const [i, o, forget, n] = inner.split(sums, 1, [hidden, hidden, hidden, hidden]);
      const looking = (sum: Value, p: Value, at: Value) => f.of(inner, inner.add(sum, inner.mul(p, at)));
      return leave(looking(i, pi, c), (next) => looking(o, po, next), looking(forget, pf, c), g.of(inner, n));
    };
  },
  backward(emit, { R, hidden, peepholes, functions: [f, g, k] }, { states: [, next], previous: [, c], gates: [i, o, forget, n, seen] }) {
    const di = emit.mul(n, f.slope(emit, i));
    const dO = emit.mul(seen, f.slope(emit, o));
    const df = emit.mul(c, f.slope(emit, forget));
    const dn = emit.mul(i, g.slope(emit, n));
    const [pi, po, pf] = peepholes ? emit.split(peepholes, 0, [hidden, hidden, hidden]) : [];
    const plain = emit.mul(o, k.slope(emit, seen));
    const toCell = peepholes ? emit.add(plain, emit.mul(po, dO)) : plain;
    const kept = peepholes ? emit.add(forget, emit.add(emit.mul(pi, di), emit.mul(pf, df))) : forget;
    const factors = emit.concat([di, dO, df, dn], 2);
    const perGate = (inner: Emit, dh: Value, dc: Value, axis: number) => inner.concat([dc, dh, dc, dc], axis);
    return {
      sequences: [factors, toCell, kept],
      step(inner, [byGate, fromHidden, ofCell], [dh, before]) {
        const dc = inner.add(before, inner.mul(dh, fromHidden));
        const da = inner.mul(perGate(inner, dh, dc, 1), byGate);
        return { d: [inner.matMul(da, R), inner.mul(dc, ofCell)], kept: [dh, dc] };
      },
      finish([dh, dc]) {
        const sum = emit.mul(perGate(emit, dh, dc, 2), factors);
        return { input: sum, state: sum, ...(peepholes && { peepholes: [[emit.mul(dc, di), c], [emit.mul(dh, dO), next], [emit.mul(dc, df), c]] }) };
      },
    };
  },
};
