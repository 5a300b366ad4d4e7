import type { FrameSettings, MelSettings } from './settings.ts';

/** A filter that is 0 outside of bins `first`…`first + weights.length − 1`. */
export interface MelFilter {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Hz → mel and back. */
export const melScales = {
  /** O'Shaughnessy 1987, as HTK has it. */
  htk: { toMel: (hz: number): number => 2595 * Math.log10(1 + hz / 700), toHz: (mel: number): number => 700 * (10 ** (mel / 2595) - 1) },
  /** Slaney 1998: 200/3 Hz a mel below 1 kHz; above, 27 mels for each factor 6.4. */
  slaney: {
    toMel: (hz: number): number => (hz < 1000 ? (hz * 3) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4)),
    toHz: (mel: number): number => (mel < 15 ? (mel * 200) / 3 : 1000 * 6.4 ** ((mel - 15) / 27)),
  },
} as const;

/**
 * Triangles that overlap by half, their corners at equal distances in mel from `lowHz` to `highHz` (Davis & Mermelstein 1980).
 * A triangle between two bins of the transform is empty.
 */
export function melFilters({ mels, lowHz, highHz, melScale, triangles, area, sampleRateHz, fftSize }: MelSettings & Pick<FrameSettings, 'sampleRateHz' | 'fftSize'>): MelFilter[] {
  const { toMel, toHz } = melScales[melScale];
  const [low, high] = [toMel(lowHz), toMel(highHz)];
  const corners = Array.from({ length: mels + 2 }, (_, k) => low + ((high - low) * k) / (mels + 1));
  const place = triangles === 'mel' ? toMel : (hz: number): number => hz;
  const places = Array.from({ length: fftSize / 2 + 1 }, (_, bin) => place((bin * sampleRateHz) / fftSize));
  const edges = triangles === 'mel' ? corners : corners.map(toHz);
  return Array.from({ length: mels }, (_, k) => {
    const [left, centre, right] = edges.slice(k, k + 3);
    const height = area === 'slaney' ? 2 / (toHz(corners[k + 2]) - toHz(corners[k])) : 1;
    const first = places.findIndex((bin) => bin > left);
    const end = places.findIndex((bin) => bin >= right);
    const inside = first < 0 ? [] : places.slice(first, end < 0 ? undefined : end);
    return { first: Math.max(0, first), weights: Float64Array.from(inside, (bin) => height * Math.min((bin - left) / (centre - left), (right - bin) / (right - centre))) };
  });
}
