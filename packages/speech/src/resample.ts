import * as imported from '@alexanderolsen/libsamplerate-js';
import { CoppiceError } from '@coppice/graph';
import type { Audio } from './audio.ts';

/** The package is CommonJS: Node gives all of it as the default export, bundlers may give its names. */
const { ConverterType, create } = imported.default ?? imported;

type Resampler = Awaited<ReturnType<typeof create>>;

/**
 * The same sound at another sample rate: samples times `sampleRateHz` over the old rate, rounded. It is band-limited interpolation
 * (Smith & Gossett 1984) by libsamplerate, medium quality: aliases are about 120 dB down, the pass band is 90 % of the lower rate's half.
 * The WebAssembly lies in the package's own file, so nothing is fetched.
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` for a rate that is not a whole number from 1 to 192000, or a ratio above 256
 */
export async function resampleAudio(audio: Audio, sampleRateHz: number): Promise<Audio> {
  const { samples, sampleRateHz: from } = audio;
  if (from === sampleRateHz) return audio;
  for (const rate of [from, sampleRateHz]) {
    if (!Number.isInteger(rate) || rate < 1 || rate > 192_000) throw new CoppiceError('COPPICE_AUDIO_INVALID', `Sound cannot be resampled from ${from} to ${sampleRateHz} samples a second: each must be a whole number from 1 to 192000.`);
  }
  const ratio = sampleRateHz / from;
  if (ratio > 256 || ratio < 1 / 256) throw new CoppiceError('COPPICE_AUDIO_INVALID', `Sound cannot be resampled from ${from} to ${sampleRateHz} samples a second: the ratio is above 256.`);
  const output = new Float32Array(Math.round(samples.length * ratio));
  if (output.length === 0) return { samples: output, sampleRateHz };
  const resampler = await resamplerOf(from, sampleRateHz);
  // Setting a rate empties the filter. From here to the end nothing waits, so no other sound gets in between.
  resampler.outputSampleRate = sampleRateHz;
  resample(resampler, samples, ratio, output);
  return { samples: output, sampleRateHz };
}

/** Those of the last calls, the latest last. */
const made = new Map<string, Promise<Resampler>>();
const MOST_MADE = 4;

/** To make one takes three times as long as to resample a second, and a corpus often has a few rates in turns. */
function resamplerOf(from: number, to: number): Promise<Resampler> {
  const rates = `${from} ${to}`;
  const resampler = made.get(rates) ?? create(1, from, to, { converterType: ConverterType.SRC_SINC_MEDIUM_QUALITY });
  made.delete(rates);
  made.set(rates, resampler);
  if (made.size > MOST_MADE) made.delete(made.keys().next().value!);
  return resampler;
}

/** Values of one call: its buffers hold a million, in and out. */
const chunk = 1 << 18;

/** In pieces, because the library drops the end of long sound; zeros after the end push the last samples out of the filter. */
function resample(resampler: Resampler, samples: Float32Array, ratio: number, output: Float32Array): void {
  const inputChunk = Math.max(1, Math.floor(chunk / Math.max(1, ratio)));
  const tail = Math.ceil(1024 * Math.max(1, 1 / ratio));
  const padded = new Float32Array(samples.length + tail);
  padded.set(samples);
  let done = 0;
  for (let at = 0; at < padded.length && done < output.length; at += inputChunk) {
    const piece = resampler.full(padded.subarray(at, at + inputChunk));
    output.set(piece.subarray(0, output.length - done), done);
    done += Math.min(piece.length, output.length - done);
  }
}
