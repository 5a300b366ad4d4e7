import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Executable, type NamedTensors, type Random } from '@coppice/core';
import { checkModel, type Tensor } from '@coppice/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ctcLossGraph } from './ctc-graph.ts';
import { ctcLoss, requiredFrames } from './ctc.ts';
import { splitBatch } from './log-probs.ts';

const int64 = (dims: readonly number[], values: readonly number[]): Tensor => ({ dtype: 'int64', dims, data: BigInt64Array.from(values, BigInt) });

interface Batch {
  readonly logProbs: Tensor;
  readonly labels: readonly (readonly number[])[];
  readonly inputLengths: readonly number[];
}

const labelInputs = ({ labels, inputLengths }: Batch): NamedTensors => {
  const width = Math.max(0, ...labels.map(({ length }) => length));
  return {
    targets: int64([labels.length, width], labels.flatMap((row) => [...row, ...Array.from({ length: width - row.length }, () => 0)])),
    target_lengths: int64([labels.length], labels.map(({ length }) => length)),
    input_lengths: int64([labels.length], inputLengths),
  };
};

function logSoftmax(values: Float32Array, tokens: number): Float32Array {
  for (let start = 0; start < values.length; start += tokens) {
    const row = values.subarray(start, start + tokens);
    const top = Math.max(...row);
    const sum = top + Math.log(row.reduce((total, value) => total + Math.exp(value - top), 0));
    for (let v = 0; v < tokens; v++) row[v] -= sum;
  }
  return values;
}

interface Sizes {
  readonly batch: number;
  readonly time: number;
  readonly tokens: number;
  readonly most: number;
  readonly scale?: number;
  readonly blank?: number;
}

/** Lengths from 0 to one more than there are, labels from none to more than fit, many of them repeated. */
function randomBatch(random: Random, { batch, time, tokens, most, scale = 2, blank = 0 }: Sizes): Batch {
  const data = logSoftmax(Float32Array.from({ length: batch * time * tokens }, () => scale * random.normal()), tokens);
  return {
    logProbs: { dtype: 'float32', dims: [batch, time, tokens], data },
    labels: Array.from({ length: batch }, () => {
      const labels: number[] = [];
      for (let k = random.integer(most + 1); k > 0; k--) labels.push(labels.length > 0 && random.uniform() < 0.3 ? labels.at(-1)! : (blank + 1 + random.integer(tokens - 1)) % tokens);
      return labels;
    }),
    inputLengths: Array.from({ length: batch }, () => random.integer(time + 2)),
  };
}

/** `ctcLoss` for each item that fits, in float64. */
function expected({ logProbs, labels, inputLengths }: Batch, blank = 0): { losses: number[]; gradient: Float64Array } {
  const [batch, time, tokens] = logProbs.dims;
  const gradient = new Float64Array(batch * time * tokens);
  const losses = splitBatch(logProbs, inputLengths).map((item, k) => {
    if (requiredFrames(labels[k]) > item.frames || item.frames === 0) return 0;
    const own = ctcLoss(item, labels[k], blank);
    gradient.set(own.gradient.map((value) => value / batch), k * time * tokens);
    return own.loss;
  });
  return { losses, gradient };
}

const floats = (tensor: Tensor): number[] => Array.from(tensor.data as Float32Array);
const worst = (actual: ArrayLike<number>, wanted: ArrayLike<number>): number => {
  expect(actual.length).toBe(wanted.length);
  // A NaN must not be lost in the maximum.
  return Array.from(wanted, (value, k) => Math.abs(value - actual[k])).reduce((most, value) => (value <= most ? most : value), 0);
};
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean of the batch, labels and lengths as in the test; the gradients are of frame 2 of each item. */
const torch = {
  losses: [17.181786192, 22.401411116, 7.692162389, 34.99811254],
  logitGradients: [
    [-0.043170778, -0.014760931, -0.042321402, 0.043878898, 0.000334555, 0.056039659],
    [-0.082998133, 0.096326061, -0.162014662, 0.001964806, 0.146184953, 0.000536975],
    [-0.019181747, -0.058548402, 0.032979234, 0.008744622, 0.000634199, 0.035372093],
    [-0.248590668, 0.189026547, 0.000789688, 0.021345413, 0.036826533, 0.000602487],
  ],
};

