/** Decodes a range of changed files and says what became of each; started by fuzz-audio.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { decodeChanged, type FuzzedFormat } from './fuzz-audio-files.ts';

// The FLAC library writes what it refuses to the console.
console.error = () => undefined;
const { format, from, to } = workerData as { readonly format: FuzzedFormat; readonly from: number; readonly to: number };
for (let number = from; number < to; number++) {
  const start = performance.now();
  const { outcome, message } = await decodeChanged(format, number);
  parentPort!.postMessage({ number, outcome, message, ms: performance.now() - start }, []);
}
