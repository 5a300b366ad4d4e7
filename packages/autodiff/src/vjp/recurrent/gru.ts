import type { Cell } from './cell.ts';

/**
 * Gates z r n; h′ = n + z∘(h − n), with what goes in from the input's side g and from the state's side a:
 *   z = f(g_z + a_z)   r = f(g_r + a_r)   n = g(g_n + r∘(R_n·h + b_n)), "linear before reset"
 * Back, with every factor of dh computed for all steps at once:
 *   dz = dh∘(h − n)∘f′   dn = dh∘(1 − z)∘g′   dr = dn∘q∘f′ where q = R_n·h + b_n   da = [dz, dr, dn∘r]   dg = [dz, dr, dn]
 *   dh = dh∘z + da·R
 * so that a step is one product. Cho et al. 2014; spec: GRU-22, linear_before_reset.
 */
export const linearGru: Cell = {
  gates: 3,
  functions: ['Sigmoid', 'Tanh'],
  states: 1,
  saves: 4,
  keeps: 1,
  bias(emit, { biases, hidden }) {
    if (!biases) return undefined;
    const [[w, wn], [r]] = biases.map((bias) => emit.split(bias, 0, [2 * hidden, hidden]));
    return emit.concat([emit.add(w, r), wn], 0);
  },
  forward(emit, { R, biases, hidden, functions: [f, g] }) {
    const turned = emit.transpose(R, [1, 0]);
    const bias = biases && emit.split(biases[1], 0, [2 * hidden, hidden])[1];
    return (inner, projected, [h]) => {
      const [gateInputs, candidateInput] = inner.split(projected, 1, [2 * hidden, hidden]);
      const [gateStates, candidateState] = inner.split(inner.matMul(h, turned), 1, [2 * hidden, hidden]);
      const [z, r] = inner.split(f.of(inner, inner.add(gateInputs, gateStates)), 1, [hidden, hidden]);
      const q = bias ? inner.add(candidateState, bias) : candidateState;
      const n = g.of(inner, inner.add(candidateInput, inner.mul(r, q)));
      return { states: [inner.add(n, inner.mul(z, inner.sub(h, n)))], gates: [z, r, n, q] };
    };
  },
  backward(emit, { R, functions: [f, g] }, { previous: [h], gates: [z, r, n, q] }) {
    const dz = emit.mul(emit.sub(h, n), f.slope(emit, z));
    const dn = emit.mul(emit.sub(1, z), g.slope(emit, n));
    const dr = emit.mul(dn, emit.mul(q, f.slope(emit, r)));
    const factors = emit.concat([dz, dr, emit.mul(dn, r)], 2);
    return {
      sequences: [factors, z],
      step(inner, [byGate, kept], [dh]) {
        const da = inner.mul(inner.concat([dh, dh, dh], 1), byGate);
        return { d: [inner.add(inner.mul(dh, kept), inner.matMul(da, R))], kept: [dh] };
      },
      finish([dh]) {
        const all = emit.concat([dh, dh, dh], 2);
        return { state: emit.mul(all, factors), input: emit.mul(all, emit.concat([dz, dr, dn], 2)) };
      },
    };
  },
};

/**
 * Gates z r n as above, with n = g(g_n + R_n·(r∘h)): the reset comes before the product, so that a step takes two.
 *   ds = (dn)·R_n   dr = ds∘h∘f′   dh = dh∘z + ds∘r + [dz, dr]·R_zr
 * Cho et al. 2014; spec: GRU-22.
 */
export const gru: Cell = {
  gates: 3,
  functions: ['Sigmoid', 'Tanh'],
  states: 1,
  saves: 3,
  keeps: 2,
  bias: (emit, { biases }) => biases && emit.add(...biases),
  forward(emit, { R, hidden, functions: [f, g] }) {
    const [gateRows, candidateRows] = emit.split(R, 0, [2 * hidden, hidden]).map((rows) => emit.transpose(rows, [1, 0]));
    return (inner, projected, [h]) => {
      const [gateInputs, candidateInput] = inner.split(projected, 1, [2 * hidden, hidden]);
      const [z, r] = inner.split(f.of(inner, inner.add(gateInputs, inner.matMul(h, gateRows))), 1, [hidden, hidden]);
      const n = g.of(inner, inner.add(candidateInput, inner.matMul(inner.mul(r, h), candidateRows)));
      return { states: [inner.add(n, inner.mul(z, inner.sub(h, n)))], gates: [z, r, n] };
    };
  },
  backward(emit, { R, hidden, functions: [f, g] }, { previous: [h], gates: [z, r, n] }) {
    const [gateRows, candidateRows] = emit.split(R, 0, [2 * hidden, hidden]);
    const dz = emit.mul(emit.sub(h, n), f.slope(emit, z));
    const dn = emit.mul(emit.sub(1, z), g.slope(emit, n));
    const dr = emit.mul(h, f.slope(emit, r));
    return {
      sequences: [dn, dz, dr, r, z],
      step(inner, [byCandidate, byUpdate, byReset, reset, kept], [dh]) {
        const ds = inner.matMul(inner.mul(dh, byCandidate), candidateRows);
        const da = inner.concat([inner.mul(dh, byUpdate), inner.mul(ds, byReset)], 1);
        const carried = inner.add(inner.mul(dh, kept), inner.mul(ds, reset));
        return { d: [inner.add(carried, inner.matMul(da, gateRows))], kept: [dh, ds] };
      },
      finish([dh, ds]) {
        const sum = emit.concat([emit.mul(dh, dz), emit.mul(ds, dr), emit.mul(dh, dn)], 2);
        return { input: sum, state: sum, multiplied: [{ gates: 2, by: h }, { gates: 1, by: emit.mul(r, h) }] };
      },
    };
  },
};
