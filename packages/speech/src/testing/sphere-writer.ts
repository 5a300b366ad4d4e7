/** What a hand-written SPHERE file states. */
export interface SphereFile {
  readonly sampleRateHz?: number;
  readonly channels?: number;
  /** `10` is big-endian, `01` little-endian, for two bytes. */
  readonly order?: string;
  readonly coding?: string;
  /** Bytes of a sample. */
  readonly width?: number;
  /** Number of samples of each channel that the header states; default the true one. */
  readonly stated?: number;
}

/** A NIST SPHERE file as TIMIT has them; `samples` are whole numbers, of several channels one after the other, or codes. */
export function writeSphere(samples: readonly number[], { sampleRateHz = 16_000, channels = 1, order = '01', coding = 'pcm', width = 2, stated = samples.length / channels }: SphereFile = {}): Uint8Array {
  const fields = [`channel_count -i ${channels}`, `sample_count -i ${stated}`, `sample_rate -i ${sampleRateHz}`, `sample_n_bytes -i ${width}`, `sample_byte_format -s${order.length} ${order}`, `sample_sig_bits -i ${8 * width}`, `sample_coding -s${coding.length} ${coding}`];
  const head = `NIST_1A\n   1024\n${fields.join('\n')}\nend_head\n`;
  const bytes = new Uint8Array(1024 + width * samples.length).fill(32, 0, 1024);
  bytes.set(new TextEncoder().encode(head));
  for (const [t, sample] of samples.entries()) {
    for (let k = 0; k < width; k++) bytes[1024 + width * t + (width === 1 ? 0 : Number(order[k]))] = Math.floor(sample / 256 ** k) & 255;
  }
  return bytes;
}
