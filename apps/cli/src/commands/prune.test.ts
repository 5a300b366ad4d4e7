import { wasmBackend } from '@coppice/backend-onnx';
import type { NamedTensors, PlanFile } from '@coppice/core';
import { createRandom } from '@coppice/core';
import { graphOf, readTensor, toTensorProto, withFields, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { readPlan } from '../plan-document.ts';
import { encodeNpy, folderWithModel, removeFolders, run } from '../testing/command-line.ts';

afterAll(removeFolders);

/** A model in which the slices of a plan are zero: all that a program that knows nothing of Coppice can do to check one. */
function zeroSlices(model: Model, { removed }: PlanFile): Model {
  const graph = graphOf(model);
  const slices = Map.groupBy(removed.flatMap((unit) => unit.slices), ({ initializer }) => initializer);
  const initializer = graph.initializer.map((proto) => {
    const wanted = slices.get(proto.name);
    if (!wanted) return proto;
    const { dtype, dims, data } = readTensor(model, proto);
    const zeroed = Float32Array.from(data as Float32Array);
    for (let k = 0; k < zeroed.length; k++) {
      let rest = k;
      const index = dims.toReversed().map((size) => [rest % size, (rest = Math.floor(rest / size))][0]).toReversed();
      if (wanted.some(({ axis, indices, at = {} }) => indices.includes(index[axis]) && Object.entries(at).every(([a, i]) => index[Number(a)] === i))) zeroed[k] = 0;
    }
    return toTensorProto(proto.name, { dtype, dims, data: zeroed });
  });
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { initializer }) }) };
}

async function outputsOf(model: Model, inputs: NamedTensors): Promise<Float32Array> {
  const executable = await wasmBackend().compile(model);
  const { log_probs } = await executable.run(inputs);
  await executable.dispose();
  return log_probs.data as Float32Array;
}

function speechLike(dims: readonly number[]): Float32Array {
  const random = createRandom('prune test');
  return Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal());
}

describe('coppice prune', () => {
  it.each(['gru', 'lstm'] as const)('writes a slim %s model that computes what the original does with the slices of the plan zeroed', async (rnn) => {
    const { model, path } = folderWithModel({ rnn });
    const { code, err } = await run(['prune', model, '--macs', '0.5', '--out', path('slim.onnx')]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const inputs: NamedTensors = { features: { dtype: 'float32', dims: [2, 21, 8], data: speechLike([2, 21, 8]) } };
    const expected = await outputsOf(zeroSlices(readModel(model), readPlan(path('plan.json'))), inputs);
    const got = await outputsOf(readModel(path('slim.onnx')), inputs);
    expect(got.length).toBe(expected.length);
    expect(Math.max(...got.map((value, k) => Math.abs(value - expected[k])))).toBeLessThan(1e-4);
    expect(statSync(path('slim.onnx')).size).toBeLessThan(statSync(model).size);
  });

  it('says what was asked and got in a short table', async () => {
    const { model, path } = folderWithModel();
    const { out } = await run(['prune', model, '--macs', '50%', '--out', path('slim.onnx')]);
    expect(out).toMatch(/MACs .* (4\d\.\d|50\.0) % +50\.0 %/);
    expect(out).toMatch(/parameters /);
    expect(out).toMatch(/latency .* ms .* ms +×/);
    expect(out).toMatch(/widths +conv1 4→\d · conv2 6→\d · rnn1 2×8→\d/);
    expect(out).toMatch(/verdict +equal to the masked original: the largest difference is \S+ of the scale of 'log_probs'/);
  });

  it('prints one JSON document with all of it', async () => {
    const { model, path } = folderWithModel();
    const { out, err } = await run(['prune', model, '--params', '0.6', '--ranking', 'global', '--scorer', 'random', '--seed', '4', '--dim', 'time=40', '--plan', path('my-plan.json'), '--out', path('slim.onnx'), '--json']);
    expect(err).toBe('');
    const report = JSON.parse(out);
    expect(report).toMatchObject({
      slim: path('slim.onnx'), plan: path('my-plan.json'),
      request: { params: 0.6, ranking: 'global', scorer: 'random', seed: 4, dims: { time: 40 }, norm: 'exact', factors: 'heads', release: [] },
      fileBytes: { before: statSync(model).size, after: statSync(path('slim.onnx')).size },
      latency: { backend: 'onnx:wasm', before: { medianMs: expect.any(Number) }, inputs: { features: [2, 40, 8] } },
      verdict: { equal: true, kind: 'exact' },
      released: {}, baked: [],
    });
    expect(report.got.params.after / report.got.params.before).toBeLessThanOrEqual(0.6);
  });

  it('keeps what was asked of single groups, and rounds widths', async () => {
    const { model, path } = folderWithModel();
    const { out } = await run(['prune', model, '--group', 'rnn*=0.5', '--group', 'conv2=1', '--round-to', '2', '--skip', 'conv1', '--out', path('slim.onnx'), '--json']);
    expect(JSON.parse(out).widths).toEqual([
      { group: 'conv1', before: 4, after: 4, lanes: 1 }, { group: 'conv2', before: 6, after: 6, lanes: 1 }, { group: 'rnn1', before: 8, after: 4, lanes: 2 },
    ]);
  });

  it('gives the same files for the same request', async () => {
    const { model, path } = folderWithModel();
    for (const name of ['a', 'b']) expect((await run(['prune', model, '--macs', '0.5', '--out', path(`${name}.onnx`), '--plan', path(`${name}.json`)])).code).toBe(0);
    expect(readFileSync(path('a.onnx')).equals(readFileSync(path('b.onnx')))).toBe(true);
    expect(readPlan(path('a.json')).removed).toEqual(readPlan(path('b.json')).removed);
  });

  it('takes calibration data, and adds the batch axis that a recording has not', async () => {
    const { model, path } = folderWithModel();
    for (const k of [1, 2]) writeFileSync(path(`${k}.npy`), encodeNpy('<f8', [30 + k, 8], Float64Array.from(speechLike([30 + k, 8]))));
    const { code, out } = await run(['prune', model, '--macs', '0.5', '--scorer', 'mean-magnitude', '--data', path('1.npy'), '--data', `features=${path('2.npy')}`, '--out', path('slim.onnx'), '--json']);
    expect(code).toBe(0);
    expect(out).not.toContain('no data were given');
  });

  it('replaces existing files only when told to', async () => {
    const { model, path } = folderWithModel();
    writeFileSync(path('plan.json'), 'mine');
    const words = ['prune', model, '--macs', '0.5', '--out', path('slim.onnx')];
    expect(await run(words)).toMatchObject({ code: 2, err: expect.stringContaining('COPPICE_FILE_EXISTS') });
    expect(readdirSync(path('.')).toSorted()).toEqual(['model.onnx', 'plan.json']);
    expect(readFileSync(path('plan.json'), 'utf8')).toBe('mine');
    expect((await run([...words, '--force'])).code).toBe(0);
    expect(readPlan(path('plan.json')).slim.name).toBe('slim.onnx');
  });
});
