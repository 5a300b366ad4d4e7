import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { createRandom, gradientName, type Loss, type NamedTensors, type Random } from '@coppice/core';
import { checkModel, graphOf, type Tensor } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { combineLosses } from './combine-losses.ts';
import { ctcLossGraph } from './ctc-graph.ts';
import { crossEntropyLoss, distillationLoss } from './losses.ts';

const float32 = (dims: readonly number[], value: (k: number) => number): Tensor =>
  ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, k) => value(k)) });
const int64 = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor => ({ dtype: 'int64', dims, data: BigInt64Array.from(values, BigInt) });
const floats = (tensor: Tensor): number[] => Array.from(tensor.data as Float32Array);
const normals = (random: Random, dims: readonly number[], scale = 1): Tensor => float32(dims, () => scale * random.normal());

/** One row of softmax in float64. */
function softmax(row: readonly number[], temperature: number): number[] {
  const top = Math.max(...row);
  const powers = row.map((value) => Math.exp((value - top) / temperature));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((value) => value / sum);
}
const rowsOf = (tensor: Tensor): number[][] => {
  const width = tensor.dims.at(-1)!;
  const values = floats(tensor);
  return Array.from({ length: values.length / width }, (_, k) => values.slice(k * width, (k + 1) * width));
};

function expectNear(actual: readonly number[], wanted: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(wanted.length);
  actual.forEach((value, k) => expect(Math.abs(value - wanted[k]), `${k}: ${value} for ${wanted[k]}`).toBeLessThanOrEqual(tolerance));
}

