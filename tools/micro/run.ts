/**
 * Exports the keyword spotters of a folder, as they are and pruned, to C, compiles them, and writes a table: flash, arena, error against float, how often
 * the label is the same.
 * Usage: node tools/micro/run.ts [--shared ../shared] [--clips 60] [--out docs/results/micro.md]
 * The part of the file from the line `<!-- by hand -->` on is kept as it is.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { nativeBackend } from '@coppice/backend-onnx';
import { openDigits } from '@coppice/dataset-digits';
import { exportBundle, targetNamed, verifyBundle, type ClipSource } from '@coppice/exporter-edge';
import { graphOf, type Model } from '@coppice/graph';
import { decodeWav, fitClip, layOutFeatures, modelFeatures, resampleAudio, type Audio } from '@coppice/speech';
import { spotters, type Spotter } from './models.ts';

const { values: options } = parseArgs({ options: { shared: { type: 'string', default: '../shared' }, clips: { type: 'string', default: '60' }, out: { type: 'string' } } });
const backend = nativeBackend();
const target = targetNamed('micro');
const work = mkdtempSync(join(tmpdir(), 'coppice-micro-study-'));
const objects = ['recognise', 'model', 'coppice_ops', 'coppice_features', 'coppice_feature_tables'];
/** As for a device: small, and at fixed addresses. */
const flags = ['-std=c99', '-Os', '-ffp-contract=off', '-fno-pic'];

/** Recordings of people, at the rate of the spotters; calibration and test never share one. */
async function recordings(split: string, count: number): Promise<ClipSource> {
  const digits = await openDigits(join(options.shared, 'data/fsdd'));
  const all = await digits.utterances(split);
  const chosen = Array.from({ length: Math.min(count, all.length) }, (_, k) => all[Math.floor((k * all.length) / Math.min(count, all.length))]);
  return { source: `digits, ${split}`, clips: await Promise.all(chosen.map(async ({ id, audio }) => ({ id, audio: await resampleAudio(await audio(), 16_000) }))) };
}

const inputOf = ({ speech }: Spotter, audio: Audio) => {
  const { data, frames, width } = modelFeatures(audio, speech);
  return { [speech.input]: layOutFeatures(data, { batch: 1, time: frames, feature: width }, speech.inputAxes) };
};

/** Scores of a model for each clip. */
async function scores(spotter: Spotter, model: Model, clips: ClipSource['clips']): Promise<Float32Array[]> {
  const executable = await backend.compile(model, { optimise: 'all', threads: 1 });
  const results: Float32Array[] = [];
  for (const { audio } of clips) results.push((await executable.run(inputOf(spotter, audio)))[spotter.speech.output].data as Float32Array);
  await executable.dispose();
  return results;
}

const best = (values: Float32Array): number => values.indexOf(Math.max(...values));
const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);

/** Sections of the objects that a device links: code and constants in flash, and what is written in memory. */
function sizes(folder: string, compiler = 'cc'): { readonly text: number; readonly bss: number; readonly data: number; readonly model: number } {
  const made = mkdtempSync(join(work, 'objects-'));
  execFileSync(compiler, [...flags, '-c', ...objects.map((name) => join(folder, `${name}.c`))], { cwd: made });
  const rows = execFileSync('size', objects.map((name) => join(made, `${name}.o`)), { encoding: 'utf8' }).trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/).map(Number));
  const sum = (column: number): number => rows.reduce((total, row) => total + row[column], 0);
  return { text: sum(0), data: sum(1), bss: sum(2), model: rows[1][0] };
}

