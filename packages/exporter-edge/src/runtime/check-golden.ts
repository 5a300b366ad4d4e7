import { decodeWav, type Audio, type LogProbs } from '@coppice/speech';
import type { Finding, Verification } from '../finding.ts';
import type { ArrayEntry, BundleManifest, GoldenClip } from '../manifest.ts';
import type { ReadFile } from './check-files.ts';
import { explainFeatures } from './explain-features.ts';
import { decodeText, type Recipe, type Recognition } from './recognise.ts';

/** What a check needs of the place where it runs. */
export interface GoldenRun {
  readonly manifest: BundleManifest;
  readonly read: ReadFile;
  recognise(audio: Audio): Promise<Recognition>;
}

interface ClipOutcome {
  readonly findings: readonly Finding[];
  readonly features: number;
  readonly logProbs: number;
  readonly seconds: number;
  readonly milliseconds: number;
}

/** Recognises the golden clips again and compares features, log-probabilities and text, in this order: the first that differs is the fault. */
export async function checkGolden({ manifest, read, recognise }: GoldenRun): Promise<Omit<Verification, 'ranOn' | 'notes'>> {
  const outcomes: ClipOutcome[] = [];
  for (const clip of manifest.golden.clips) outcomes.push(await checkClip(clip, { manifest, read, recognise }, outcomes.every(({ findings }) => findings.length === 0)));
  const sum = (of: (outcome: ClipOutcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const most = (of: (outcome: ClipOutcome) => number): number => Math.max(0, ...outcomes.map(of));
  return {
    clips: outcomes.length,
    largest: { features: most(({ features }) => features), logProbs: most(({ logProbs }) => logProbs) },
    realTimeFactor: sum(({ milliseconds }) => milliseconds) / 1000 / sum(({ seconds }) => seconds),
    findings: [...alphabetFault(manifest), ...outcomes.flatMap(({ findings }) => findings)],
  };
}

/** @param isFirst of the clips at fault: what explains one explains the others */
async function checkClip(clip: GoldenClip, { manifest, read, recognise }: GoldenRun, isFirst: boolean): Promise<ClipOutcome> {
  const { tolerance } = manifest.golden;
  const finding = (about: Finding['about'], message: string): Finding => ({ about, where: clip.audio, message });
  const audio = decodeWav(await need(read, clip.audio), clip.audio);
  const [expectedFeatures, expectedLogProbs] = [await readArray(read, clip.features), await readArray(read, clip.logProbs)];
  const heard = await recognise(audio);
  const { features: { frames, width, data }, logProbs } = heard;
  const features = sameSize([frames, width], clip.features) ? largestDifference(data, expectedFeatures) : Infinity;
  const outputs = sameSize([logProbs.frames, logProbs.tokens], clip.logProbs) ? largestDifference(logProbs.data, expectedLogProbs) : Infinity;
  const outcome = { features, logProbs: outputs, seconds: heard.seconds, milliseconds: heard.featuresMs + heard.modelMs };
  if (!(features <= tolerance.features)) {
    const why = isFirst ? explainFeatures(audio, manifest.speech.features, (other) => sameSize([other.frames, other.width], clip.features) && largestDifference(other.data, expectedFeatures) <= tolerance.features, manifest.speech.clip) ?? unexplained : '';
    const what = features === Infinity ? `are [${frames}, ${width}], and [${clip.features.dims.join(', ')}] were expected` : `differ by up to ${shown(features)} (tolerance ${tolerance.features})`;
    return { ...outcome, findings: [finding('features', `The features of ${clip.audio} ${what}. ${why}`.trim())] };
  }
  if (!(outputs <= tolerance.logProbs)) {
    const what = outputs === Infinity ? `are [${logProbs.frames}, ${logProbs.tokens}], and [${clip.logProbs.dims.join(', ')}] were expected` : `differ by up to ${shown(outputs)} (tolerance ${tolerance.logProbs})`;
    const shift = shiftOf(logProbs, expectedLogProbs, tolerance.logProbs);
    const why = shift === undefined ? 'The features are right, so the model is another one than the expected values were computed with, or the runtime computes it wrongly.' : `They agree when the tokens are shifted by ${shift}: the model's classes and the alphabet are not in the same order.`;
    return { ...outcome, findings: [finding('log-probs', `The log-probabilities of ${clip.audio} ${what}. ${why}`)] };
  }
  if (heard.text === clip.text) return { ...outcome, findings: [] };
  return { ...outcome, findings: [finding('text', `The text of ${clip.audio} is '${heard.text}', and '${clip.text}' was expected, although the log-probabilities are right: ${explainText(manifest, (recipe) => decodeText(logProbs, recipe) === clip.text)}`)] };
}

const unexplained = 'No single setting explains it: either several settings of the manifest are wrong, or the golden clip or its expected features were replaced.';

/** Whether every token still stands for what it stood for. */
function alphabetFault(manifest: BundleManifest): Finding[] {
  const expected = manifest.golden.alphabet;
  const said = sayAlphabet(manifest);
  if (said === expected) return [];
  return [{ about: 'text', where: 'manifest.json', message: `The alphabet reads '${shorten(said)}', and '${shorten(expected)}' was exported: ${explainText(manifest, (recipe) => sayAlphabet(recipe) === expected)}` }];
}

/** The text of log-probabilities in which every token but the blank is certain once, in the order of the alphabet. */
export function sayAlphabet(recipe: Recipe): string {
  const { tokens: { length: tokens }, blank } = recipe.speech;
  const frames = 2 * tokens;
  const data = new Float32Array(frames * tokens).fill(-30);
  for (let t = 0; t < frames; t++) data[t * tokens + (t % 2 === 0 ? t / 2 : blank)] = 0;
  return decodeText({ data, frames, tokens }, recipe);
}

/** Which change of the alphabet or the decoder gives the expected text. */
function explainText({ speech, decoder }: Recipe, isExpected: (recipe: Recipe) => boolean): string {
  const said = speech.tokens.filter((_, id) => id !== speech.blank);
  for (const shift of [1, -1, 2, -2]) {
    const ways = [rotate(speech.tokens, shift), withBlank(rotate(said, shift), speech.tokens[speech.blank], speech.blank)];
    if (ways.some((tokens) => isExpected({ speech: { ...speech, tokens }, decoder }))) {
      return `the tokens are shifted by ${Math.abs(shift) === 1 ? 'one' : 'two'}. Export again with the alphabet that the model was trained with.`;
    }
  }
  for (const blank of [0, speech.tokens.length - 1]) if (isExpected({ speech: { ...speech, blank }, decoder })) return `the blank is token ${blank}, and the manifest says ${speech.blank}.`;
  for (const other of [{ type: 'greedy' } as const, ...[4, 8, 16].map((width) => ({ type: 'beam', width }) as const)]) {
    if (other.type !== decoder.type && isExpected({ speech, decoder: other })) return `the decoder was ${other.type === 'greedy' ? 'greedy' : `a beam of ${other.width}`}, and the manifest says ${decoder.type}.`;
  }
  return 'the alphabet, the blank or the decoder of the manifest is another one than at the export.';
}

const rotate = <T>(list: readonly T[], by: number): T[] => list.map((_, k) => list[(k + by + list.length) % list.length]);
const withBlank = (said: readonly string[], blank: string, at: number): string[] => [...said.slice(0, at), blank, ...said.slice(at)];

/** By how many tokens the classes of the output are rotated, if that is all. */
function shiftOf({ data, frames, tokens }: LogProbs, expected: Float32Array, tolerance: number): number | undefined {
  if (expected.length !== data.length) return undefined;
  return [1, -1].find((shift) => largestDifference(data.map((_, at) => data[at - (at % tokens) + ((at % tokens) + shift + tokens) % tokens]).slice(0, frames * tokens), expected) <= tolerance);
}

/** Largest |a − b| / max(1, |b|); infinite where one is not a number. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let largest = 0;
  for (let k = 0; k < expected.length; k++) {
    const difference = actual[k] === expected[k] ? 0 : Math.abs(actual[k] - expected[k]) / Math.max(1, Math.abs(expected[k]));
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}

const sameSize = (sizes: readonly number[], { dims }: ArrayEntry): boolean => sizes[0] === dims[0] && sizes[1] === dims[1];
const shown = (value: number): string => (value < 0.01 ? value.toExponential(1) : value.toFixed(2));
const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

async function need(read: ReadFile, path: string): Promise<Uint8Array> {
  const bytes = await read(path);
  if (bytes === undefined) throw new Error(`${path} is missing.`);
  return bytes;
}

/** Little-endian float32, whatever the machine's own order. */
async function readArray(read: ReadFile, { path }: ArrayEntry): Promise<Float32Array> {
  const bytes = await need(read, path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: Math.floor(bytes.byteLength / 4) }, (_, k) => view.getFloat32(4 * k, true));
}
