import { decodeWav, modelFeatures, type Features } from '@coppice/speech';
import { readModel } from '@coppice/graph/node';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding, Verification } from '../../finding.ts';
import type { BundleManifest } from '../../manifest.ts';
import { checkGolden, largestDifference } from '../../runtime/check-golden.ts';
import { decodeText } from '../../runtime/index.ts';
import { findSetting } from '../../runtime/explain-features.ts';
import { compileC, findCompiler } from './compile.ts';
import { cSources, programOf } from './sources.ts';
import type { MicroProgram } from './program.ts';

const programSources = ['verify.c', 'read_audio.c', 'recognise.c', 'model.c', 'coppice_ops.c', 'coppice_features.c', 'coppice_feature_tables.c'];

/**
 * Compiles the sources of a bundle into a temporary folder and lets them recognise the golden clips.
 * @param options `limitMs` is for each run of the program
 */
export async function verifyMicro(folder: string, manifest: BundleManifest, { limitMs = 20_000 }: { readonly limitMs?: number } = {}): Promise<Verification> {
  const stop = (finding: Finding): Verification => ({ clips: 0, findings: [finding], notes: [] });
  const compiler = findCompiler();
  if (compiler === undefined) return stop({ about: 'runtime', where: 'cc', message: 'There is no C compiler here (cc, or the one that CC names), so nothing was run. Install one and verify again.' });
  const program = programOf(readModel(join(folder, manifest.model.path)), manifest.speech);
  if ('refusals' in program) return stop({ about: 'manifest', where: manifest.model.path, message: `${manifest.model.path} and the manifest do not give C code any more: ${program.refusals.join(' ')}` });
  const work = mkdtempSync(join(tmpdir(), 'coppice-micro-'));
  try {
    const sources = cSources(program, manifest.speech, manifest.golden);
    // Compiled apart from the bundle, so that nothing is left in it and no other header is found.
    for (const name of sources.keys()) copyFileSync(join(folder, name), join(work, name));
    const stale = staleSources(folder, sources);
    const said = compileC(compiler.path, { folder: work, sources: programSources, program: join(work, 'verify-golden') });
    if (said !== undefined) return stop({ about: 'runtime', where: compiler.path, message: `The sources do not compile: ${said.split('\n').slice(0, 3).join(' / ')}` });
    const run = (words: readonly string[]): Buffer => execFileSync(join(work, 'verify-golden'), [...words], { timeout: limitMs, maxBuffer: 1 << 28 });
    const checked = await checkGolden({ manifest, read: (path) => readFile(join(folder, path)).catch(() => undefined), recognise: (audio) => Promise.resolve(recognise(run, folder, manifest, program, audio)) });
    const features = otherSetting(run, folder, manifest, program);
    return { ...checked, ranOn: `C99 by ${compiler.version}`, findings: [...labelFaults(run, manifest, program), ...features, ...checked.findings, ...stale], notes: [] };
  } catch (error) {
    return stop({ about: 'runtime', where: 'verify-golden', message: `The compiled program failed: ${(error as Error).message.split('\n')[0]}` });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

type Run = (words: readonly string[]) => Buffer;

/** One of the golden clips, as the compiled program hears it. */
function recognise(run: Run, folder: string, manifest: BundleManifest, program: MicroProgram, audio: ReturnType<typeof decodeWav>) {
  const clip = manifest.golden.clips.find(({ audio: path }) => sameSound(decodeWav(readFileSync(join(folder, path)), path), audio))!;
  const start = performance.now();
  const { features, scores } = dump(run, join(folder, clip.audio), program);
  const milliseconds = performance.now() - start;
  const data = Float32Array.of(...scores, ...program.output.beyond);
  const logProbs = { data, frames: 1, tokens: data.length };
  return { text: decodeText(logProbs, manifest), seconds: audio.samples.length / audio.sampleRateHz, featuresMs: 0, modelMs: milliseconds, features: { frames: program.input.frames, width: program.input.width, data: features }, logProbs };
}

const sameSound = (a: ReturnType<typeof decodeWav>, b: ReturnType<typeof decodeWav>): boolean => a.samples.length === b.samples.length && a.samples.every((sample, k) => sample === b.samples[k]);

function dump(run: Run, path: string, { input, output }: MicroProgram): { readonly features: Float32Array; readonly scores: Float32Array } {
  const bytes = run(['--dump', path]);
  const floats = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const count = input.frames * input.width;
  if (floats.length !== count + output.classes) throw new Error(`the program gave ${floats.length} numbers, and ${count} features and ${output.classes} scores were expected`);
  return { features: floats.slice(0, count), scores: floats.slice(count) };
}

/** Files that this model and this description do not give. */
function staleSources(folder: string, sources: ReadonlyMap<string, string>): Finding[] {
  return [...sources].flatMap(([name, expected]): Finding[] => {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n');
    const own = expected.split('\n');
    const at = own.findIndex((line, k) => line !== lines[k]);
    if (at < 0 && lines.length === own.length) return [];
    const line = at < 0 ? own.length : at;
    const table = lines.slice(0, line + 1).findLast((each) => each.endsWith(' = {'))?.match(/(\w+)(\[\d+\])? = \{$/)?.[1];
    return [{ about: 'file', where: name, message: `${name} is not what model.onnx and the manifest give: line ${line + 1}${table === undefined ? '' : `, in '${table}',`} differs. Somebody changed it, or it is from another export. Export again.` }];
  });
}

/** Which setting the compiled features have, where it is another one than the manifest says. */
function otherSetting(run: Run, folder: string, { golden: { clips: [clip], tolerance }, speech }: BundleManifest, program: MicroProgram): Finding[] {
  const { features: actual } = dump(run, join(folder, clip.audio), program);
  const audio = decodeWav(readFileSync(join(folder, clip.audio)), clip.audio);
  const isActual = ({ data }: Features): boolean => largestDifference(actual, data) <= tolerance.features;
  if (isActual(modelFeatures(audio, speech))) return [];
  const found = findSetting(audio, speech.features, isActual, speech.clip);
  return found === undefined ? [] : [{ about: 'features', where: 'coppice_feature_tables.c', message: `The C code computes features with '${found.name}' ${JSON.stringify(found.value)}, and the manifest says ${JSON.stringify(found.now)}. Export again.` }];
}

/** Whether the labels in the code are the tokens of the manifest, in their order. */
function labelFaults(run: Run, { speech }: BundleManifest, { output: { classes } }: MicroProgram): Finding[] {
  const labels = run(['--labels']).toString('utf8').split('\0').slice(0, -1);
  const tokens = speech.tokens.slice(0, classes);
  if (String(labels) === String(tokens)) return [];
  const shift = [1, -1].find((by) => tokens.every((_, k) => labels[(k + by + classes) % classes] === tokens[k]));
  return [{ about: 'text', where: 'recognise.c', message: `The labels in recognise.c are ${shift === undefined ? 'other ones than' : 'shifted by one against'} the tokens of the manifest: class 0 is '${labels[0]}', and '${tokens[0]}' was exported. Export again.` }];
}
