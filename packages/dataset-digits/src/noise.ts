import type { Random } from '@coppice/core';

/** White: equal power at every frequency. Pink: power falls as 1/f, as in most rooms. */
export type NoiseColour = 'white' | 'pink';

/** Corner frequencies of the pink sum as shares of the sample rate, a factor of 4 apart: at 8 kHz from 10 Hz to 2.6 kHz. */
const corners = [1, 4, 16, 64, 256].map((octaves) => octaves * 0.00125);

/** `length` samples of noise with the expected power 1. Returns [time]. */
export function makeNoise(colour: NoiseColour, length: number, random: Random): Float64Array {
  const noise = new Float64Array(length);
  if (colour === 'white') for (let t = 0; t < length; t++) noise[t] = random.normal();
  else for (const corner of corners) addRelaxation(noise, corner, 1 / Math.sqrt(corners.length), random);
  return noise;
}

/**
 * Adds a first-order process with that corner and that standard deviation. Processes of equal power whose corners are spaced
 * evenly on a logarithmic scale sum to a spectrum of 1/f between the first and the last corner (van der Ziel 1950).
 */
function addRelaxation(noise: Float64Array, corner: number, deviation: number, random: Random): void {
  const keep = Math.exp(-2 * Math.PI * corner);
  const fresh = deviation * Math.sqrt(1 - keep * keep);
  let value = deviation * random.normal();
  for (let t = 0; t < noise.length; t++) {
    noise[t] += value;
    value = keep * value + fresh * random.normal();
  }
}