describe.each([['wasm', wasmBackend()], ['native', nativeBackend()]] as const)('on onnx:%s', (_, backend) => {
  const run = async (loss: Loss, inputs: NamedTensors): Promise<NamedTensors> => {
    checkModel(loss.graph);
    const executable = await backend.compile(loss.graph);
    try {
      return await executable.run(inputs);
    } finally {
      await executable.dispose();
    }
  };

  /** Along random directions, the loss of the graph itself changes as its gradient says. */
  async function expectSlope(loss: Loss, inputs: NamedTensors, output: string, step: number, tolerance: number): Promise<void> {
    const random = createRandom(`slope/${loss.name}`);
    const executable = await backend.compile(loss.graph);
    const gradient = floats((await executable.run(inputs))[gradientName(output)]);
    for (let round = 0; round < 6; round++) {
      const direction = gradient.map(() => random.normal());
      const moved = async (by: number): Promise<number> => {
        const values = floats(inputs[output]);
        return floats((await executable.run({ ...inputs, [output]: float32(inputs[output].dims, (k) => values[k] + by * direction[k]) }, ['loss'])).loss)[0];
      };
      const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
      expect(Math.abs(slope - direction.reduce((sum, value, k) => sum + value * gradient[k], 0))).toBeLessThan(tolerance);
    }
    await executable.dispose();
  }

  describe('distillationLoss', () => {
    it.each([[1, 'batch time token'], [2.5, 'batch time token'], [2.5, 'time batch token']] as const)('is T²·KL over the frames that count, T = %d, %s', async (temperature, axes) => {
      const random = createRandom(`distillation/${temperature}`);
      const lengths = [5, 2, 0, 9];
      const [items, time, tokens] = [4, 6, 7];
      const dims = axes === 'batch time token' ? [items, time, tokens] : [time, items, tokens];
      const [student, teacher] = [normals(random, dims, 2), normals(random, dims, 2)];
      const counts = (row: number): boolean => {
        const [item, t] = axes === 'batch time token' ? [Math.floor(row / time), row % time] : [row % items, Math.floor(row / items)];
        return t < lengths[item];
      };
      const frames = 5 + 2 + 0 + 6;
      let total = 0;
      const slope = rowsOf(student).flatMap((row, r) => {
        const [q, p] = [softmax(row, temperature), softmax(rowsOf(teacher)[r], temperature)];
        if (counts(r)) total += p.reduce((sum, value, v) => sum + value * Math.log(value / q[v]), 0);
        return q.map((value, v) => (counts(r) ? (temperature * (value - p[v])) / frames : 0));
      });
      const loss = distillationLoss({ temperature, axes, tokens });
      const inputs = { log_probs: student, teacher_log_probs: teacher, input_lengths: int64(lengths) };
      const out = await run(loss, inputs);
      expect(floats(out.loss)[0]).toBeCloseTo((temperature ** 2 * total) / frames, 5);
      expectNear(floats(out['gradient/log_probs']), slope, 1e-6);
      await expectSlope(loss, inputs, 'log_probs', 0.01, 5e-4);
    });

    it.each([1, 3])('is T²·KL over the items of a classifier, T = %d', async (temperature) => {
      const random = createRandom(`distillation/classes/${temperature}`);
      const [items, classes] = [4, 6];
      const [student, teacher] = [normals(random, [items, classes], 2), normals(random, [items, classes], 2)];
      const pairs = rowsOf(student).map((row, item) => ({ q: softmax(row, temperature), p: softmax(rowsOf(teacher)[item], temperature) }));
      const total = pairs.reduce((sum, { p, q }) => sum + p.reduce((kl, value, v) => kl + value * Math.log(value / q[v]), 0), 0);
      const loss = distillationLoss({ output: 'logits', teacher: 'teacher_logits', axes: 'batch token', temperature });
      expect(loss.labels).toEqual(['teacher_logits']);
      const inputs = { logits: student, teacher_logits: teacher };
      const out = await run(loss, inputs);
      expect(floats(out.loss)[0]).toBeCloseTo((temperature ** 2 * total) / items, 5);
      expectNear(floats(out['gradient/logits']), pairs.flatMap(({ p, q }) => q.map((value, v) => (temperature * (value - p[v])) / items)), 1e-6);
      await expectSlope(loss, inputs, 'logits', 0.01, 5e-4);
    });

    it('is 0 with gradient 0 for a student that says the same, up to a constant in each frame', async () => {
      const random = createRandom('distillation/same');
      const teacher = normals(random, [2, 3, 5], 3);
      const shifted = floats(teacher).map((value, k) => value + Math.floor(k / 5));
      const out = await run(distillationLoss(), { log_probs: float32([2, 3, 5], (k) => shifted[k]), teacher_log_probs: teacher, input_lengths: int64([3, 3]) });
      expect(Math.abs(floats(out.loss)[0])).toBeLessThan(1e-6);
      expectNear(floats(out['gradient/log_probs']), floats(teacher).map(() => 0), 1e-7);
    });

    it('is not touched by padding, nor by a teacher that is certain', async () => {
      const certain = float32([1, 3, 2], (k) => [0, -Infinity, 0, -Infinity, NaN, Infinity][k]);
      const out = await run(distillationLoss(), { log_probs: float32([1, 3, 2], (k) => (k < 4 ? -Math.LN2 : NaN)), teacher_log_probs: certain, input_lengths: int64([2]) });
      expect(floats(out.loss)[0]).toBeCloseTo(Math.LN2, 6);
      expectNear(floats(out['gradient/log_probs']), [-0.25, 0.25, -0.25, 0.25, 0, 0], 1e-7);
      const none = await run(distillationLoss(), { log_probs: certain, teacher_log_probs: certain, input_lengths: int64([0]) });
      expect([floats(none.loss), floats(none['gradient/log_probs'])]).toEqual([[0], [0, 0, 0, 0, 0, 0]]);
    });

    it('refuses a temperature of 0', () => {
      expect(() => distillationLoss({ temperature: 0 })).toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID' }));
    });
  });

  describe('crossEntropyLoss', () => {
    const [items, classes] = [5, 4];
    const wanted = [3, 0, 2, 2, 1];
    const random = createRandom('cross-entropy');
    const logits = normals(random, [items, classes]);
    const probabilities = rowsOf(logits).map((row) => softmax(row, 1));
    const nll = -wanted.reduce((sum, label, k) => sum + Math.log(probabilities[k][label]), 0) / items;
    const one = (item: number, label: number): number => (wanted[item] === label ? 1 : 0);
    it.each([
      ['logits', logits, (p: number, i: number, v: number) => (p - one(i, v)) / items],
      ['log-probs', float32([items, classes], (k) => Math.log(probabilities.flat()[k])), (_p: number, i: number, v: number) => -one(i, v) / items],
      ['probabilities', float32([items, classes], (k) => probabilities.flat()[k]), (p: number, i: number, v: number) => -one(i, v) / p / items],
    ] as const)('of %s is the mean of −log p(label)', async (kind, output, slope) => {
      const loss = crossEntropyLoss({ output: 'scores', kind, classes });
      const inputs = { scores: output, labels: int64(wanted) };
      const out = await run(loss, inputs);
      expect(floats(out.loss)[0]).toBeCloseTo(nll, 5);
      const gradient = probabilities.flatMap((row, i) => row.map((p, v) => slope(p, i, v)));
      expectNear(floats(out['gradient/scores']), gradient, 1e-5 * Math.max(1, ...gradient.map(Math.abs)));
      await expectSlope(loss, inputs, 'scores', kind === 'probabilities' ? 1e-3 : 0.01, kind === 'probabilities' ? 5e-3 : 5e-4);
    });

    it('stays finite where a probability is 0', async () => {
      const out = await run(crossEntropyLoss({ output: 'p', kind: 'probabilities' }), { p: float32([1, 2], (k) => k), labels: int64([0]) });
      expect(floats(out.loss)[0]).toBeCloseTo(12 * Math.LN10, 4);
      expect(floats(out['gradient/p'])[0]).toBeCloseTo(-1e12, -6);
      expect(Math.abs(floats(out['gradient/p'])[1])).toBe(0);
    });

    it('ignores what logits say of other classes that are −Infinity', async () => {
      const out = await run(crossEntropyLoss({ output: 'z', kind: 'logits' }), { z: float32([1, 3], (k) => [0, -Infinity, 0][k]), labels: int64([0]) });
      expect(floats(out.loss)[0]).toBeCloseTo(Math.LN2, 6);
      expectNear(floats(out['gradient/z']), [-0.5, 0, 0.5], 1e-6);
    });
  });

  describe('combineLosses', () => {
    it('adds the parts by weight, with one input for each label', async () => {
      const random = createRandom('combine');
      const dims = [3, 8, 5];
      const inputs = {
        log_probs: normals(random, dims), teacher_log_probs: normals(random, dims),
        targets: int64([1, 2, 2, 0, 4, 3], [3, 2]), target_lengths: int64([2, 1, 2]), input_lengths: int64([8, 5, 7]),
      };
      const [ctc, distillation] = [ctcLossGraph(), distillationLoss({ temperature: 2 })];
      const loss = combineLosses([{ loss: ctc, weight: 0.3 }, { loss: distillation, weight: 0.7 }]);
      expect(loss).toMatchObject({ name: '0.3·ctc + 0.7·distillation', reads: ['log_probs'], labels: ['targets', 'target_lengths', 'input_lengths', 'teacher_log_probs'] });
      const { teacher_log_probs: _, ...own } = inputs;
      const first = await run(ctc, own);
      const second = await run(distillation, { log_probs: inputs.log_probs, teacher_log_probs: inputs.teacher_log_probs, input_lengths: inputs.input_lengths });
      const out = await run(loss, inputs);
      expect(floats(out['loss/1.ctc'])).toEqual(floats(first.loss));
      expect(floats(out['loss/2.distillation'])).toEqual(floats(second.loss));
      expect(floats(out.loss)[0]).toBeCloseTo(0.3 * floats(first.loss)[0] + 0.7 * floats(second.loss)[0], 4);
      const other = floats(second['gradient/log_probs']);
      expectNear(floats(out['gradient/log_probs']), floats(first['gradient/log_probs']).map((value, k) => 0.3 * value + 0.7 * other[k]), 1e-6);
      await expectSlope(loss, inputs, 'log_probs', 0.01, 2e-3);
    });

    it('keeps apart what reads different outputs, and combines what is combined', async () => {
      const random = createRandom('combine/two');
      const inputs = { a: normals(random, [2, 3]), b: normals(random, [2, 4]), labels: int64([1, 2]) };
      const [a, b] = (['a', 'b'] as const).map((output) => crossEntropyLoss({ output, kind: 'logits' }));
      const inner = combineLosses([{ loss: a, weight: 2 }, { loss: b, weight: -1 }]);
      const out = await run(combineLosses([{ loss: inner, weight: 0.5 }, { loss: a, weight: 1 }]), inputs);
      const [outA, outB] = [await run(a, { a: inputs.a, labels: inputs.labels }), await run(b, { b: inputs.b, labels: inputs.labels })];
      expect(floats(out.loss)[0]).toBeCloseTo(2 * floats(outA.loss)[0] - 0.5 * floats(outB.loss)[0], 5);
      expectNear(floats(out['gradient/a']), floats(outA['gradient/a']).map((value) => 2 * value), 1e-6);
      expectNear(floats(out['gradient/b']), floats(outB['gradient/b']).map((value) => -0.5 * value), 1e-6);
    });
  });
});

describe('combineLosses', () => {
  const loss = crossEntropyLoss({ output: 'a', kind: 'logits' });
  it.each([
    ['nothing', []],
    ['a weight that is no number', [{ loss, weight: NaN }]],
    ['an output that is a label elsewhere', [{ loss, weight: 1 }, { loss: crossEntropyLoss({ output: 'b', kind: 'logits', labels: 'a' }), weight: 1 }]],
    ['a label of two types', [{ loss, weight: 1 }, { loss: distillationLoss({ output: 'b', teacher: 'labels' }), weight: 1 }]],
    ['a loss without a gradient', [{ loss: { ...loss, graph: { proto: { ...loss.graph.proto, graph: { ...graphOf(loss.graph), output: graphOf(loss.graph).output.slice(0, 1) } } } } as Loss, weight: 1 }]],
  ])('refuses %s', (_, parts) => {
    expect(() => combineLosses(parts)).toThrow(expect.objectContaining({ code: 'COPPICE_LOSS_INVALID' }));
  });
});
