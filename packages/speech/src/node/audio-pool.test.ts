import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createRandom } from '@coppice/core';
import { afterAll, describe, expect, it } from 'vitest';
import { computeFeatures, defaultFeatures } from '../features/index.ts';
import { writeFlac } from '../testing/flac-writer.ts';
import { writeSphere } from '../testing/sphere-writer.ts';
import { createAudioPool } from './audio-pool.ts';
import { decodeAudio } from './decode-audio.ts';

const pool = createAudioPool({ threads: 2 });
afterAll(() => pool.close());

/** Files of all kinds and lengths, broken ones among them, the same for the same number. */
function fileOf(number: number): Uint8Array {
  const random = createRandom(`recording ${number}`);
  const samples = Array.from({ length: 700 + 64 * number }, () => Math.round(6000 * random.normal()));
  const bytes = number % 2 === 0 ? writeFlac(samples, { blockSize: 576 }) : writeSphere(samples);
  return number % 5 === 4 ? bytes.slice(0, bytes.length - 300) : bytes;
}

const told = (error: unknown): unknown => ({ code: (error as { code?: string }).code, message: (error as Error).message });

describe('a pool of threads for recordings', () => {
  it('gives what the calling thread gives, job by job, faults included', async () => {
    const numbers = Array.from({ length: 40 }, (_, k) => k);
    const [beside, here] = await Promise.all([
      Promise.all(numbers.map((number) => pool.decode(fileOf(number), `${number}.flac`).catch(told))),
      Promise.all(numbers.map((number) => decodeAudio(fileOf(number), `${number}.flac`).catch(told))),
    ]);
    expect(beside).toEqual(here);
    expect(here.filter((result) => 'code' in (result as object))).toHaveLength(8);
  });

  it('computes the same features, and leaves the samples to who has them', async () => {
    const audio = await decodeAudio(fileOf(30), 'a.flac');
    const samples = audio.samples.slice();
    expect(await pool.features(audio, defaultFeatures(), 'a.flac')).toEqual(computeFeatures(audio, defaultFeatures(), 'a.flac'));
    expect(audio.samples).toEqual(samples);
    await expect(pool.features({ samples: new Float32Array(10), sampleRateHz: 16_000 }, defaultFeatures(), 'short.wav')).rejects.toMatchObject({ code: 'COPPICE_AUDIO_INVALID' });
  });

  it('fails a job that takes too long, and does the next ones', async () => {
    const hasty = createAudioPool({ threads: 1, timeLimitMs: 1 });
    const jobs = await Promise.allSettled([0, 2].map((number) => hasty.decode(fileOf(number), `${number}.flac`)));
    expect(jobs.map((job) => job.status === 'rejected' && (job.reason as Error).message)).toEqual([0, 2].map((number) => `${number}.flac took longer than 0.001 s. Convert it anew, or leave it out.`));
    await hasty.close();
  });

  it('fails what is open when it is closed', async () => {
    const closing = createAudioPool({ threads: 1 });
    const jobs = [0, 2, 6].map((number) => closing.decode(fileOf(number), 'x.flac').then(() => 'done', () => 'failed'));
    await closing.close();
    expect(await Promise.all(jobs)).toEqual(['failed', 'failed', 'failed']);
  });

  it('does not keep a process alive that has nothing more to do', async () => {
    const script = `import { createAudioPool } from ${JSON.stringify(new URL('./audio-pool.ts', import.meta.url).href)};
      await createAudioPool({ threads: 2 }).decode(new Uint8Array(9), 'x').catch((error) => console.log(error.code));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
    expect(stdout.trim()).toBe('COPPICE_AUDIO_INVALID');
  });
});
