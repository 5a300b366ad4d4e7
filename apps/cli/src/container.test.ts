import { defineCriterion, tokens, type Backend } from '@coppice/core';
import { wasmBackend } from '@coppice/backend-onnx';
import * as activation from '@coppice/scorer-activation';
import * as gradient from '@coppice/scorer-gradient';
import * as magnitude from '@coppice/scorer-magnitude';
import * as sensitivity from '@coppice/scorer-sensitivity';
import { Container, ContainerModule } from 'inversify';
import { afterAll, describe, expect, it } from 'vitest';
import { addPlugin, backendNamed, builtInNames, createContainer, datasetNamed, namesOf, scorerNamed } from './container.ts';
import { folderWithModel, removeFolders, run } from './testing/command-line.ts';

afterAll(removeFolders);

describe('the composition root', () => {
  it('binds every backend, scorer and dataset format under its name', () => {
    const container = createContainer();
    for (const name of builtInNames.Backend) expect(backendNamed(container, name).name).toContain(name);
    for (const name of builtInNames.Scorer) expect(scorerNamed(container, name).name).toBe(name);
    for (const name of builtInNames.Dataset) expect(datasetNamed(container, name).name).toBe(name);
  });

  it('knows the name of every scorer that the packages export', () => {
    const exported = [magnitude, activation, gradient, sensitivity].flatMap((module) => Object.values(module)).flatMap((value) => ('needs' in value ? [value.name] : []));
    expect([...builtInNames.Scorer].toSorted()).toEqual(exported.toSorted());
  });

  it('names what there is when asked for something else', () => {
    expect(() => backendNamed(createContainer(), 'abacus')).toThrow(expect.objectContaining({ code: 'COPPICE_BACKEND_MISSING', message: expect.stringContaining('onnx:native') }));
    expect(() => scorerNamed(createContainer(), 'magic')).toThrow(expect.objectContaining({ code: 'COPPICE_SCORER_UNKNOWN', message: expect.stringContaining('l2') }));
    const container = createContainer();
    addPlugin(container, 'Dataset', { name: 'tones', open: () => Promise.reject(new Error('not opened')) });
    expect(namesOf(container, 'Dataset')).toEqual(['digits', 'librispeech', 'timit', 'manifest', 'tones']);
    expect(() => datasetNamed(container, 'noise')).toThrow(expect.objectContaining({ code: 'COPPICE_DATASET_UNKNOWN', message: expect.stringContaining('digits, librispeech, timit, manifest, tones') }));
    expect(namesOf(createContainer(), 'Dataset')).toEqual(['digits', 'librispeech', 'timit', 'manifest']);
  });

  it('runs a command on fakes of nothing but the tokens that it asks for', async () => {
    const compiled: string[] = [];
    const runtime = wasmBackend();
    const backend: Backend = {
      name: 'fake runtime',
      info: async () => ({ version: '0', device: 'none', threads: 1 }),
      compile: (model, options) => {
        compiled.push(options?.optimise ?? '');
        return runtime.compile(model, options);
      },
    };
    const scorer = defineCriterion({ name: 'l2', score: (_, { id }) => id });
    const fakes: Pick<Record<keyof typeof tokens, ContainerModule>, 'Backend' | 'Scorer'> = {
      Backend: new ContainerModule(({ bind }) => void bind(tokens.Backend).toConstantValue(backend).whenNamed('onnx')),
      Scorer: new ContainerModule(({ bind }) => void bind(tokens.Scorer).toConstantValue(scorer).whenNamed('l2')),
    };
    const container = new Container();
    container.load(...Object.values(fakes));
    const { model, path } = folderWithModel();

    const { code, out, err } = await run(['prune', model, '--macs', '0.5', '--out', path('slim.onnx'), '--json'], { container });

    expect(err).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(out).latency.backend).toBe('fake runtime');
    expect(compiled).toContain('none');
    // The fake scorer's numbers rise with the unit's id, so the first units of each group are the ones that went.
    const plan = await import(path('plan.json'), { with: { type: 'json' } });
    const conv1 = plan.default.removed.filter(({ group }: { group: string }) => group === 'conv1');
    expect(conv1.map(({ unit }: { unit: number }) => unit)).toEqual(conv1.map((_: unknown, k: number) => k));
  });
});
