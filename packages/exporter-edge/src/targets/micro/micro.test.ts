import { nativeBackend } from '@coppice/backend-onnx';
import { graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, withFields, type Model } from '@coppice/graph';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportBundle } from '../../export-bundle.ts';
import { sanitizerFlags } from '../../testing/run-program.ts';
import { newFolder, plant, removeFolders } from '../../testing/small-bundle.ts';
import { hostileLabels, smallSpotter, spotterRequest, spotterRuns } from '../../testing/small-spotter.ts';
import { verifyBundle } from '../../verify-bundle.ts';
import { compileC, findCompiler } from './compile.ts';
import { microTarget } from './micro.ts';
import { prepareForMicro } from './prepare.ts';

const backend = nativeBackend();
const compiler = findCompiler();
const sanitizers = sanitizerFlags();
afterAll(removeFolders);

describe.skipIf(compiler === undefined)('a bundle in C (skipped where there is no C compiler)', { timeout: 30_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = join(newFolder(), 'micro');
    await exportBundle(microTarget, await spotterRequest(backend), folder);
  });

  it('compiles without a warning and gives the scores of ONNX Runtime, whatever its labels are', async () => {
    const { findings, clips, ranOn, largest } = await verifyBundle(folder);
    expect(findings).toEqual([]);
    expect(clips).toBe(2);
    expect(ranOn).toMatch(/^C99 by /);
    expect(largest!.logProbs).toBeLessThan(1e-5);
    expect(largest!.features).toBeLessThan(1e-4);
  });

  it('says how large the arena is in the header, the manifest and the model card, and has no other memory that is written', () => {
    const bytes = readFileSync(join(folder, 'model.h'), 'utf8').match(/COPPICE_ARENA_BYTES (\d+)/)![1];
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as { runtime: { note: string } };
    expect(manifest.runtime.note).toContain(`one arena of ${bytes} bytes`);
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain(`one arena of ${bytes} bytes`);
    const work = newFolder();
    const objects = ['recognise', 'model', 'coppice_ops', 'coppice_features', 'coppice_feature_tables'];
    execFileSync(compiler!.path, ['-std=c99', '-O2', '-c', ...objects.map((name) => join(folder, `${name}.c`))], { cwd: work });
    const written = objects.flatMap((name) => execFileSync('nm', ['-S', join(work, `${name}.o`)], { encoding: 'utf8' }).split('\n').filter((line) => / [bBcC] /.test(line)).map((line) => Number.parseInt(line.split(' ')[1], 16)));
    expect(written).toEqual([Number(bytes)]);
  });

  it('`make verify` and `make` work in the folder; the example reads WAV and raw samples', () => {
    const copy = plant(folder, () => {});
    expect(execFileSync('make', ['verify', 'recognise'], { cwd: copy, encoding: 'utf8' })).toContain('2 golden clips are recognised as at the export');
    const wav = readFileSync(join(copy, 'golden/1.wav'));
    const said = (input: Uint8Array): string => execFileSync(join(copy, 'recognise'), { input, encoding: 'utf8' });
    expect(hostileLabels.some((label) => said(wav).startsWith(`${label} `))).toBe(true);
    expect(said(wav.subarray(44))).toBe(said(wav));
    const broken = spawnSync(join(copy, 'recognise'), { input: wav.subarray(0, 30), encoding: 'utf8' });
    expect([broken.status, broken.stderr]).toEqual([1, 'The WAV file is cut off.\n']);
  });

  it.skipIf(sanitizers === undefined)('recognises the golden clips under sanitizers too (skipped where the compiler has none)', () => {
    const copy = plant(folder, () => {});
    expect(compileC(compiler!.path, { folder: copy, sources: ['verify.c', 'read_audio.c', 'recognise.c', 'model.c', 'coppice_ops.c', 'coppice_features.c', 'coppice_feature_tables.c'], program: join(copy, 'verify-golden'), flags: sanitizers })).toBeUndefined();
    expect(execFileSync(join(copy, 'verify-golden'), { cwd: copy, encoding: 'utf8' })).toContain('2 golden clips');
  });

  it('gives the same bytes again', async () => {
    const again = join(newFolder(), 'micro');
    await exportBundle(microTarget, await spotterRequest(backend), again);
    for (const name of ['model.c', 'model.h', 'recognise.c', 'coppice_feature_tables.c']) expect(readFileSync(join(again, name))).toEqual(readFileSync(join(folder, name)));
  });
});

