import { encodeModel, graphOf, makeNode, makeValueInfo, withFields, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { computeFeatures, greedyDecode } from '@coppice/speech';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { all, compareFeatures, readFloats, readGolden, type GoldenValues } from '../../features-in-graph/golden-values.ts';
import { featuresValue } from '../../features-in-graph/surround.ts';
import type { Finding, Verification } from '../../finding.ts';
import type { BundleManifest } from '../../manifest.ts';
import { checkGolden } from '../../runtime/index.ts';
import { configFault, configFiles, vocabularyOf } from './config-files.ts';
import { runTransformers, transformersModule, type TransformersResult } from './run-transformers.ts';

/** The graph computes features in float32, and normalisation over a clip multiplies what that leaves out. Of max(1, |expected|). */
const featureTolerance = 2e-3;
/** What such differences become in a model. */
const logProbTolerance = 1e-2;

/** Runs the golden clips with Transformers.js and compares: configurations, texts through its pipeline, and the numbers inside. */
export async function verifyOnTransformers(folder: string, manifest: BundleManifest, onProgress?: (text: string) => void): Promise<Verification> {
  const stated = Object.keys(configFiles(manifest.speech)).flatMap((path): Finding[] => {
    const message = configFault(path, existsSync(join(folder, path)) ? readFileSync(join(folder, path), 'utf8') : undefined, manifest.speech);
    return message === undefined ? [] : [{ about: path === 'tokenizer.json' ? 'text' : 'manifest', where: path, message }];
  });
  const module = transformersModule(folder);
  const missing = '@huggingface/transformers is installed neither in the bundle nor here. Run npm install in the bundle, and verify again.';
  if (module === undefined) return { clips: 0, findings: [...stated, { about: 'runtime', where: '@huggingface/transformers', message: missing }], notes: [] };
  const ranOn = `@huggingface/transformers ${module.version}`;
  const notes = [...(module.borrowed ? ['the bundle has no runtime of its own installed, so the one of Coppice ran it'] : []), ...(manifest.decoder.type === 'greedy' ? [] : ['Transformers.js decodes CTC models greedily, so texts were compared with those of greedy decoding'])];
  const golden = manifest.golden.clips.map((clip) => readGolden(folder, clip));
  const script = join(folder, 'recognise.js');
  const clips = golden.map(({ path }) => path);
  const failed = (fault: string): Verification => ({ ranOn, clips: 0, findings: [...stated, { about: 'runtime', where: manifest.model.path, message: `Transformers.js could not recognise the golden clips: ${fault}.` }], notes });
  const work = mkdtempSync(join(tmpdir(), 'coppice-transformers-'));
  let results: readonly TransformersResult[];
  let inside: Inside[];
  try {
    onProgress?.(`texts and log-probabilities of ${clips.length} clips`);
    const ran = await runTransformers({ script, module: module.url, model: folder, clips, values: work });
    if ('fault' in ran) return failed(ran.fault);
    results = ran.results;
    const logProbs = results.map(({ outputs }) => readFloats(outputs!['logits'].file));
    inside = logProbs.map((values) => ({ logProbs: values }));
    // Where a file is wrong already, what is inside follows from that.
    if (stated.length === 0) {
      onProgress?.('features inside');
      const looked = await lookInside(folder, manifest, work, { script, module: module.url, clips });
      if ('fault' in looked) return failed(looked.fault);
      inside = looked.results.map(({ outputs }, k) => ({ features: readFloats(outputs!['logits'].file), logProbs: logProbs[k] }));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const compared = await compare(folder, manifest, golden, results, inside);
  return { ...compared, ranOn, findings: [...stated, ...compared.findings], notes };
}

/** What was found for one clip: [time, feature] and [time, token]. */
interface Inside {
  readonly features?: Float32Array;
  readonly logProbs: Float32Array;
}

/** A copy of the bundle whose model gives the features that reach it in place of its result, run as well. */
async function lookInside(folder: string, { model: { path }, speech }: BundleManifest, work: string, { script, module, clips }: { readonly script: string; readonly module: string; readonly clips: readonly string[] }): ReturnType<typeof runTransformers> {
  const model = readModel(join(folder, path));
  const value = featuresValue(model);
  if (value === undefined) return { fault: 'the model is not as it was exported: the node with the features of training is missing' };
  for (const config of Object.keys(configFiles(speech))) cpSync(join(folder, config), join(work, config));
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), encodeModel(instead(model, value)));
  return runTransformers({ script, module, model: work, clips, values: work });
}

/** A model that gives one of its values, [batch, feature, time], as [batch, time, feature] where it gave its result. */
function instead(model: Model, value: string): Model {
  const graph = graphOf(model);
  const nodes = graph.node.filter(({ output }) => !output.includes('logits'));
  const turned = makeNode({ op: 'Transpose', name: 'probe.features', inputs: [value], outputs: ['logits'], attributes: { perm: [0, 2, 1] } });
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { node: [...nodes, turned], output: [makeValueInfo('logits', 'float32', ['batch', 'time', 'feature'])], valueInfo: [] }) }) };
}

async function compare(folder: string, manifest: BundleManifest, golden: readonly GoldenValues[], results: readonly TransformersResult[], inside: readonly Inside[]): Promise<Pick<Verification, 'clips' | 'largest' | 'realTimeFactor' | 'findings'>> {
  const findings: Finding[] = [];
  let largest = 0;
  for (const [k, { features }] of inside.entries()) {
    if (features === undefined) continue;
    const outcome = compareFeatures(golden[k], all(features), manifest.speech.features, featureTolerance, 'Transformers.js');
    largest = Math.max(largest, outcome.largest);
    if (outcome.finding !== undefined) findings.push(outcome.finding);
  }
  let at = 0;
  const read = (path: string): Promise<Uint8Array | undefined> => readFile(join(folder, path)).catch(() => undefined);
  const tokens = manifest.speech.tokens.length;
  const checked = await checkGolden({
    manifest: asDecoded(manifest, golden), read,
    recognise: async (audio) => {
      const k = at++;
      const data = inside[k].logProbs;
      return { text: results[k].text, seconds: audio.samples.length / audio.sampleRateHz, featuresMs: 0, modelMs: results[k].milliseconds, features: computeFeatures(audio, manifest.speech.features), logProbs: { data, frames: data.length / tokens, tokens } };
    },
  });
  return { ...checked, largest: { features: Math.max(largest, checked.largest?.features ?? 0), logProbs: checked.largest?.logProbs ?? 0 }, findings: [...findings, ...checked.findings] };
}

/** The manifest with the texts and tolerances that this runtime can keep: it decodes greedily, and leaves out blanks around the text. */
function asDecoded(manifest: BundleManifest, golden: readonly GoldenValues[]): BundleManifest {
  const vocabulary = vocabularyOf(manifest.speech);
  const greedy = (k: number, [frames, tokens]: readonly [number, number]): string => greedyDecode({ data: golden[k].logProbs, frames, tokens }, manifest.speech.blank).labels.map((id) => vocabulary[id]).join('');
  const clips = manifest.golden.clips.map((clip, k) => ({ ...clip, text: (manifest.decoder.type === 'greedy' ? clip.text : greedy(k, clip.logProbs.dims)).trim() }));
  return { ...manifest, golden: { ...manifest.golden, clips, tolerance: { ...manifest.golden.tolerance, logProbs: Math.max(manifest.golden.tolerance.logProbs, logProbTolerance) } } };
}
