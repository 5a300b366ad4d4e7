import type { Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { computeFeatures } from '@coppice/speech';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareFeatures, readGolden, type GoldenValues } from '../../features-in-graph/golden-values.ts';
import type { Finding, Verification } from '../../finding.ts';
import type { BundleManifest } from '../../manifest.ts';
import { checkGolden } from '../../runtime/index.ts';
import { staleMetadata } from './adapt.ts';
import { expectedTokens, timesFault } from './compare-times.ts';
import { configText } from './config-text.ts';
import { familyFor, type Family } from './families.ts';
import { lookInside, type Inside } from './look-inside.ts';
import { runSherpa, sherpaModule, type SherpaResult } from './run-sherpa.ts';
import { tokensTextFault } from './tokens-text.ts';

/** sherpa-onnx computes features in float32, and normalisation over a clip multiplies what that leaves out. Of max(1, |expected|). */
const featureTolerance = 1e-3;
/** What such differences become in a model. */
const logProbTolerance = 5e-3;
/** Clips whose numbers are asked for; the texts and times are those of all. */
const clipsLookedInto = 2;

/** Runs the golden clips on sherpa-onnx and compares: what the files say, texts, times, and the numbers inside. */
export async function verifyOnSherpa(folder: string, manifest: BundleManifest, onProgress?: (text: string) => void): Promise<Verification> {
  const found = familyFor(manifest.speech.features);
  if ('refusal' in found) return { clips: 0, findings: [{ about: 'features', where: 'manifest.json', message: `The manifest speaks of features that sherpa-onnx does not compute. ${found.refusal}` }], notes: [] };
  const { family } = found;
  const model = readModel(join(folder, manifest.model.path));
  const stated = fileFaults(folder, manifest, family, model);
  const module = sherpaModule(folder);
  if (module === undefined) return { clips: 0, findings: [...stated, { about: 'runtime', where: 'sherpa-onnx-node', message: 'sherpa-onnx-node is installed neither in the bundle nor here. Run npm install in the bundle (33 MB), and verify again.' }], notes: [] };
  const ranOn = `sherpa-onnx-node ${module.version} as ${family.name}`;
  const notes = [...(module.borrowed ? ['the bundle has no runtime of its own installed, so the one of Coppice ran it'] : []), ...(manifest.decoder.type === 'greedy' ? [] : ['sherpa-onnx decodes CTC models greedily, so texts were compared with those of greedy decoding'])];
  const golden = manifest.golden.clips.map((clip) => readGolden(folder, clip));
  const script = join(folder, 'recognise.js');
  onProgress?.(`texts and times of ${golden.length} clips`);
  const ran = await runSherpa({ script, module: module.path, config: join(folder, 'sherpa-onnx.json'), clips: golden.map(({ path }) => path) });
  if ('fault' in ran) return { ranOn, clips: 0, findings: [...stated, { about: 'runtime', where: manifest.model.path, message: `sherpa-onnx could not recognise the golden clips: ${ran.fault}.` }], notes };
  const inside: (Inside | string)[] = [];
  // Where a file is wrong already, what is inside follows from that.
  if (stated.length === 0) onProgress?.('features and log-probabilities inside');
  for (const each of stated.length === 0 ? golden.slice(0, clipsLookedInto) : []) inside.push(await lookInside({ script, module: module.path, family, model, speech: manifest.speech }, each));
  const compared = await compare(folder, manifest, golden, ran.results, inside);
  return { ...compared, ranOn, findings: [...stated, ...compared.findings], notes };
}

/** What is wrong before anything runs: what this runtime reads instead of the graph. */
function fileFaults(folder: string, { speech, model: { path } }: BundleManifest, family: Family, model: Model): Finding[] {
  const text = (name: string): string | undefined => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined);
  const tokens = text('tokens.txt');
  const fault = tokens === undefined ? 'tokens.txt is missing.' : tokensTextFault(tokens, speech);
  return [
    ...staleMetadata(model, family, speech).map((message): Finding => ({ about: 'manifest', where: path, message })),
    ...(fault === undefined ? [] : [{ about: 'text', where: 'tokens.txt', message: fault } as const]),
    ...(text('sherpa-onnx.json') === configText(family, speech.features, path) ? [] : [{ about: 'manifest', where: 'sherpa-onnx.json', message: `sherpa-onnx.json does not fit the model, which wants the family ${family.name}, ${speech.features.sampleRateHz} samples a second and ${speech.features.mels} bands. Export again.` } as const]),
  ];
}

async function compare(folder: string, manifest: BundleManifest, golden: readonly GoldenValues[], results: readonly SherpaResult[], inside: readonly (Inside | string)[]): Promise<Pick<Verification, 'clips' | 'largest' | 'realTimeFactor' | 'findings'>> {
  const { speech } = manifest;
  const findings: Finding[] = [];
  let largest = 0;
  for (const [k, each] of inside.entries()) {
    if (typeof each === 'string') findings.push({ about: 'runtime', where: golden[k].clip.audio, message: each });
    else {
      const outcome = compareFeatures(golden[k], each.features, speech.features, featureTolerance, 'sherpa-onnx');
      largest = Math.max(largest, outcome.largest);
      if (outcome.finding !== undefined) findings.push(outcome.finding);
    }
  }
  for (const [k, { clip, logProbs }] of golden.entries()) {
    const fault = timesFault(clip, results[k], logProbs, clip.logProbs.dims[0], speech);
    if (fault !== undefined) findings.push({ about: 'text', where: clip.audio, message: fault });
  }
  let at = 0;
  const read = (path: string): Promise<Uint8Array | undefined> => readFile(join(folder, path)).catch(() => undefined);
  const checked = await checkGolden({
    manifest: asDecoded(manifest, golden), read,
    recognise: async (audio) => {
      const k = at++;
      const { clip, logProbs } = golden[k];
      const [frames, tokens] = clip.logProbs.dims;
      const data = logProbs.slice();
      const own = inside[k];
      if (own !== undefined && typeof own !== 'string') for (const [n, place] of own.logProbs.elements.entries()) data[place] = own.logProbs.values[n];
      return { text: results[k].text, seconds: audio.samples.length / audio.sampleRateHz, featuresMs: 0, modelMs: results[k].milliseconds, features: computeFeatures(audio, speech.features), logProbs: { data, frames, tokens } };
    },
  });
  return { ...checked, largest: { features: Math.max(largest, checked.largest?.features ?? 0), logProbs: checked.largest?.logProbs ?? 0 }, findings: [...findings, ...checked.findings] };
}

/** The manifest with the texts and tolerances that this runtime can keep: it decodes greedily, and leaves out one blank in front. */
function asDecoded(manifest: BundleManifest, golden: readonly GoldenValues[]): BundleManifest {
  const greedy = manifest.decoder.type === 'greedy';
  const clips = manifest.golden.clips.map((clip, k) => ({ ...clip, text: greedy ? clip.text.replace(/^ /, '') : expectedTokens(golden[k].logProbs, clip.logProbs.dims[0], manifest.speech).text }));
  return { ...manifest, golden: { ...manifest.golden, clips, tolerance: { ...manifest.golden.tolerance, logProbs: Math.max(manifest.golden.tolerance.logProbs, logProbTolerance) } } };
}
