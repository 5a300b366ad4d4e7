import { createRandom } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { powerSpectrum } from './fft.ts';
import { countFrames, firstStart, outsideIndex } from './framing.ts';
import { melFilters } from './mel.ts';
import { type FeatureSettings, type MelSettings, hopSamples, windowSamples } from './settings.ts';
import { windowValues } from './window.ts';

/** Samples in, logarithms of mel energies out, each frame as soon as its samples are there. Float64 throughout. */
export interface LogMelStream {
  /** The frames that these samples complete, [frame, mel]. The samples are not kept by reference. */
  accept(samples: Float32Array): Float64Array;
  /** The frames that reach beyond the end, [frame, mel]. */
  finish(): Float64Array;
  /** Samples so far. */
  readonly received: number;
}

/** @param settings checked */
export function logMelStream(settings: FeatureSettings): LogMelStream {
  const { framing, fftSize, mels, scale, dither, preemphasis, preemphasisOver, removeMean, seed } = settings;
  const [windowLength, hop, start] = [windowSamples(settings), hopSamples(settings), firstStart(settings)];
  const window = windowValues(settings);
  const toPower = powerSpectrum(fftSize);
  const toLog = logMel(settings);
  const noise = dither > 0 ? createRandom(seed) : undefined;
  const clipEmphasis = preemphasisOver === 'clip' ? preemphasis : 0;
  const frameEmphasis = preemphasisOver === 'frame' ? preemphasis : 0;
  const frame = new Float64Array(fftSize);
  const power = new Float64Array(fftSize / 2 + 1);
  let held: Float32Array = new Float32Array();
  let heldFrom = 0;
  let received = 0;
  let done = 0;

  const sampleAt = (index: number): number => {
    const sample = held[index - heldFrom];
    return clipEmphasis > 0 && index > 0 ? sample - clipEmphasis * held[index - heldFrom - 1] : sample;
  };

  function readFrame(index: number): void {
    const begin = start + index * hop;
    for (let n = 0; n < windowLength; n++) {
      const at = begin + n;
      const inside = at >= 0 && at < received ? at : outsideIndex(at, received, framing);
      frame[n] = inside < 0 ? 0 : scale * sampleAt(inside);
    }
    if (noise) for (let n = 0; n < windowLength; n++) frame[n] += dither * noise.normal();
    if (removeMean) {
      let sum = 0;
      for (let n = 0; n < windowLength; n++) sum += frame[n];
      for (let n = 0; n < windowLength; n++) frame[n] -= sum / windowLength;
    }
    if (frameEmphasis > 0) {
      for (let n = windowLength - 1; n > 0; n--) frame[n] -= frameEmphasis * frame[n - 1];
      frame[0] -= frameEmphasis * frame[0];
    }
    for (let n = 0; n < windowLength; n++) frame[n] *= window[n];
  }

  function framesUpTo(end: number): Float64Array {
    const output = new Float64Array(Math.max(0, end - done) * mels);
    for (let offset = 0; done < end; done++, offset += mels) {
      readFrame(done);
      toPower(frame, power);
      toLog(power, output, offset);
      if (Number.isNaN(output[offset]) || output[offset] === Infinity) {
        throw new CoppiceError('COPPICE_AUDIO_INVALID', `The sound has samples that are not finite numbers, within ${windowLength} samples of sample ${Math.max(0, start + done * hop)}; record or convert it again.`);
      }
    }
    return output;
  }

  return {
    get received() { return received; },
    accept(samples) {
      // A window before the next one is kept: what is mirrored at the end, and the sample that pre-emphasis reads.
      const keepFrom = Math.max(0, Math.min(received, start + done * hop) - windowLength - 2);
      const rest = held.subarray(keepFrom - heldFrom);
      held = rest.length === 0 ? samples : join(rest, samples);
      heldFrom = keepFrom;
      received += samples.length;
      const ready = received < windowLength ? 0 : Math.floor((received - windowLength - start) / hop) + 1;
      const output = framesUpTo(Math.max(done, ready));
      if (held === samples) held = samples.slice(Math.max(0, samples.length - 2 * windowLength - hop));
      heldFrom = received - held.length;
      return output;
    },
    finish: () => framesUpTo(countFrames(received, settings)),
  };
}

function join(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Power spectrum [bin] → logarithms of mel energies, written to `output` from `offset` on. */
function logMel(settings: FeatureSettings): (power: Float64Array, output: Float64Array, offset: number) => void {
  const filters = melFilters(settings);
  const toLog = logarithm(settings, settings.spectrum);
  const magnitudes = settings.spectrum === 'magnitude';
  return (power, output, offset) => {
    if (magnitudes) for (let bin = 0; bin < power.length; bin++) power[bin] = Math.sqrt(power[bin]);
    for (let k = 0; k < filters.length; k++) {
      const { first, weights } = filters[k];
      let energy = 0;
      for (let n = 0; n < weights.length; n++) energy += weights[n] * power[first + n];
      output[offset + k] = toLog(energy);
    }
  };
}

function logarithm({ log, floor, floorBy }: MelSettings, spectrum: 'power' | 'magnitude'): (energy: number) => number {
  const factor = { ln: 1, log10: Math.LOG10E, db: (spectrum === 'power' ? 10 : 20) * Math.LOG10E }[log];
  return floorBy === 'max' ? (energy) => factor * Math.log(Math.max(energy, floor)) : (energy) => factor * Math.log(energy + floor);
}
