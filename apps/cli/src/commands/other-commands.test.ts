import { readModel } from '@coppice/graph/node';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { builtInNames } from '../container.ts';
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
  it('lists what runs here, and what is missing with what mends it', async () => {
    const { out } = await run(['doctor', '--json']);
    const { machine, backends } = JSON.parse(out) as { machine: object; backends: { name: string; missing?: string; threads?: number }[] };
    expect(machine).toMatchObject({ node: process.version, cores: expect.any(Number) });
    expect(backends.map(({ name }) => name)).toEqual(builtInNames.Backend);
    for (const name of ['onnx:wasm', 'onnx:native', 'tfjs:wasm', 'tfjs:cpu']) expect(backends).toContainEqual(expect.objectContaining({ name, threads: expect.any(Number) }));
    for (const { missing, threads } of backends) expect(threads !== undefined || /To mend it: /.test(missing!)).toBe(true);
    const { out: text } = await run(['doctor']);
    expect(text).toMatch(/^Coppice .*Node\.js v.*\n\nbackend +version +device +threads\n/);
    expect(text).toMatch(/tfjs:webgl cannot run: there is no WebGL here/);
  });

});
