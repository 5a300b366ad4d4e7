import type { Audio } from './audio.ts';

/** The bytes of a WAV file: 16-bit PCM, one channel. What is beyond ±1 is clipped. */
export function encodeWav({ samples, sampleRateHz }: Audio): Uint8Array {
  const bytes = new Uint8Array(44 + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const write = (at: number, text: string): void => bytes.set([...text].map((letter) => letter.charCodeAt(0)), at);
  write(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  write(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, 2 * sampleRateHz, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  for (let k = 0; k < samples.length; k++) view.setInt16(44 + 2 * k, Math.round(Math.max(-1, Math.min(1, samples[k])) * 32767), true);
  return bytes;
}
