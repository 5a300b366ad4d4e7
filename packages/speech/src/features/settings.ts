import { CoppiceError } from '@coppice/graph';

/** How sound becomes windows, and windows become spectra. Plain data: the JSON form is the same object. */
export interface FrameSettings {
  readonly sampleRateHz: number;
  /** Length of a window; in samples rounded down, as Kaldi does. */
  readonly windowMs: number;
  /** From the start of one window to the start of the next; in samples rounded down. */
  readonly hopMs: number;
  /** Length of the discrete Fourier transform in samples, at least the window's; windows are filled up with zeros. */
  readonly fftSize: number;
  /** `povey` is Kaldi's: the Hann window to the power 0.85. */
  readonly window: 'hann' | 'hamming' | 'povey' | 'rectangular';
  /** `periodic` divides the circle by the window's length (librosa's default), `symmetric` by one less (Kaldi's). */
  readonly windowForm: 'periodic' | 'symmetric';
  /**
   * Where windows lie, for a hop of H samples and a transform of N.
   * - `snip-edges`: wholly inside the clip, the k-th from k·H on (Kaldi's default)
   * - `mirror-edges`: the k-th centred at (k + ½)·H, ends mirrored, the last sample repeated (Kaldi's `snip_edges=false`)
   * - `center-zeros`, `center-reflect`: the k-th centred at k·H, N/2 zeros or mirrored samples (the last not repeated) at both
   *   ends (librosa's and PyTorch's `center=True` with `pad_mode` constant or reflect)
   */
  readonly framing: 'snip-edges' | 'mirror-edges' | 'center-zeros' | 'center-reflect';
  /** Samples in [−1, 1] are multiplied by this first: 1, or 32768 where a model was trained on whole numbers, as with Kaldi. */
  readonly scale: number;
  /** Standard deviation of the normal noise added to each sample of each window, after scaling. 0: none. */
  readonly dither: number;
  /** Of the dither. */
  readonly seed: number | string;
  /** Whether the mean of each window is taken off it. */
  readonly removeMean: boolean;
  /** x[n] − p·x[n−1]. 0: none. */
  readonly preemphasis: number;
  /** Over the whole `clip` its first sample stays; in each `frame` the first sample is its own predecessor, as with Kaldi. */
  readonly preemphasisOver: 'clip' | 'frame';
  /** |X| or |X|². */
  readonly spectrum: 'power' | 'magnitude';
}

/** How spectra become logarithms of mel energies. */
export interface MelSettings {
  /** Number of triangular filters. */
  readonly mels: number;
  /** Lower edge of the first triangle. */
  readonly lowHz: number;
  /** Upper edge of the last triangle, at most half the sample rate. */
  readonly highHz: number;
  /** `htk`: 2595·log10(1 + f/700). `slaney`: linear below 1 kHz, logarithmic above (Slaney 1998, Auditory Toolbox). */
  readonly melScale: 'htk' | 'slaney';
  /** Along which axis the sides of the triangles are straight: `hz` as in librosa, `mel` as in Kaldi and HTK. */
  readonly triangles: 'hz' | 'mel';
  /** `slaney` divides each triangle by half its width in Hz, so that all have the same area. */
  readonly area: 'none' | 'slaney';
  /** `db` is 10·log10 of a power, 20·log10 of a magnitude. */
  readonly log: 'ln' | 'log10' | 'db';
  /** Keeps the logarithm finite. */
  readonly floor: number;
  /** log(max(x, floor)), or log(x + floor). */
  readonly floorBy: 'max' | 'add';
  /** What lies further than this below the clip's largest value is lifted to there, in units of the logarithm (librosa's `top_db`). */
  readonly dynamicRange?: number;
}

/** How MFCCs come from the logarithms of mel energies: the type-II cosine transform of them. */
export interface CepstrumSettings {
  /** The first so many, the 0th among them. */
  readonly coefficients: number;
  /** `ortho`: orthonormal. `none`: 2·Σ x·cos, as scipy has it. */
  readonly dct: 'ortho' | 'none';
  /** Coefficient k is multiplied by 1 + Q/2·sin(π·(k + lifterFrom)/Q) for this Q. 0: none. */
  readonly lifter: number;
  /** 0 as in HTK and Kaldi, 1 as in librosa. */
  readonly lifterFrom: 0 | 1;
}

/** What happens to the features of a clip in the end. */
export type Normalisation =
  | { readonly type: 'none' }
  /** Each feature less its mean over the clip, over its standard deviation + ε. `sample` divides by frames − 1. */
  | { readonly type: 'utterance'; readonly deviation: 'population' | 'sample' | 'none'; readonly epsilon: number }
  /** (x − mean) / deviation, one number for each feature or one for all. */
  | { readonly type: 'global'; readonly mean: readonly number[]; readonly deviation: readonly number[] };