describe('what cannot become C is refused before anything is written', () => {
  const refused = (model: Model, speech = smallSpotter().speech): readonly string[] => microTarget.refusals(model, speech);
  const { model, speech } = smallSpotter();

  it('a clip without a length, with what to do', () => {
    const { clip: _clip, ...open } = speech;
    expect(refused(model, open)).toEqual([expect.stringContaining('add "clip"')]);
  });

  it('every operator without a kernel, at once', async () => {
    const { input, output, node, initializer } = graphOf(model);
    const strange = makeModel({ opset: 18, graph: { inputs: [...input], outputs: [...output], nodes: [makeNode({ op: 'LayerNormalization', inputs: ['mel', 'g'], outputs: ['n'] }), makeNode({ op: 'Mine', domain: 'my.own', inputs: ['n'], outputs: ['m'] }), ...node.map((each, k) => (k === 0 ? withFields(each, { input: ['m', ...each.input.slice(1)] }) : each))], initializers: [...initializer, makeInitializer('g', 'float32', [8], new Float32Array(8))] } });
    const sentences = refused(strange).join('\n');
    expect(sentences).toContain('LayerNormalization normalises by statistics');
    expect(sentences).toContain("belongs to the domain 'my.own'");
    const folder = join(newFolder(), 'none');
    await expect(exportBundle(microTarget, { name: 'none', model: strange, speech, backend }, folder)).rejects.toMatchObject({ code: 'COPPICE_TARGET_REFUSED' });
    expect(existsSync(folder)).toBe(false);
  });

  it('a model in float, with what to do', async () => {
    await expect(exportBundle(microTarget, { name: 'float', model, speech, backend }, join(newFolder(), 'none'))).rejects.toMatchObject({ code: 'COPPICE_TARGET_REFUSED', message: expect.stringContaining('--quantize int8') as string });
  });

  it('tensors that no device holds, whose sizes would overflow in C', () => {
    const vast = makeModel({ opset: 18, graph: {
      inputs: [makeValueInfo('mel', 'float32', [1, 1, 20, 8])], outputs: [makeValueInfo('log_probs', 'float32')],
      nodes: [makeNode({ op: 'QuantizeLinear', inputs: ['mel', 's'], outputs: ['q'] }), makeNode({ op: 'DequantizeLinear', inputs: ['q', 's'], outputs: ['d'] }), makeNode({ op: 'Pad', inputs: ['d', 'pads'], outputs: ['p'] }), makeNode({ op: 'Flatten', inputs: ['p'], outputs: ['log_probs'] })],
      initializers: [makeInitializer('s', 'float32', [], [0.1]), makeInitializer('pads', 'int64', [8], [0, 0, 0, 0, 0, 0, 2 ** 31, 2 ** 31])],
    } });
    expect(refused(vast)).toEqual([expect.stringContaining('which no device of this class holds')]);
  });

  it('sums that 32 bits cannot hold', () => {
    const inputs = 200_000;
    const scale = makeInitializer('s', 'float32', [], [0.1]);
    const huge = makeModel({ opset: 18, graph: {
      inputs: [makeValueInfo('mel', 'float32', [1, 1, 20, 10_000])], outputs: [makeValueInfo('log_probs', 'float32')],
      nodes: [makeNode({ op: 'QuantizeLinear', inputs: ['mel', 's'], outputs: ['q'] }), makeNode({ op: 'DequantizeLinear', inputs: ['q', 's'], outputs: ['d'] }), makeNode({ op: 'Flatten', inputs: ['d'], outputs: ['f'] }), makeNode({ op: 'DequantizeLinear', inputs: ['w', 's'], outputs: ['wd'] }), makeNode({ op: 'Gemm', inputs: ['f', 'wd'], outputs: ['log_probs'] })],
      initializers: [scale, makeInitializer('w', 'int8', [inputs, 2], new Int8Array(2 * inputs).fill(127))],
    } });
    expect(refused(huge)).toEqual([expect.stringContaining('Gemm could add up to more than 32 bits hold')]);
  });
});

describe('prepareForMicro', () => {
  it('writes a batch norm that folds into nothing as a convolution, and folds what is computed from sizes', async () => {
    const { model, speech } = smallSpotter();
    const graph = graphOf(model);
    const four = (name: string, value: number) => makeInitializer(name, 'float32', [12], Float32Array.from({ length: 12 }, (_, k) => value + 0.1 * k));
    const shapes = (name: string, values: readonly number[]) => makeInitializer(name, 'int64', [values.length], values);
    // Sub-spectral normalisation, as BC-ResNet has it: [C, F] → [2·C, F/2] → norm → back.
    const nodes = graph.node.flatMap((node) => (node.opType !== 'HardSwish' ? [node] : [
      makeNode({ op: 'Shape', inputs: ['sum'], outputs: ['shape'] }), makeNode({ op: 'Transpose', inputs: ['sum'], outputs: ['turned'], attributes: { perm: [0, 1, 3, 2] } }),
      makeNode({ op: 'Reshape', inputs: ['turned', 'split'], outputs: ['parts'] }), makeNode({ op: 'BatchNormalization', inputs: ['parts', 'g', 'b', 'm', 'v'], outputs: ['normed'] }),
      makeNode({ op: 'Gather', inputs: ['shape', 'order'], outputs: ['back'] }), makeNode({ op: 'Reshape', inputs: ['normed', 'back'], outputs: ['whole'] }), withFields(node, { input: ['whole'] }),
    ]));
    const normed = makeModel({ opset: 18, graph: { inputs: [...graph.input], outputs: [...graph.output], nodes, initializers: [...graph.initializer, four('g', 0.5), four('b', -0.3), four('m', 0.1), four('v', 0.7), shapes('split', [1, 12, 4, -1]), shapes('order', [0, 1, 3, 2])] } });
    const prepared = await prepareForMicro(normed, { speech, backend, runs: spotterRuns(speech) });
    const operators = new Set(graphOf(prepared.model).node.map(({ opType }) => opType));
    expect(['BatchNormalization', 'Shape', 'Gather'].filter((op) => operators.has(op))).toEqual([]);
    expect(microTarget.refusals(prepared.model, speech)).toEqual([]);
    const [run] = await Array.fromAsync(spotterRuns(speech, 1)());
    const outputs = await Promise.all([normed, prepared.model].map(async (each) => {
      const executable = await backend.compile(each, { optimise: 'all' });
      const { log_probs: { data } } = await executable.run(run);
      await executable.dispose();
      return Array.from(data as Float32Array);
    }));
    outputs[1].forEach((value, k) => expect(Math.abs(value - outputs[0][k])).toBeLessThan(0.3));
  });
});