describe.each([['wasm', wasmBackend()], ['native', nativeBackend()]] as const)('ctcLossGraph on onnx:%s', (_, backend) => {
  let executable: Executable;
  beforeAll(async () => {
    executable = await backend.compile(ctcLossGraph().graph);
  });
  afterAll(() => executable.dispose());
  const run = (batch: Batch) => executable.run({ log_probs: batch.logProbs, ...labelInputs(batch) });

  it('agrees with float64 within 2e-6 of the loss and 3e-6 of the gradient, whatever the lengths', async () => {
    const random = createRandom('ctc-graph');
    const seen = { empty: 0, tooLong: 0, noFrames: 0, beyond: 0, repeated: 0 };
    for (let round = 0; round < 60; round++) {
      const time = 1 + random.integer(24);
      const batch = randomBatch(random, { batch: 1 + random.integer(6), time, tokens: 2 + random.integer(9), most: random.integer(Math.max(2, time)) });
      const { losses, gradient } = expected(batch);
      const out = await run(batch);
      expect(worst(floats(out.losses), losses)).toBeLessThan(2e-6 * Math.max(1, ...losses));
      expect(floats(out.loss)[0]).toBeCloseTo(mean(losses), 4);
      expect(worst(floats(out['gradient/log_probs']), gradient)).toBeLessThan(3e-6);
      batch.labels.forEach((labels, k) => {
        if (labels.length === 0) seen.empty++;
        if (requiredFrames(labels) > Math.min(time, batch.inputLengths[k])) seen.tooLong++;
        else if (requiredFrames(labels) > labels.length) seen.repeated++;
        if (batch.inputLengths[k] === 0) seen.noFrames++;
        if (batch.inputLengths[k] > time) seen.beyond++;
      });
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(5);
  });

  it('keeps its exactness over 400 frames: 2e-6 of the loss, occupancies within 1e-4', async () => {
    const batch = randomBatch(createRandom('ctc-graph/long'), { batch: 3, time: 400, tokens: 30, most: 60 });
    const long = { ...batch, inputLengths: [400, 400, 333], labels: batch.labels.map((_, k) => Array.from({ length: 50 + 5 * k }, (_, j) => 1 + ((j * j + k) % 29))) };
    const { losses, gradient } = expected(long);
    const out = await run(long);
    expect(worst(floats(out.losses), losses) / Math.max(...losses)).toBeLessThan(2e-6);
    expect(worst(floats(out['gradient/log_probs']).map((value) => 3 * value), gradient.map((value) => 3 * value))).toBeLessThan(1e-4);
  });

  it('stays finite at logits of ±1000: 1e-6 of the loss, gradients within 0.02', async () => {
    const batch = { ...randomBatch(createRandom('ctc-graph/large'), { batch: 4, time: 60, tokens: 12, most: 12, scale: 1000 }), inputLengths: [60, 60, 45, 60] };
    const { losses, gradient } = expected(batch);
    const out = await run(batch);
    expect(worst(floats(out.losses), losses) / Math.max(...losses)).toBeLessThan(1e-6);
    expect(worst(floats(out['gradient/log_probs']), gradient)).toBeLessThan(0.02);
  });

  it('is not touched by what is in frames beyond an item, NaN and infinities included', async () => {
    const batch = { ...randomBatch(createRandom('ctc-graph/padding'), { batch: 3, time: 9, tokens: 5, most: 3 }), inputLengths: [5, 9, 3] };
    const clean = await run(batch);
    const data = (batch.logProbs.data as Float32Array).slice();
    [NaN, Infinity, -Infinity, 1e30, NaN].forEach((value, v) => {
      for (const [item, from] of [[0, 5], [2, 3]]) for (let t = from; t < 9; t++) data[(item * 9 + t) * 5 + v] = value;
    });
    const dirty = await run({ ...batch, logProbs: { ...batch.logProbs, data } });
    expect(dirty).toEqual(clean);
    expect(floats(clean['gradient/log_probs']).slice(25, 45)).toEqual(Array.from({ length: 20 }, () => 0));
  });

  it('counts an item whose labels do not fit as 0, and leaves the others as they are', async () => {
    const batch: Batch = { ...randomBatch(createRandom('ctc-graph/unfit'), { batch: 3, time: 6, tokens: 4, most: 0 }), labels: [[1, 2], [3, 3, 3, 3], [2]], inputLengths: [6, 6, 6] };
    const out = await run(batch);
    const { losses, gradient } = expected(batch);
    expect(losses[1]).toBe(0);
    expect(floats(out.losses)[1]).toBe(0);
    expect(worst(floats(out.losses), losses)).toBeLessThan(1e-5);
    expect(floats(out.loss)[0]).toBeCloseTo((losses[0] + losses[2]) / 3, 5);
    expect(worst(floats(out['gradient/log_probs']), gradient)).toBeLessThan(1e-6);
  });

  it('says Infinity for labels of probability 0, and NaN for a NaN in a frame', async () => {
    const data = Float32Array.from([0, -Infinity, -Infinity, 0, -Infinity, -Infinity, -Math.LN2, -Math.LN2, -Infinity, 0, -Infinity, -Infinity]);
    const batch: Batch = { logProbs: { dtype: 'float32', dims: [2, 2, 3], data }, labels: [[2], [1]], inputLengths: [2, 2] };
    const out = await run(batch);
    expect(floats(out.losses)[0]).toBe(Infinity);
    expect(floats(out.losses)[1]).toBeCloseTo(Math.LN2, 6);
    expect(worst(floats(out['gradient/log_probs']), [0, 0, 0, 0, 0, 0, 0, -0.5, 0, -0.5, 0, 0])).toBeLessThan(1e-6);
    data.set([-1, NaN, -1], 6);
    expect(floats((await run(batch)).losses)[1]).toBeNaN();
    data.set([NaN, -1, -1], 6);
    expect(floats((await run(batch)).losses)[1]).toBeNaN();
  });

  it('has the values of torch.nn.functional.ctc_loss (PyTorch 2.13, float64)', async () => {
    const [count, time, tokens] = [4, 12, 6];
    const logits = Float32Array.from({ length: count * time * tokens }, (_, k) => 3 * Math.sin(Math.floor(k / (time * tokens)) * 97 + (Math.floor(k / tokens) % time) * 13 + (k % tokens) * 29 + 1));
    const logProbs: Tensor = { dtype: 'float32', dims: [count, time, tokens], data: logSoftmax(logits, tokens) };
    const out = await run({ logProbs, labels: [[1, 2, 3, 4, 5], [2, 2, 2], [5, 1], []], inputLengths: [12, 9, 4, 7] });
    expect(worst(floats(out.losses), torch.losses)).toBeLessThan(2e-5);
    // PyTorch's gradient of the logits: through the log-softmax, softmax · (frames that count) / batch + gradient.
    const gradient = floats(out['gradient/log_probs']);
    torch.logitGradients.forEach((wanted, item) => {
      const start = (item * time + 2) * tokens;
      expect(worst(wanted.map((_, v) => Math.exp(logits[start + v]) / count + gradient[start + v]), wanted)).toBeLessThan(1e-6);
    });
  });

  it.each([['blank last', { blank: 6, axes: 'batch time token' }], ['time first', { blank: 0, axes: 'time batch token' }], ['both, of a fixed number of tokens', { blank: 3, axes: 'time batch token', tokens: 7 }]] as const)(
    'takes %s', async (_, options) => {
      const loss = ctcLossGraph({ output: 'before', ...options });
      expect(loss).toMatchObject({ name: 'ctc', reads: ['before'], labels: ['targets', 'target_lengths', 'input_lengths'] });
      checkModel(loss.graph);
      const other = await backend.compile(loss.graph);
      const batch = randomBatch(createRandom('ctc-graph/axes'), { batch: 4, time: 15, tokens: 7, most: 6, blank: options.blank });
      const turn = ({ dtype, dims: [rows, columns, depth], data }: Tensor): Tensor => {
        const turned = new Float32Array(data.length);
        for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) for (let d = 0; d < depth; d++) turned[(c * rows + r) * depth + d] = (data as Float32Array)[(r * columns + c) * depth + d];
        return { dtype, dims: [columns, rows, depth], data: turned };
      };
      const given = options.axes === 'time batch token' ? turn(batch.logProbs) : batch.logProbs;
      const out = await other.run({ before: given, ...labelInputs(batch) });
      await other.dispose();
      const { losses, gradient } = expected(batch, options.blank);
      expect(out['gradient/before'].dims).toEqual(given.dims);
      expect(worst(floats(out.losses), losses)).toBeLessThan(1e-4);
      const back = options.axes === 'time batch token' ? turn(out['gradient/before']) : out['gradient/before'];
      expect(worst(floats(back), gradient)).toBeLessThan(3e-6);
      expect(splitBatch(given, batch.inputLengths, options.axes)).toEqual(splitBatch(batch.logProbs, batch.inputLengths));
    },
  );
});
