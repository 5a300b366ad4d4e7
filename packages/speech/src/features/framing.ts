import { type FrameSettings, hopSamples, windowSamples } from './settings.ts';

/** How many frames a clip of so many samples has; 0 when it is shorter than a window. */
export function countFrames(samples: number, settings: FrameSettings): number {
  const [window, hop] = [windowSamples(settings), hopSamples(settings)];
  if (samples < window) return 0;
  if (settings.framing === 'snip-edges') return 1 + Math.floor((samples - window) / hop);
  if (settings.framing === 'mirror-edges') return Math.floor((samples + Math.floor(hop / 2)) / hop);
  return 1 + Math.floor(samples / hop);
}

/** Where the first window begins, in samples; the k-th begins k hops later. */
export function firstStart(settings: FrameSettings): number {
  const [window, hop] = [windowSamples(settings), hopSamples(settings)];
  if (settings.framing === 'snip-edges') return 0;
  if (settings.framing === 'mirror-edges') return Math.floor(hop / 2) - Math.floor(window / 2);
  // A window shorter than the transform sits in its middle.
  return Math.floor((settings.fftSize - window) / 2) - settings.fftSize / 2;
}

/**
 * Which sample stands at a place outside of the clip, −1 for a zero. A window reaches out by at most half its length, and a clip is
 * at least a window long, so one reflection is enough.
 */
export function outsideIndex(index: number, samples: number, framing: FrameSettings['framing']): number {
  if (framing === 'center-zeros') return -1;
  const edge = framing === 'center-reflect' ? 0 : 1;
  return index < 0 ? -index - edge : 2 * (samples - 1) - index + edge;
}
