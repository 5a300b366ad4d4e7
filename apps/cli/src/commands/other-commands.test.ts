import { readModel } from '@coppice/graph/node';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { folderWithModel, newFolder, removeFolders, run } from '../testing/command-line.ts';

afterAll(removeFolders);

describe('coppice reference', () => {
  it('writes a model of the sizes that were asked', async () => {
    const out = join(newFolder(), 'ref.onnx');
    const outcome = await run(['reference', '--mels', '16', '--channels', '3,5', '--rnn', 'lstm', '--hidden', '7', '--layers', '2', '--tokens', '4', '--seed', '2', '--out', out, '--json']);
    expect(JSON.parse(outcome.out)).toMatchObject({ model: out, sizes: { channels: [3, 5], rnn: 'lstm' }, params: expect.any(Number) });
    expect(readModel(out).proto.metadataProps.find(({ key }) => key === 'built_as')?.value).toContain('hidden=7 layers=2 tokens=4 seed=2');
  });
});

describe('coppice bench', () => {
  it('times models in turns and compares them with the first', async () => {
    const { model, path } = folderWithModel();
    await run(['prune', model, '--macs', '0.5', '--out', path('slim.onnx')]);
    const { out, err } = await run(['bench', model, path('slim.onnx'), '--runs', '7', '--dim', 'time=40', '--dim', 'batch=1', '--json']);
    expect(err).toBe('');
    const { backend, models } = JSON.parse(out);
    expect(backend).toMatchObject({ name: 'onnx:wasm', threads: 1 });
    expect(models).toMatchObject([{ path: model, speed: 1, runs: 7, inputs: { features: [1, 40, 8] } }, { path: path('slim.onnx'), runs: 7, inputs: { features: [1, 40, 8] } }]);
    for (const { p10Ms, medianMs, p90Ms } of models) expect(p10Ms <= medianMs && medianMs <= p90Ms).toBe(true);
  });
});

describe('coppice doctor', () => {
  it('lists what runs here, and why the others do not', async () => {
    const { out } = await run(['doctor', '--json']);
    expect(JSON.parse(out).backends.map(({ name }: { name: string }) => name)).toEqual(['onnx', 'onnx:wasm', 'onnx:native']);
  });
});
