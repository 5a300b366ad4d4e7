/** A WAV file of 16-bit PCM, written by hand. `samples` are whole numbers, of several channels one after the other. */
export function writeWav(samples: readonly number[], { sampleRateHz = 16_000, channels = 1 }: { readonly sampleRateHz?: number; readonly channels?: number } = {}): Buffer {
  const bytes = Buffer.alloc(44 + 2 * samples.length);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + 2 * samples.length, 4);
  bytes.write('WAVEfmt ', 8);
  for (const [value, at] of [[16, 16], [sampleRateHz, 24], [2 * channels * sampleRateHz, 28], [2 * samples.length, 40]]) bytes.writeUInt32LE(value, at);
  for (const [value, at] of [[1, 20], [channels, 22], [2 * channels, 32], [16, 34]]) bytes.writeUInt16LE(value, at);
  bytes.write('data', 36);
  for (const [t, value] of samples.entries()) bytes.writeInt16LE(value, 44 + 2 * t);
  return bytes;
}

/** So many samples of 16 bits that are different for each name. */
export const samplesNamed = (name: string, length = 160): number[] => {
  const seed = [...name].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) % 9973, 7);
  return Array.from({ length }, (_, t) => ((t * 37 + seed * 101) % 20_001) - 10_000);
};
