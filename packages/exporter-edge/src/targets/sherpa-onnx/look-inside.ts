import { encodeModel, graphOf, type Model } from '@coppice/graph';
import type { SpeechDescription } from '@coppice/speech';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GoldenValues, Looked } from '../../features-in-graph/golden-values.ts';
import { featuresValue } from '../../features-in-graph/surround.ts';
import { configText } from './config-text.ts';
import type { Family } from './families.ts';
import { probeModel, probeSize, probeTokens, readProbe, spread, type Probe } from './probe.ts';
import { runSherpa } from './run-sherpa.ts';

/** How to reach sherpa-onnx, and the model that is looked into. */
export interface LookedInto {
  readonly script: string;
  readonly module: string;
  readonly family: Family;
  readonly model: Model;
  readonly speech: SpeechDescription;
}

/** What was found inside sherpa-onnx for one clip. */
export interface Inside {
  /** Of [time, feature]. */
  readonly features: Looked;
  /** Of [time, token]. */
  readonly logProbs: Looked;
}

/** Questions for each value where a family answers with few elements at once. */
const mostQuestions = 3;

/**
 * The features that reach the model inside sherpa-onnx, and the logarithms of probabilities that leave it: all of them, or as many
 * elements, evenly spread, as a family can be asked for.
 * @returns a sentence where it could not be asked
 */
export async function lookInside(into: LookedInto, { clip, path, features, logProbs }: GoldenValues): Promise<Inside | string> {
  const work = mkdtempSync(join(tmpdir(), 'coppice-sherpa-'));
  const value = featuresValue(into.model);
  if (value === undefined) return 'The model is not as it was exported: the node with the features of training is missing.';
  try {
    const [frames, width] = clip.features.dims;
    const ask = (name: string, expected: Float32Array, range: Pick<Probe, 'low' | 'high'>, place: (at: number) => number): Promise<Looked | string> => askFor(into, { work, path, frames }, name, expected, range, place);
    // The graph has [feature, time] where files have [time, feature].
    const inFeatures = await ask(value, features, around(features, 40), (at) => (at % width) * frames + Math.floor(at / width));
    if (typeof inFeatures === 'string') return inFeatures;
    const inLogProbs = await ask(graphOf(into.model).output[0].name, logProbs, around(logProbs, 5), (at) => at);
    return typeof inLogProbs === 'string' ? inLogProbs : { features: inFeatures, logProbs: inLogProbs };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function askFor({ script, module, family, model, speech }: LookedInto, { work, path, frames }: { readonly work: string; readonly path: string; readonly frames: number }, value: string, expected: Float32Array, range: Pick<Probe, 'low' | 'high'>, place: (at: number) => number): Promise<Looked | string> {
  const atOnce = probeSize(family, frames);
  if (atOnce === 0) return `A clip of ${frames} frames is too short to look into.`;
  const wanted = spread(expected.length, family.decodes === 'all' ? atOnce : mostQuestions * atOnce);
  const values: number[] = [];
  writeFileSync(join(work, 'tokens.txt'), probeTokens);
  writeFileSync(join(work, 'sherpa-onnx.json'), configText(family, speech.features, 'model.onnx'));
  for (let at = 0; at < wanted.length; at += atOnce) {
    const probe: Probe = { value, elements: wanted.slice(at, at + atOnce).map(place), ...range, frames: family.decodes === 'all' ? 0 : frames };
    writeFileSync(join(work, 'model.onnx'), encodeModel(probeModel(model, family, probe)));
    const ran = await runSherpa({ script, module, config: join(work, 'sherpa-onnx.json'), clips: [path] });
    if ('fault' in ran) return `sherpa-onnx could not be asked for the numbers inside: ${ran.fault}.`;
    const said = readProbe(ran.results[0].tokens, probe);
    if (said === undefined) return `sherpa-onnx has another number of frames than the ${frames} that were expected.`;
    values.push(...said);
  }
  return { elements: wanted, values };
}

/** A range that holds the expected values and what other settings would give. */
function around(expected: Float32Array, margin: number): { low: number; high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (const value of expected) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return { low: low - (high - low) - margin, high: high + (high - low) + margin };
}