/** Everything that decides what features a clip has; `type` names the family, the rest is stated in full. */
export type FeatureSettings = FrameSettings & MelSettings & { readonly normalisation: Normalisation } & (
  /** Triangles straight in Hz: Davis & Mermelstein 1980 without the cosines, as librosa, Whisper and NeMo have it. */
  | { readonly type: 'log-mel'; readonly triangles: 'hz' }
  /** Triangles straight in mel: Kaldi's filter banks. */
  | { readonly type: 'fbank'; readonly triangles: 'mel' }
  | ({ readonly type: 'mfcc' } & CepstrumSettings)
);

/** Samples of a window. */
export const windowSamples = ({ sampleRateHz, windowMs }: FrameSettings): number => wholeSamples(sampleRateHz, windowMs);

/** Samples from one window to the next. */
export const hopSamples = ({ sampleRateHz, hopMs }: FrameSettings): number => wholeSamples(sampleRateHz, hopMs);

// A hair more, so that 25.1 ms at 10 kHz are 251 samples whatever the product's last bit.
const wholeSamples = (sampleRateHz: number, ms: number): number => Math.floor((sampleRateHz * ms) / 1000 + 1e-6);

/** Features of one frame. */
export const featureWidth = (settings: FeatureSettings): number => (settings.type === 'mfcc' ? settings.coefficients : settings.mels);

/**
 * Nothing, if the settings make sense together.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` naming the setting
 */
export function checkFeatureSettings(settings: FeatureSettings): void {
  const fault = settingsFault(settings);
  if (fault !== undefined) throw new CoppiceError('COPPICE_CONFIG_INVALID', `The feature settings make no sense: ${fault.setting} ${fault.rule}.`);
}

/** The first setting that breaks a rule, and the rule. */
export function settingsFault(settings: FeatureSettings): { setting: string; rule: string } | undefined {
  const { sampleRateHz, fftSize, mels, lowHz, highHz, floor, scale, dither, dynamicRange, normalisation, preemphasis } = settings;
  const whole = (value: number): boolean => Number.isInteger(value) && value >= 1;
  const window = windowSamples(settings);
  const width = featureWidth(settings);
  const rules: [setting: string, kept: boolean, rule: string][] = [
    ['sampleRateHz', whole(sampleRateHz), `is ${sampleRateHz}, and must be a whole number from 1`],
    ['windowMs', window >= 2, `is ${settings.windowMs}, which is fewer than two samples`],
    ['hopMs', hopSamples(settings) >= 1, `is ${settings.hopMs}, which is less than a sample`],
    ['fftSize', whole(fftSize) && fftSize <= 1 << 20 && fftSize >= window, `is ${fftSize}, and must be a whole number from the ${window} samples of a window to 2^20`],
    ['fftSize', fftSize % 2 === 0, `is ${fftSize}, and must be even`],
    ['mels', whole(mels) && mels <= 4096, `is ${mels}, and must be a whole number from 1 to 4096`],
    ['lowHz', lowHz >= 0 && lowHz < highHz, `is ${lowHz}, and must be from 0 to below highHz, ${highHz}`],
    ['highHz', highHz <= sampleRateHz / 2, `is ${highHz}, above half the sample rate of ${sampleRateHz} Hz`],
    ['floor', Number.isFinite(floor) && floor > 0, `is ${floor}, and must be above 0`],
    ['scale', Number.isFinite(scale) && scale > 0, `is ${scale}, and must be above 0`],
    ['dither', Number.isFinite(dither) && dither >= 0, `is ${dither}, and must be from 0`],
    ['preemphasis', preemphasis >= 0 && preemphasis <= 1, `is ${preemphasis}, and must be from 0 to 1`],
    ['dynamicRange', dynamicRange === undefined || dynamicRange > 0, `is ${dynamicRange}, and must be above 0`],
    ['triangles', settings.type === 'mfcc' || settings.triangles === (settings.type === 'fbank' ? 'mel' : 'hz'), `is ${settings.triangles}, which a ${settings.type} cannot have`],
  ];
  if (settings.type === 'mfcc') {
    rules.push(['coefficients', whole(width) && width <= mels, `is ${width}, and must be a whole number from 1 to the ${mels} mels`]);
    rules.push(['lifter', Number.isFinite(settings.lifter) && settings.lifter >= 0, `is ${settings.lifter}, and must be from 0`]);
  }
  if (normalisation.type === 'utterance') rules.push(['normalisation.epsilon', normalisation.epsilon >= 0, `is ${normalisation.epsilon}, and must be from 0`]);
  if (normalisation.type === 'global') {
    for (const name of ['mean', 'deviation'] as const) {
      const values = normalisation[name];
      rules.push([`normalisation.${name}`, values.length === 1 || values.length === width, `has ${values.length} numbers for ${width} features; give one, or one for each`]);
      rules.push([`normalisation.${name}`, values.every((value) => Number.isFinite(value) && (name === 'mean' || value > 0)), name === 'mean' ? 'has a number that is not finite' : 'has a number that is not above 0']);
    }
  }
  const broken = rules.find(([, kept]) => !kept);
  return broken && { setting: broken[0], rule: broken[2] };
}