async function study(spotter: Spotter, name: string, calibration: ClipSource, test: ClipSource): Promise<string> {
  const runs = async function* () { for (const { audio } of calibration.clips) yield inputOf(spotter, audio); };
  const { model, quantisation } = await target.prepare!(spotter.model, { speech: spotter.speech, backend, runs });
  const folder = join(work, name.replaceAll(/\W+/g, '-'));
  const manifest = await exportBundle(target, { name, model, speech: spotter.speech, quantisation, backend, clips: { ...test, clips: test.clips.map(({ id, audio }) => ({ id, audio: fitClip(audio, spotter.speech.clip) })) } }, folder);
  const start = performance.now();
  const { findings, largest, realTimeFactor } = await verifyBundle(folder);
  if (findings.length > 0) console.error(findings.slice(0, 3));
  const { text, data, bss, model: ofModel } = sizes(folder);
  // The very sound that the program hears: 16 bits.
  const heard = manifest.golden.clips.map(({ id, audio }) => ({ id, audio: decodeWav(readFileSync(join(folder, audio)), id) }));
  const [float, bits] = [await scores(spotter, spotter.model, heard), await scores(spotter, model, heard)];
  const classes = spotter.speech.tokens.length - 1;
  const errors = float.map((values, k) => Math.sqrt(values.subarray(0, classes).reduce((sum, x, at) => sum + (x - bits[k][at]) ** 2, 0) / classes));
  const spread = Math.sqrt(float.reduce((sum, values) => { const mean = values.subarray(0, classes).reduce((a, b) => a + b, 0) / classes; return sum + values.subarray(0, classes).reduce((s, x) => s + (x - mean) ** 2, 0) / classes; }, 0) / float.length);
  const same = float.filter((values, k) => best(values) === best(bits[k])).length;
  const agreed = manifest.golden.clips.filter((clip, k) => clip.text === spotter.speech.tokens[best(bits[k])]).length;
  console.log(name, `${Math.round(performance.now() - start)} ms`, findings.length, 'findings');
  return `| ${name} | ${graphOf(spotter.model).node.length} | ${kilobytes(text)} (${kilobytes(ofModel)}) | ${kilobytes(bss)}${data > 0 ? ` + ${data}` : ''} | ${findings.length === 0 ? 'verified' : `${findings.length} findings`}, ${agreed} of ${test.clips.length} | ${largest?.features.toExponential(1)} | ${largest?.logProbs.toExponential(1)} | ${(errors.reduce((a, b) => a + b, 0) / errors.length).toFixed(3)} of ${spread.toFixed(2)} | ${same} of ${test.clips.length} | ${realTimeFactor?.toFixed(4)} |`;
}

/** `coppice prune`, as a user calls it. */
function pruned(path: string): string {
  const out = join(work, `pruned-${basename(path)}`);
  if (!existsSync(out)) execFileSync(process.execPath, ['apps/cli/src/main.ts', 'prune', path, '--macs', '0.5', '--out', out, '--plan', `${out}.json`], { stdio: ['ignore', 'ignore', 'inherit'] });
  return out;
}

const [calibration, test] = [await recordings('train', 48), await recordings('test', Number(options.clips))];
const rows: string[] = [];
for (const [suffix, all] of [['', spotters(options.shared)], [', pruned to half the multiply–accumulates', spotters(options.shared, pruned)]] as const) {
  for (const spotter of all) rows.push(await study(spotter, `${spotter.name}${suffix}`, calibration, test));
}
rmSync(work, { recursive: true, force: true });
const compilerName = execFileSync('cc', ['--version'], { encoding: 'utf8' }).split('\n')[0];
const table = [
  '# Keyword spotters in C99', '',
  `Written by \`node tools/micro/run.ts --shared ${options.shared} --clips ${options.clips} --out docs/results/micro.md\`: ${compilerName}, ${process.arch}; calibrated on ${calibration.clips.length} recordings of digits, tried on ${test.clips.length} others.`, '',
  '| model | operators | flash, kB (of it the model) | memory, kB | C: golden clips; labels as ONNX Runtime gives them for the 8-bit graph | features, largest difference | scores, largest difference | 8 bits against float: error of the scores, of their spread | same label as float | real-time factor here |',
  '|---|---|---|---|---|---|---|---|---|---|', ...rows, '',
].join('\n');
if (options.out === undefined) console.log(table);
else {
  const kept = existsSync(options.out) ? readFileSync(options.out, 'utf8').split('<!-- by hand -->')[1] : undefined;
  writeFileSync(options.out, kept === undefined ? table : `${table}\n<!-- by hand -->${kept}`);
}
