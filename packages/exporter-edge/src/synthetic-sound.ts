import { createRandom } from '@coppice/core';
import type { Audio } from '@coppice/speech';

/**
 * Sound that has something of speech, where there is no recording: syllables of a gliding voice with three resonances, hiss, and
 * pauses. The same seed gives the same sound. Nobody says anything in it; it proves that the numbers are the same, not that words are.
 */
export function syntheticSound(seed: number | string, sampleRateHz: number, seconds = 1.5): Audio {
  const random = createRandom(`synthetic sound/${seed}`);
  const samples = new Float32Array(Math.round(seconds * sampleRateHz));
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  let at = Math.round(0.1 * sampleRateHz);
  while (at < samples.length) {
    const length = Math.round(between(0.12, 0.3) * sampleRateHz);
    const [pitch, glide, voiced] = [between(90, 220), between(-0.3, 0.3), random.uniform() < 0.75];
    const formants = [between(300, 800), between(900, 2200), between(2300, 3400)].filter((hz) => hz < 0.45 * sampleRateHz);
    let phase = 0;
    for (let n = 0; n < length && at + n < samples.length; n++) {
      const envelope = Math.sin((Math.PI * n) / length) ** 2;
      const hz = pitch * (1 + (glide * n) / length);
      phase += (2 * Math.PI * hz) / sampleRateHz;
      let value = 0.02 * random.normal();
      if (voiced) for (let k = 1; k * hz < 0.45 * sampleRateHz; k++) value += (0.25 / k) * formants.reduce((sum, formant) => sum + 1 / (1 + ((k * hz - formant) / 150) ** 2), 0.05) * Math.sin(k * phase);
      else value += 0.15 * random.normal();
      samples[at + n] += envelope * value;
    }
    at += length + Math.round(between(0.03, 0.15) * sampleRateHz);
  }
  return { samples, sampleRateHz };
}
