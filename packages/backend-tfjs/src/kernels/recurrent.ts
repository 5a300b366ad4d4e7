import type { Device, DeviceTensor } from '../adapter.ts';
import { expectThat, numbers } from '../host/array.ts';
import { checkLayer, gruCell, lstmCell, recurrentHost, rnnCell, type RecurrentAttributes } from '../host/recurrent.ts';
import type { DeviceCall, Memory, Rows } from '../row.ts';
import { Value, type Host } from '../value.ts';

/** Functions that are one kernel. */
const KERNELS: Readonly<Record<string, string>> = { sigmoid: 'Sigmoid', tanh: 'Tanh', relu: 'Relu' };

/** One direction of a layer, its weights turned for the loop. */
interface Direction {
  readonly device: Device;
  readonly hidden: number;
  /** R as [hidden, gates·hidden], cut where a cell multiplies in parts. */
  readonly R: readonly DeviceTensor[];
  /** Biases that cannot be added beforehand [hidden]. */
  readonly stateBias: DeviceTensor | undefined;
  /** Peepholes i o f [hidden]. */
  readonly peepholes: readonly DeviceTensor[] | undefined;
  readonly f: readonly ((x: DeviceTensor) => DeviceTensor)[];
}

/** A cell on the device: how its gates are grouped, and a step. A step frees what it makes, but not what it is given. */
interface DeviceCell {
  readonly gates: number;
  readonly states: number;
  readonly functions: readonly string[];
  /** Gates that are projected together: numbers of gates. */
  groups(attributes: RecurrentAttributes): readonly number[];
  /** Groups of gates that R is cut into. */
  products(attributes: RecurrentAttributes): readonly number[];
  /** Gates from which on the state's bias is added inside the loop. */
  innerBias(attributes: RecurrentAttributes): number | undefined;
  step(direction: Direction, projected: readonly DeviceTensor[], states: readonly DeviceTensor[]): DeviceTensor[];
}

const mul = (device: Device, a: DeviceTensor, b: DeviceTensor): DeviceTensor => device.run('Multiply', { a, b });
const add = (device: Device, a: DeviceTensor, b: DeviceTensor): DeviceTensor => device.run('Add', { a, b });
const product = (device: Device, a: DeviceTensor, b: DeviceTensor): DeviceTensor => device.run('BatchMatMul', { a, b }, { transposeA: false, transposeB: false });
const columns = (device: Device, x: DeviceTensor, start: number, count: number): DeviceTensor => device.cut(x, 1, start, count);
const drop = (device: Device, ...tensors: readonly DeviceTensor[]): void => { for (const tensor of tensors) device.dispose(tensor); };

/** a + b of two results that nobody else needs. */
const sum = (device: Device, a: DeviceTensor, b: DeviceTensor): DeviceTensor => {
  const result = add(device, a, b);
  drop(device, a, b);
  return result;
};

/** h′ = f(x + R·h). */
const rnn: DeviceCell = {
  ...rnnCell,
  groups: () => [1], products: () => [1], innerBias: () => undefined,
  step: ({ device, R: [R], f: [f] }, [x], [h]) => [device.consume(device.consume(product(device, h, R), (t) => add(device, t, x)), f)],
};

/** h′ = n + z∘(h − n). Spec: GRU-22. */
const mixed = (device: Device, z: DeviceTensor, h: DeviceTensor, n: DeviceTensor): DeviceTensor => {
  const change = device.consume(device.run('Sub', { a: h, b: n }), (t) => mul(device, z, t));
  const result = add(device, n, change);
  drop(device, change, n, z);
  return result;
};

/** Gates z r n; the reset after the product (linear_before_reset = 1) or before it. */
const gru = (linear: boolean): DeviceCell => ({
  ...gruCell,
  groups: () => [2, 1],
  products: () => (linear ? [3] : [2, 1]),
  innerBias: () => (linear ? 2 : undefined),
  step({ device, hidden, R, stateBias, f: [f, g] }, [gates, candidate], [h]) {
    const whole = product(device, h, R[0]);
    const both = linear ? columns(device, whole, 0, 2 * hidden) : whole;
    const zr = device.consume(device.consume(both, (t) => add(device, t, gates)), f);
    const [z, r] = [columns(device, zr, 0, hidden), columns(device, zr, hidden, hidden)];
    let inner: DeviceTensor;
    if (linear) {
      inner = columns(device, whole, 2 * hidden, hidden);
      if (stateBias) inner = device.consume(inner, (t) => add(device, t, stateBias));
      inner = device.consume(inner, (t) => mul(device, r, t));
      drop(device, whole);
    } else inner = device.consume(mul(device, r, h), (t) => product(device, t, R[1]));
    const n = device.consume(device.consume(inner, (t) => add(device, t, candidate)), g);
    drop(device, zr, r);
    return [mixed(device, z, h, n)];
  },
});

