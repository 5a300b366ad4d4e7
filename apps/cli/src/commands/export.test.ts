import { makeGraph, makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { writeModel } from '@coppice/graph/node';
import { readManifest, type BundleManifest } from '@coppice/exporter-edge';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRecogniser } from '../speech/recogniser.ts';
import { newFolder, removeFolders, run } from '../testing/command-line.ts';
import { digitTone, encodeWav, smallRecogniser, toneFolder } from '../testing/speech.ts';

afterAll(removeFolders);

let folder: string;
let corpus: string[];
const path = (name: string): string => join(folder, name);
const wasm = ['--backend', 'onnx', '--threads', '1'];

beforeAll(async () => {
  folder = newFolder();
  await writeRecogniser(smallRecogniser(), path('model.onnx'), false);
  await writeRecogniser(smallRecogniser({ hidden: 12 }), path('big.onnx'), false);
  writeFileSync(path('say.wav'), encodeWav(digitTone(3, 1)));
  corpus = ['--dataset', `digits:${toneFolder(8)}`, ...wasm];
});

describe('coppice export', () => {
  it('writes a bundle with the figures of a corpus, prints them, and it verifies', async () => {
    const { code, out, err } = await run(['export', path('model.onnx'), '--target', 'node', '--original', path('big.onnx'), ...corpus, '--licence', 'Apache-2.0', '--out', path('dist')]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^ +file +parameters +quantised +WER +95 % interval +latency +real time\noriginal .*\nmodel .* none .*%.* ms +0\.\d+\n/);
    expect(out).toMatch(/golden +3 clips: digits, test\n/);
    const { measured, golden, licence, name } = readManifest(path('dist'));
    expect({ licence, name }).toEqual({ licence: 'Apache-2.0', name: 'model' });
    expect(measured.model?.errors).toMatchObject({ unit: 'word', utterances: 50, corpus: 'digits, test' });
    expect(measured.original?.latency?.medianMs).toBeGreaterThan(0);
    expect(golden.clips.map(({ said }) => said)).toHaveLength(3);
    const verified = await run(['bundle', 'verify', path('dist')]);
    expect(verified).toMatchObject({ code: 0, err: '' });
    expect(verified.out).toMatch(/node bundle recognises the same, 3 golden clips on onnxruntime-node .*features equal bit for bit/);
  });

  it('takes recordings for clips, and quantises', async () => {
    const { code, out } = await run(['export', path('model.onnx'), '--target', 'node', '--audio', path('say.wav'), '--quantize', 'int8', '--no-measure', ...wasm, '--json', '--out', path('small')]);
    expect(code).toBe(0);
    const { manifest } = JSON.parse(out) as { manifest: BundleManifest };
    expect(manifest.model.quantisation).toMatch(/int8/);
    expect(manifest.golden).toMatchObject({ source: 'recordings that were given', clips: [{ id: 'say.wav', seconds: 0.3 }] });
    expect(manifest.measured).toEqual({});
    for (const method of ['percentile', 'entropy']) {
      expect((await run(['export', path('model.onnx'), '--target', 'node', '--audio', path('say.wav'), '--quantize', 'int8', '--calibration', method, '--no-measure', ...wasm, '--out', path(method)])).code).toBe(0);
    }
  });

  it.each([['weight-int8', /^weight-int8 \d/], ['weight-int4', /^weight-int[48] \d/], ['int8-dynamic', /int8/], ['float16', /^float16$/]])('writes %s without sound too, and verifies it', async (kind, words) => {
    const { code, out } = await run(['export', path('model.onnx'), '--target', 'node', '--quantize', kind, '--no-measure', ...wasm, '--json', '--out', path(kind)]);
    expect(code).toBe(0);
    expect((JSON.parse(out) as { manifest: BundleManifest }).manifest.model.quantisation).toMatch(words);
    expect(await run(['bundle', 'verify', path(kind)])).toMatchObject({ code: 0 });
  });

  it('records what was pruned, by a plan or by a run, and only if it was this model', async () => {
    expect((await run(['prune', path('big.onnx'), '--macs', '0.6', '--out', path('slim.onnx'), '--plan', path('plan.json')])).code).toBe(0);
    writeFileSync(path('slim.speech.json'), readFileSync(path('big.speech.json')));
    const exported = async (model: string, ...words: string[]) => run(['export', path(model), '--target', 'node', '--no-measure', ...wasm, '--json', '--out', path('pruned'), '--force', ...words]);
    const recordIn = ({ out }: { readonly out: string }) => (JSON.parse(out) as { manifest: BundleManifest }).manifest.pruned!;
    const byPlan = recordIn(await exported('slim.onnx', '--plan', path('plan.json')));
    expect(byPlan).toMatchObject({ original: { name: 'big.onnx' }, scorer: 'l2' });
    expect(byPlan.macs.after).toBeLessThan(0.61 * byPlan.macs.before);
    expect((await exported('model.onnx', '--plan', path('plan.json'))).err).toMatch(/COPPICE_PLAN_INVALID.*another slim model/);

    mkdirSync(path('run'));
    for (const [from, to] of [['big.onnx', 'original.onnx'], ['slim.onnx', 'round-1.onnx']]) writeFileSync(path(`run/${to}`), readFileSync(path(from)));
    writeFileSync(path('run/recipe.json'), '{"recipe":{"scorer":"taylor"}}');
    const cost = { macs: 100, params: 10, bytes: 40 };
    writeFileSync(path('run/report.json'), JSON.stringify({ original: { file: 'original.onnx', cost }, rounds: [{ file: 'round-1.onnx', cost: { ...cost, macs: 60 }, widths: [{ group: 'rnn1', before: 12, after: 7, lanes: 2 }, { group: 'conv1', before: 4, after: 4, lanes: 1 }] }] }));
    expect(recordIn(await exported('slim.onnx', '--run', path('run')))).toMatchObject({ original: { sha256: byPlan.original.sha256 }, scorer: 'taylor', macs: { before: 100, after: 60 }, removed: [{ group: 'rnn1', units: 10 }] });
    expect((await exported('model.onnx', '--run', path('run'))).err).toMatch(/COPPICE_RUN_INVALID.*none of the rounds/);
  });

  it.each<[string, string, RegExp, () => string[]]>([
    ['no target', 'COPPICE_ARGUMENT_INVALID', /--target/, () => ['--out', path('x')]],
    ['a target that there is not', 'COPPICE_ARGUMENT_INVALID', /web, node/, () => ['--target', 'toaster', '--out', path('x')]],
    ['a folder that is no bundle, also with --force', 'COPPICE_FILE_EXISTS', /left alone/, () => ['--target', 'node', '--force', '--out', path('mine')]],
    ['quantising without sound', 'COPPICE_ARGUMENT_INVALID', /--audio/, () => ['--target', 'node', '--quantize', 'int8', ...wasm, '--out', path('x')]],
    ['a recording that is none', 'COPPICE_AUDIO_INVALID', /say\.txt/, () => ['--target', 'node', '--audio', path('say.txt'), ...wasm, '--out', path('x')]],
    ['a plan of something else', 'COPPICE_FILE_NOT_FOUND', /plan/, () => ['--target', 'node', '--plan', path('no.json'), ...wasm, '--no-measure', '--out', path('x')]],
  ])('refuses %s, and writes nothing', async (_, code, words, flags) => {
    mkdirSync(path('mine'), { recursive: true });
    writeFileSync(path('mine/thesis.txt'), '');
    writeFileSync(path('say.txt'), 'hello');
    const outcome = await run(['export', path('model.onnx'), ...flags()]);
    expect(outcome).toMatchObject({ code: 2, out: '' });
    expect(outcome.err).toMatch(new RegExp(`error ${code}: `));
    expect(outcome.err).toMatch(words);
    expect(existsSync(path('x'))).toBe(false);
    expect(readdirSync(path('mine'))).toEqual(['thesis.txt']);
  });

  it('refuses operators that the target does not have with the list, before it asks for anything else', async () => {
    const { description } = smallRecogniser();
    const model = makeModel({ opset: 17, graph: makeGraph({ inputs: [makeValueInfo('features', 'float32', ['b', 't', 8])], outputs: [makeValueInfo('log_probs', 'float32', ['b', 't', 11])], nodes: [makeNode({ op: 'Hear', domain: 'org.example', name: 'ear', inputs: ['features'], outputs: ['log_probs'] })] }) });
    writeModel(model, path('strange.onnx'));
    writeFileSync(path('strange.speech.json'), readFileSync(path('model.speech.json')));
    expect(description.input).toBe('features');
    const { code, err } = await run(['export', path('strange.onnx'), '--target', 'web', '--out', path('x')]);
    expect({ code, written: existsSync(path('x')) }).toEqual({ code: 2, written: false });
    expect(err).toMatch(/COPPICE_TARGET_REFUSED.*\n.*org\.example\.Hear belongs to the domain 'org\.example'.*node 'ear'\.\nNothing was written/);
  });

  it('leaves nothing half-made when it is interrupted', async () => {
    const base = newFolder();
    const main = join(import.meta.dirname, '../main.ts');
    const child = spawn(process.execPath, [main, 'export', path('model.onnx'), '--target', 'web', '--no-measure', ...wasm, '--out', join(base, 'out')], { stdio: 'ignore' });
    const ended = new Promise((done) => child.on('exit', done));
    while (readdirSync(base).length === 0 && child.exitCode === null) await new Promise((done) => setTimeout(done, 2));
    child.kill('SIGINT');
    await ended;
    expect(readdirSync(base)).toEqual([]);
  });
});

