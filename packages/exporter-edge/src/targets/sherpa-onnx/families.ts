import { kaldiFbank, melFilters, type FeatureSettings } from '@coppice/speech';

export type FamilyName = 'tdnn' | 'nemo_ctc' | 'fire_red_asr_ctc';

/** A kind of offline CTC model that sherpa-onnx knows: what it computes before the model, feeds to it and reads of its metadata. */
export interface Family {
  readonly name: FamilyName;
  /** In words. */
  readonly features: string;
  /** Key of the model in the configuration of `sherpa-onnx-node`. */
  readonly configKey: 'tdnn' | 'nemoCtc' | 'fireRedAsrCtc';
  /** What sherpa-onnx computes when it is asked for so many bands at this rate; neither can be changed beyond that. */
  computes(sampleRateHz: number, mels: number): FeatureSettings;
  /** Order of the axes of what it feeds. */
  readonly inputAxes: 'batch time feature' | 'batch feature time';
  /** Whether it feeds the number of frames too, [batch]. */
  readonly lengths: boolean;
  /** Whether it reads the number of frames of the output from a second output, [batch]. */
  readonly outputLengths: boolean;
  /** At most so many frames of the output are decoded for so many of features; undefined where all are. */
  readonly decodes: 'all' | 'as many as features';
  /** Entries of the metadata that it wants. */
  metadata(sizes: { readonly tokens: number; readonly mels: number }): Readonly<Record<string, string>>;
}

// Windows of 25 ms every 10 ms, filled up to a power of two; logarithms of at least the smallest float step. kaldi-native-fbank.
const kaldi = (sampleRateHz: number, mels: number): FeatureSettings => kaldiFbank({ sampleRateHz, mels });

/**
 * The families whose features and inputs a recogniser of ours can have, as sherpa-onnx 1.13 defines them. Of the others: wenet_ctc adds
 * noise to each window; zipformer2_ctc and dolphin say 4 frames to one; telespeech_ctc stacks frames; omnilingual takes sound, but at
 * 16 kHz and without its level and mean, which the features of training had.
 */
export const families: readonly Family[] = [
  {
    name: 'tdnn', features: 'Kaldi\'s filter banks up to 400 Hz below half the rate, windows mirrored at the ends', configKey: 'tdnn',
    computes: (sampleRateHz, mels) => ({ ...kaldi(sampleRateHz, mels), framing: 'mirror-edges', highHz: sampleRateHz / 2 - 400 }),
    inputAxes: 'batch time feature', lengths: false, outputLengths: false, decodes: 'all',
    metadata: ({ tokens }) => ({ model_type: 'tdnn', vocab_size: String(tokens) }),
  },
  {
    name: 'nemo_ctc', features: 'NeMo\'s mel energies: Hann windows, Slaney\'s filters of equal area', configKey: 'nemoCtc',
    computes: (sampleRateHz, mels) => ({
      ...kaldi(sampleRateHz, mels), type: 'log-mel', framing: 'mirror-edges', window: 'hann', windowForm: 'periodic', removeMean: false, lowHz: 0, melScale: 'slaney', triangles: 'hz', area: 'slaney',
    }),
    inputAxes: 'batch feature time', lengths: true, outputLengths: false, decodes: 'as many as features',
    metadata: ({ tokens }) => ({ model_type: 'EncDecCTCModel', vocab_size: String(tokens), subsampling_factor: '1', normalize_type: 'NA' }),
  },
  {
    name: 'fire_red_asr_ctc', features: 'Kaldi\'s filter banks with Kaldi\'s defaults, of samples as whole numbers', configKey: 'fireRedAsrCtc',
    computes: (sampleRateHz, mels) => ({ ...kaldi(sampleRateHz, mels), scale: 32768 }),
    inputAxes: 'batch time feature', lengths: true, outputLengths: true, decodes: 'all',
    // Its own normalisation leaves everything as it is: ours is in the graph.
    metadata: ({ mels }) => ({ model_type: 'fire-red-asr-2-ctc', subsampling_factor: '1', cmvn_mean: Array(mels).fill('0').join(','), cmvn_inv_stddev: Array(mels).fill('1').join(',') }),
  },
];

/** Settings that must be the same, because what they do cannot be undone afterwards. The others are nodes in the graph. */
const fixed = ['windowMs', 'hopMs', 'fftSize', 'window', 'windowForm', 'framing', 'dither', 'removeMean', 'preemphasis', 'preemphasisOver', 'spectrum', 'lowHz', 'highHz', 'melScale', 'triangles', 'area', 'floorBy'] as const;

/** What a family computes for a recogniser, and in which settings it differs beyond what a graph can put right, a phrase each. */
function compareWith(family: Family, settings: FeatureSettings): { readonly computed: FeatureSettings; readonly differences: readonly string[] } {
  const computed = family.computes(settings.sampleRateHz, settings.mels);
  const differences = fixed.filter((key) => settings[key] !== computed[key]).map((key) => `${key} is ${String(settings[key])}, there ${String(computed[key])}`);
  const least = computed.floor * (settings.scale / computed.scale) ** 2;
  if (settings.floor < least) differences.push(`floor is ${settings.floor}, there ${least === computed.floor ? least : `${least} (with the scale of ${settings.scale})`}: what lies between is lost`);
  return { computed, differences };
}

/** The family whose features a recogniser has been trained on, or why there is none. */
export function familyFor(settings: FeatureSettings): { readonly family: Family; readonly computed: FeatureSettings } | { readonly refusal: string } {
  const compared = families.map((family) => ({ family, ...compareWith(family, settings) }));
  const nearest = compared.toSorted((a, b) => a.differences.length - b.differences.length)[0];
  if (nearest.differences.length > 0) return { refusal: refusalFor(nearest, settings) };
  const empty = melFilters(nearest.computed).findIndex(({ weights }) => weights.length === 0);
  if (empty >= 0) return { refusal: `Filter ${empty + 1} of ${settings.mels} lies between two bins of the transform, and sherpa-onnx ends the process there. Train with fewer mel bands.` };
  return nearest;
}

function refusalFor({ family, differences }: { readonly family: Family; readonly differences: readonly string[] }, { sampleRateHz, mels }: FeatureSettings): string {
  const recipes = families.map(({ name, features, computes }) => {
    const { type, window, windowForm, framing, scale, removeMean, preemphasis, preemphasisOver, melScale, triangles, area, lowHz, highHz, floor, fftSize } = computes(sampleRateHz, mels);
    return `    ${name} (${features}): ${JSON.stringify({ type, window, windowForm, framing, scale, removeMean, preemphasis, preemphasisOver, fftSize, lowHz, highHz, melScale, triangles, area, floor })}`;
  });
  return `sherpa-onnx computes other features than the model was trained on. Nearest is its family '${family.name}': ${differences.join('; ')}. Train with the features of one of these families (logarithm, cosines and normalisation are free, they go into the graph; \`coppice train --features kaldi\` has those of fire_red_asr_ctc), or export for web or node, which compute the model's own:\n${recipes.join('\n')}`;
}
