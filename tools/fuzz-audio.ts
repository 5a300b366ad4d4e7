/**
 * Feeds changed FLAC, WAV and SPHERE files to the decoders. Each must give sound or a refusal, within the time limit; a worker that hangs or dies is told of and replaced.
 * Usage: node tools/fuzz-audio.ts [count of each format, default 10000] [first number, default 0]; ends with 1 if anything is wrong.
 */
import { Worker } from 'node:worker_threads';
import type { FuzzOutcome } from './fuzz-audio-files.ts';
import { fuzzedFormats, type FuzzedFormat } from './fuzz-audio-files.ts';

/** Longest time for one file of a few kilobytes. */
const limitMs = 10_000;

/** What the worker says after each file. */
interface Said {
  readonly number: number;
  readonly outcome: FuzzOutcome;
  readonly message: string;
  readonly ms: number;
}

interface Tally {
  decoded: number;
  refused: number;
  slowestMs: number;
  readonly faults: string[];
}

/** Files from `from` to before `to`, in a worker of their own; gives the number of the file that it did not come back from. */
function runWorker(format: FuzzedFormat, from: number, to: number, tally: Tally): Promise<number | undefined> {
  const worker = new Worker(new URL('./fuzz-audio-worker.ts', import.meta.url), { workerData: { format, from, to }, stderr: true, resourceLimits: { maxOldGenerationSizeMb: 512 } });
  return new Promise((resolve) => {
    let at = from;
    const give = (why: string): void => {
      tally.faults.push(`${format} ${at}: ${why}`);
      void worker.terminate();
      resolve(at);
    };
    let watch = setTimeout(give, limitMs, 'hangs');
    worker.on('message', ({ number, outcome, message, ms }: Said) => {
      clearTimeout(watch);
      watch = setTimeout(give, limitMs, 'hangs');
      at = number + 1;
      if (outcome === 'wrong') tally.faults.push(`${format} ${number}: ${message}`);
      else tally[outcome]++;
      tally.slowestMs = Math.max(tally.slowestMs, ms);
    });
    worker.on('error', (error) => {
      clearTimeout(watch);
      give(`ends the process: ${error instanceof Error ? error.message : String(error)}`);
    });
    worker.on('exit', () => {
      clearTimeout(watch);
      resolve(at < to ? at : undefined);
    });
  });
}

const [count, first] = [Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 0)];
let wrong = 0;
for (const format of fuzzedFormats) {
  const tally: Tally = { decoded: 0, refused: 0, slowestMs: 0, faults: [] };
  for (let from: number | undefined = first; from !== undefined && from < first + count;) {
    const stopped = await runWorker(format, from, first + count, tally);
    from = stopped === undefined ? undefined : stopped + 1;
  }
  wrong += tally.faults.length;
  console.log(`${format}: ${count} files, ${tally.decoded} decoded, ${tally.refused} refused, ${tally.faults.length} wrong, slowest ${tally.slowestMs.toFixed(0)} ms`);
  for (const fault of tally.faults.slice(0, 20)) console.log(`  ${fault}`);
}
console.log(`memory at the end: ${Math.round(process.memoryUsage.rss() / 1e6)} MB`);
process.exitCode = wrong === 0 ? 0 : 1;