/** Gates i o f c. c′ = f∘c + i∘g(…), h′ = o∘h(c′). Spec: LSTM-22. */
const lstm: DeviceCell = {
  ...lstmCell,
  groups: () => [4], products: () => [4], innerBias: () => undefined,
  step({ device, hidden, R: [R], peepholes, f: [f, g, out] }, [x], [h, c]) {
    const gates = device.consume(product(device, h, R), (t) => add(device, t, x));
    const part = (k: number, count = 1): DeviceTensor => columns(device, gates, k * hidden, count * hidden);
    const candidate = device.consume(part(3), g);
    if (!peepholes) {
      const iof = device.consume(part(0, 3), f);
      const [i, o, forget] = [0, 1, 2].map((k) => columns(device, iof, k * hidden, hidden));
      const next = sum(device, mul(device, forget, c), mul(device, i, candidate));
      const result = device.consume(out(next), (t) => mul(device, o, t));
      drop(device, gates, candidate, iof, i, o, forget);
      return [result, next];
    }
    const peeped = (k: number, of: DeviceTensor): DeviceTensor => device.consume(sum(device, part(k), mul(device, peepholes[k], of)), f);
    const [i, forget] = [peeped(0, c), peeped(2, c)];
    const next = sum(device, mul(device, forget, c), mul(device, i, candidate));
    const o = peeped(1, next);
    const result = device.consume(out(next), (t) => mul(device, o, t));
    drop(device, gates, candidate, i, o, forget);
    return [result, next];
  },
};

/** A tensor made of weights: once where they are constant. */
function weight(memory: Memory, key: string, from: Value, temporary: DeviceTensor[], make: () => DeviceTensor): DeviceTensor {
  const known = memory.get(key);
  if (known) return known.tensor!;
  const tensor = make();
  if (!from.constant) temporary.push(tensor);
  else {
    const value = Value.device('float32', tensor);
    value.constant = true;
    memory.set(key, value);
  }
  return tensor;
}

/** Rows [start, start + count) of direction d of a tensor [directions, rows, …], without the first axis. */
function rows(device: Device, x: DeviceTensor, d: number, start: number, count: number): DeviceTensor {
  const rest = x.shape.slice(2);
  const cut = device.slice(x, [d, start, ...rest.map(() => 0)], [1, count, ...rest]);
  return device.consume(cut, (t) => device.reshape(t, [count, ...rest]));
}

/**
 * A layer as one product for the inputs of all steps, and a loop with what depends on the state. Sequences that are shorter keep their
 * state where they have ended (or, in reverse, not begun).
 */
