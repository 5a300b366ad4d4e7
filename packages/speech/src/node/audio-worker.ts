import { CoppiceError } from '@coppice/graph';
import { parentPort } from 'node:worker_threads';
import { computeFeatures } from '../features/index.ts';
import type { AudioAnswer, AudioJob } from './audio-pool.ts';
import { decodeAudio } from './decode-audio.ts';

parentPort!.on('message', async (job: AudioJob) => {
  try {
    const result = job.kind === 'decode' ? await decodeAudio(job.bytes, job.where) : computeFeatures(job.audio, job.settings, job.where);
    const numbers = 'samples' in result ? result.samples : result.data;
    parentPort!.postMessage({ result } satisfies AudioAnswer, [numbers.buffer as ArrayBuffer]);
  } catch (error) {
    const code = error instanceof CoppiceError ? error.code : undefined;
    parentPort!.postMessage({ error: { code, message: (error as Error).message } } satisfies AudioAnswer, []);
  }
});
