import { CoppiceError, type ErrorCode } from '@coppice/graph';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Audio } from '../audio.ts';
import type { Features, FeatureSettings } from '../features/index.ts';

/** What a worker is asked. */
export type AudioJob =
  | { readonly kind: 'decode'; readonly bytes: Uint8Array; readonly where: string }
  | { readonly kind: 'features'; readonly audio: Audio; readonly settings: FeatureSettings; readonly where: string };

/** What it answers. */
export type AudioAnswer = { readonly result: Audio | Features } | { readonly error: { readonly code?: ErrorCode; readonly message: string } };

/** Threads that decode recordings and compute features beside the calling one, with the same numbers. */
export interface AudioPool {
  readonly threads: number;
  /** @throws CoppiceError as `decodeAudio`; `COPPICE_AUDIO_INVALID` also where decoding takes too long or too much memory */
  decode(bytes: Uint8Array, where: string): Promise<Audio>;
  /** @throws CoppiceError as `computeFeatures` */
  features(audio: Audio, settings: FeatureSettings, where: string): Promise<Features>;
  /** Ends the threads. Jobs that are open fail. */
  close(): Promise<void>;
}

export interface AudioPoolOptions {
  /** Default: as many as the machine runs side by side, up to 8. */
  readonly threads?: number;
  /** After so long a job fails and its thread is ended. Default 60 s; a second of speech takes milliseconds. */
  readonly timeLimitMs?: number;
}

interface Waiting {
  readonly job: AudioJob;
  readonly resolve: (result: Audio | Features) => void;
  readonly reject: (error: unknown) => void;
}

interface Seat {
  worker?: Worker;
  open?: Waiting;
  timer?: NodeJS.Timeout;
}

const mostHeapMb = 512;
const givenUp = 'was not decoded: the threads were ended before its turn';

/** Threads start with the first job and do not keep the process alive when there is none. */
export function createAudioPool({ threads = Math.min(8, availableParallelism()), timeLimitMs = 60_000 }: AudioPoolOptions = {}): AudioPool {
  const seats: Seat[] = Array.from({ length: threads }, () => ({}));
  const queue: Waiting[] = [];

  function next(seat: Seat): void {
    const waiting = queue.shift();
    if (waiting === undefined) return;
    const worker = (seat.worker ??= start(seat));
    seat.open = waiting;
    seat.timer = setTimeout(() => lose(seat, `took longer than ${timeLimitMs / 1000} s`), timeLimitMs);
    const { job } = waiting;
    // The bytes of a file are nobody else's; samples may be kept by a corpus, and are copied.
    worker.postMessage(job, job.kind === 'decode' && job.bytes.buffer instanceof ArrayBuffer && job.bytes.byteLength === job.bytes.buffer.byteLength ? [job.bytes.buffer] : []);
  }

  function start(seat: Seat): Worker {
    const worker = new Worker(new URL(import.meta.url.endsWith('.ts') ? './audio-worker.ts' : './audio-worker.js', import.meta.url), { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: mostHeapMb } });
    worker.on('message', (answer: AudioAnswer) => {
      const open = settle(seat);
      if ('result' in answer) open?.resolve(answer.result);
      else open?.reject(answer.error.code === undefined ? new Error(answer.error.message) : new CoppiceError(answer.error.code, answer.error.message));
      next(seat);
    });
    worker.on('error', (error) => {
      if (seat.worker === worker) lose(seat, `stopped its decoder (${error.message})`);
    });
    // After the listeners, which take the thread back into the event loop. A pending job has a timer, and that keeps the process alive.
    worker.unref();
    return worker;
  }

  function settle(seat: Seat): Waiting | undefined {
    const { open } = seat;
    clearTimeout(seat.timer);
    seat.open = undefined;
    return open;
  }

  /** Ends a thread and fails its job; the next job starts another. */
  function lose(seat: Seat, what: string): void {
    const open = settle(seat);
    void seat.worker?.terminate();
    seat.worker = undefined;
    if (open !== undefined) fail(open, what);
    next(seat);
  }

  const fail = ({ job, reject }: Waiting, what: string): void => reject(new CoppiceError('COPPICE_AUDIO_INVALID', `${job.where} ${what}. Convert it anew, or leave it out.`));

  const ask = (job: AudioJob): Promise<Audio | Features> => new Promise((resolve, reject) => {
    queue.push({ job, resolve, reject });
    const free = seats.find(({ open }) => open === undefined);
    if (free !== undefined) next(free);
  });

  return {
    threads,
    decode: (bytes, where) => ask({ kind: 'decode', bytes, where }) as Promise<Audio>,
    features: (audio, settings, where) => ask({ kind: 'features', audio, settings, where }) as Promise<Features>,
    async close() {
      const workers = seats.map(({ worker }) => worker);
      for (const waiting of queue.splice(0)) fail(waiting, givenUp);
      for (const seat of seats) lose(seat, givenUp);
      await Promise.all(workers.map((worker) => worker?.terminate()));
    },
  };
}

let shared: AudioPool | undefined;

/** The pool that all corpora of a process share. */
export const sharedAudioPool = (): AudioPool => (shared ??= createAudioPool());