function layer(cell: DeviceCell, { inputs: [x, w, r, b, lengths, h0, c0, p], attributes, device, memory, wanted }: DeviceCall<RecurrentAttributes>): (Value | undefined)[] | undefined {
  if (attributes.layout === 1 || attributes.input_forget === 1) return undefined;
  checkLayer(cell.gates, [x, w, r, b, lengths, h0, c0, p], false);
  const [time, batch, width] = x.dims;
  const [directions, , hidden] = r.dims;
  const names = (attributes.activations ?? Array.from({ length: directions }, () => cell.functions).flat()).map((name) => name.toLowerCase());
  if (!names.every((name) => KERNELS[name] !== undefined)) return undefined;
  const masks = lengths ? masksOf(numbers(lengths as Value & Host), time, device) : undefined;
  const temporary: DeviceTensor[] = [];
  const flat = device.reshape(x.plain(device), [time * batch, width]);
  const clip = (t: DeviceTensor): DeviceTensor => device.run('ClipByValue', { x: t }, { clipValueMin: -attributes.clip!, clipValueMax: attributes.clip! });
  const outputs: DeviceTensor[] = [];
  const finals: DeviceTensor[][] = Array.from({ length: cell.states }, () => []);

  for (let d = 0; d < directions; d++) {
    const f = cell.functions.map((_, k) => {
      const kernel = KERNELS[names[d * cell.functions.length + k]];
      return (t: DeviceTensor): DeviceTensor => (attributes.clip === undefined || k === 2 ? device.run(kernel, { x: t }) : device.consume(clip(t), (c) => device.run(kernel, { x: c })));
    });
    const offsets = (counts: readonly number[]): number[] => counts.map((_, k) => counts.slice(0, k).reduce((a, c) => a + c, 0));
    const turned = (from: Value, key: string, start: number, count: number): DeviceTensor =>
      weight(memory, key, from, temporary, () => device.consume(rows(device, from.plain(device), d, start * hidden, count * hidden), (t) => device.run('Transpose', { x: t }, { perm: [1, 0] })));
    const products = cell.products(attributes);
    const R = products.map((count, k) => turned(r, `R${d}.${k}`, offsets(products)[k], count));
    const inner = cell.innerBias(attributes);
    const biasOf = (start: number, count: number): DeviceTensor => weight(memory, `b${d}.${start}`, b, temporary, () => {
      const own = rows(device, b.plain(device), d, start * hidden, count * hidden);
      const outer = inner === undefined ? count : Math.min(count, Math.max(0, inner - start));
      if (outer <= 0) return own;
      return sum(device, own, rows(device, b.plain(device), d, (cell.gates + start) * hidden, count * hidden));
    });
    const direction: Direction = {
      device, hidden, R, f,
      stateBias: b && inner !== undefined ? weight(memory, `s${d}`, b, temporary, () => rows(device, b.plain(device), d, (cell.gates + inner) * hidden, (cell.gates - inner) * hidden)) : undefined,
      peepholes: p && [0, 1, 2].map((k) => weight(memory, `p${d}.${k}`, p, temporary, () => rows(device, p.plain(device), d, k * hidden, hidden))),
    };
    const groups = cell.groups(attributes);
    const projected = groups.map((count, k) => {
      const start = offsets(groups)[k];
      const all = product(device, flat, turned(w, `W${d}.${k}`, start, count));
      const biased = b ? device.consume(all, (t) => add(device, t, biasOf(start, count))) : all;
      const steps = device.consume(biased, (t) => device.reshape(t, [time, batch, count * hidden]));
      const slices = device.unstack(steps, 0);
      device.dispose(steps);
      return slices;
    });
    let states = [h0, c0].slice(0, cell.states).map((start) => (start ? rows(device, start.plain(device), d, 0, batch) : device.floats(new Float32Array(batch * hidden), [batch, hidden])));
    const steps = Array<DeviceTensor>(time);
    for (let k = 0; k < time; k++) {
      const t = d === 1 || attributes.direction === 'reverse' ? time - 1 - k : k;
      let next = cell.step(direction, projected.map((slices) => slices[t]), states);
      if (masks?.[t]) {
        const held = next.map((state, s) => {
          const change = device.consume(device.run('Sub', { a: state, b: states[s] }), (v) => mul(device, masks[t]!, v));
          return device.consume(change, (v) => add(device, states[s], v));
        });
        if (wanted[0]) steps[t] = device.consume(mul(device, masks[t]!, next[0]), (v) => device.reshape(v, [1, 1, batch, hidden]));
        drop(device, ...next);
        next = held;
      } else if (wanted[0]) steps[t] = device.reshape(next[0], [1, 1, batch, hidden]);
      drop(device, ...states, ...projected.map((slices) => slices[t]));
      states = next;
    }
    if (wanted[0]) {
      outputs.push(time === 1 ? steps[0] : device.run('Concat', steps, { axis: 0 }));
      if (time > 1) drop(device, ...steps);
    }
    states.forEach((state, s) => finals[s].push(device.consume(state, (t) => device.reshape(t, [1, batch, hidden]))));
  }
  drop(device, flat, ...temporary);
  // What was made of constants is kept instead of them.
  for (const value of [w, r, b, p]) if (value?.constant) value.unload();
  for (const mask of masks ?? []) if (mask) device.dispose(mask);
  return [wanted[0] ? whole(device, outputs, 1) : undefined, ...finals.map((parts, s) => {
    const value = whole(device, parts, 0);
    if (wanted[s + 1]) return value;
    value.release();
    return undefined;
  })];
}

/** Parts end to end as a value. Takes them over. */
function whole(device: Device, parts: readonly DeviceTensor[], axis: number): Value {
  if (parts.length === 1) return Value.device('float32', parts[0]);
  const joined = device.run('Concat', parts, { axis });
  drop(device, ...parts);
  return Value.device('float32', joined);
}

/** For each step [batch, 1], 1 where a sequence has not ended; undefined where none has. */
function masksOf(lengths: readonly number[], time: number, device: Device): (DeviceTensor | undefined)[] {
  for (const length of lengths) expectThat(length >= 0 && length <= time, () => `a sequence of ${length} steps where there are ${time}`);
  return Array.from({ length: time }, (_, t) => (lengths.every((length) => t < length) ? undefined : device.floats(lengths.map((length) => (t < length ? 1 : 0)), [lengths.length, 1])));
}

const kernels = ['BatchMatMul', 'Slice', 'Sigmoid', 'Tanh'];

export const recurrent = {
  RNN: { host: ({ inputs, attributes }) => recurrentHost(rnnCell, inputs, attributes), device: (call) => layer(rnn, call), kernels, reads: [4] },
  GRU: { host: ({ inputs, attributes }) => recurrentHost(gruCell, inputs, attributes), device: (call) => layer(gru(call.attributes.linear_before_reset === 1), call), kernels, reads: [4] },
  LSTM: { host: ({ inputs, attributes }) => recurrentHost(lstmCell, inputs, attributes), device: (call) => layer(lstm, call), kernels, reads: [4] },
} satisfies Rows;

