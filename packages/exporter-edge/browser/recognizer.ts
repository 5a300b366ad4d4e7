/** Becomes `recognizer.js`: the module for a page of one's own. `recognizer.d.ts` has its types. */
import { recognizerOf, type Recognizer } from '@coppice/exporter-edge/runtime';
import type { Message, Opened, OpenOptions, Progress, Provider, Request, Transcribed, Verification, Which } from './protocol.ts';

export { listen, type Heard, type Listening } from './listen.ts';
export type { Opened, Provider } from './protocol.ts';

export interface BrowserRecognizer extends Recognizer {
  readonly opened: Opened;
}

export interface RecognizerOptions {
  readonly model?: Which;
  readonly threads?: number;
  readonly provider?: Provider;
  readonly onProgress?: (progress: Progress) => void;
  /** Use the worker and the runtime of another recognizer of the page. */
  readonly sharing?: BrowserRecognizer;
}

type Ask = <T>(request: DistributedOmit<Request, 'id'>, transfer?: Transferable[]) => Promise<T>;
type DistributedOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

interface Line {
  readonly ask: Ask;
  users: number;
  close(): void;
}

const lines = new WeakMap<BrowserRecognizer, Line>();
const base = new URL('./', import.meta.url).href;

/** What this browser lacks, in words for people; undefined when recognition can run. */
export function browserFault(): string | undefined {
  if (typeof WebAssembly !== 'object') return 'This browser has no WebAssembly, which the recogniser runs in. Use a current version of Firefox, Chrome, Edge or Safari.';
  // (func (result v128) i32.const 0 i8x16.splat)
  const simd = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11]);
  if (!WebAssembly.validate(simd)) return 'This browser has WebAssembly without SIMD (vector instructions), which the recogniser needs. Use a current version: Chrome from 91, Firefox from 89, Safari from 16.4.';
  return undefined;
}

/** Opens the model in a worker. */
export async function createRecognizer({ model = 'slim', threads, provider, onProgress, sharing }: RecognizerOptions = {}): Promise<BrowserRecognizer> {
  const fault = browserFault();
  if (fault !== undefined) throw new Error(fault);
  const line = (sharing === undefined ? undefined : lines.get(sharing)) ?? openLine(onProgress);
  line.users++;
  try {
    const options: OpenOptions = { threads, provider, base };
    const opened = await line.ask<Opened>({ do: 'open', which: model, options });
    const recognizer: BrowserRecognizer = {
      opened,
      ...recognizerOf({
        sampleRateHz: opened.manifest.speech.features.sampleRateHz,
        transcribe: ({ samples, sampleRateHz }) => line.ask<Transcribed>({ do: 'transcribe', which: model, samples, sampleRateHz }),
        async close() {
          await line.ask({ do: 'close', which: model });
          if (--line.users === 0) line.close();
        },
      }),
    };
    lines.set(recognizer, line);
    return recognizer;
  } catch (error) {
    if (--line.users === 0) line.close();
    throw error;
  }
}

/** Runs the golden clips of the bundle in this browser and compares. */
export async function verify({ threads, provider }: Pick<RecognizerOptions, 'threads' | 'provider'> = {}): Promise<Verification> {
  const fault = browserFault();
  if (fault !== undefined) return { clips: 0, findings: [{ about: 'runtime', where: 'browser', message: fault }], notes: [] };
  const line = openLine();
  try {
    return await line.ask<Verification>({ do: 'verify', options: { threads, provider, base } });
  } finally {
    line.close();
  }
}

function openLine(onProgress?: (progress: Progress) => void): Line {
  const worker = new Worker(new URL('worker.js', base), { type: 'module' });
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let count = 0;
  worker.addEventListener('message', ({ data }: MessageEvent<Message>) => {
    if ('progress' in data) return onProgress?.(data.progress);
    const waiting = open.get(data.id);
    open.delete(data.id);
    if ('error' in data) waiting?.reject(new Error(data.error));
    else waiting?.resolve(data.result);
  });
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    for (const { reject } of open.values()) reject(new Error(`The recogniser stopped: ${event.message || 'worker.js could not be loaded'}. Load the page again.`));
    open.clear();
  });
  return {
    users: 0,
    ask: <T>(request: DistributedOmit<Request, 'id'>, transfer: Transferable[] = []) => new Promise<T>((resolve, reject) => {
      const id = ++count;
      open.set(id, { resolve: resolve as (value: unknown) => void, reject });
      worker.postMessage({ ...request, id }, transfer);
    }),
    close: () => worker.terminate(),
  };
}