describe('coppice bundle', () => {
  it('writes several bundles and verifies them; a fault ends with 1 and is named', async () => {
    const { code, out } = await run(['bundle', path('model.onnx'), '--targets', 'node', '--no-measure', ...wasm, '--out', path('all')]);
    expect(code).toBe(0);
    expect(out).toMatch(/synthetic sound .*\n[\s\S]*all\/node: the node bundle recognises the same/);
    const manifest = join(path('all'), 'node', 'manifest.json');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"melScale": "htk"', '"melScale": "slaney"'));
    const wrong = await run(['bundle', 'verify', join(path('all'), 'node')]);
    expect(wrong.code).toBe(1);
    expect(wrong.out).toMatch(/'melScale'.*"htk"/s);
    const [report] = JSON.parse((await run(['bundle', 'verify', join(path('all'), 'node'), '--json'])).out) as [{ target: string; findings: { about: string }[] }];
    expect(report).toMatchObject({ target: 'node', findings: [{ about: 'features' }, { about: 'features' }] });
  });

  it('refuses no folder, unknown targets, and folders that are no bundles', async () => {
    expect((await run(['bundle', path('model.onnx')])).err).toMatch(/--out/);
    expect((await run(['bundle', path('model.onnx'), '--targets', 'node,toaster', '--out', path('y')])).err).toMatch(/toaster/);
    expect((await run(['bundle', 'verify', folder])).err).toMatch(/COPPICE_BUNDLE_INVALID.*no manifest\.json/);
  });
});
