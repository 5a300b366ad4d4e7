/**
 * A WAV file of µ-law, one channel, 8 bits a sample (ITU-T G.711; RIFF format tag 7). Half the size of PCM, with a noise some 38 dB
 * below the sound at every level.
 * @param samples [time], in [−1, 1]; what lies outside is clipped
 */
export function encodeMuLaw(samples: Float32Array, sampleRateHz: number): Uint8Array {
  const padded = samples.length + (samples.length % 2);
  const bytes = new Uint8Array(58 + padded);
  const view = new DataView(bytes.buffer);
  const text = (at: number, letters: string): void => bytes.set(new TextEncoder().encode(letters), at);
  text(0, 'RIFF');
  view.setUint32(4, 50 + padded, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 18, true);
  view.setUint16(20, 7, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, sampleRateHz, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  text(38, 'fact');
  view.setUint32(42, 4, true);
  view.setUint32(46, samples.length, true);
  text(50, 'data');
  view.setUint32(54, samples.length, true);
  for (let t = 0; t < samples.length; t++) bytes[58 + t] = toMuLaw(Math.round(samples[t] * 32768));
  return bytes;
}

/** One byte: sign, the octave of the biased magnitude, four bits within it; all inverted. */
function toMuLaw(value: number): number {
  const biased = Math.min(Math.abs(value), 32635) + 132;
  const octave = 31 - Math.clz32(biased) - 7;
  return ~((value < 0 ? 0x80 : 0) | (octave << 4) | ((biased >> (octave + 3)) & 0xf)) & 0xff;
}
