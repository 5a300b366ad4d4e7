import type { Audio } from '../audio.ts';

/** Half a second of a tone that no other number has. */
export const clip = (number: number): Audio => ({ sampleRateHz: 8000, samples: Float32Array.from({ length: 4000 }, (_, t) => Math.sin(t * (0.1 + 0.01 * (number % 50)) + Math.floor(number / 50)) / 2) });
