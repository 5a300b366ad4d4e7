import type { Backend, CompileOptions, Executable, NamedTensors } from '@coppice/core';
import { CoppiceError, type ErrorCode } from '@coppice/graph';
import type { ChildProcess } from 'node:child_process';
import { chooseBackend, type OnnxBackendName } from './choose.ts';
import { withModelFile } from './model-file.ts';

/** How `isolated` watches its processes. */
export interface IsolationOptions {
  /** Longest time in milliseconds for one compile or one run; a process that takes longer is ended. Default 120 000. */
  readonly timeLimitMs?: number;
}

/** An executable in a process of its own. */
export interface IsolatedExecutable extends Executable {
  /** The process that holds the model, to look up its memory or to end it. */
  readonly pid: number;
}

/** What the parent asks its child to do. */
export type Request =
  | { readonly do: 'compile'; readonly backend: OnnxBackendName; readonly path: string; readonly options?: CompileOptions }
  | { readonly do: 'run'; readonly inputs: NamedTensors; readonly outputs?: readonly string[] };

/** What the child answers. */
export type Reply =
  | { readonly results: NamedTensors }
  | { readonly error: { readonly code: ErrorCode | undefined; readonly message: string; readonly words: string | undefined } };

/**
 * A backend that runs each model in a process of its own (Node only), so that a crash or a hang of the runtime is an error
 * and not the end of the program. Costs about a third of a second for each compile, and copies inputs and results.
 * A process ends with `dispose`, with its time limit, and with its parent; one that nobody disposes does not keep the parent alive.
 */
export function isolated(name: OnnxBackendName, { timeLimitMs = 120_000 }: IsolationOptions = {}): Omit<Backend, 'compile'> & { compile(...of: Parameters<Backend['compile']>): Promise<IsolatedExecutable> } {
  return {
    name: `${name} (isolated)`,
    info: () => chooseBackend(name).info(),
    async compile(model, options) {
      const child = await startChild();
      const executable = new ChildExecutable(child, name, timeLimitMs, options?.optimise);
      try {
        await withModelFile(model, (path) => executable.ask({ do: 'compile', backend: name, path, options }));
        return executable;
      } catch (error) {
        await executable.dispose();
        throw error;
      }
    },
  };
}

async function startChild(): Promise<ChildProcess> {
  const { fork } = await import('node:child_process');
  const worker = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
  const child = fork(worker, { execArgv: [], serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  // Only a pending question, with its time limit, keeps this process alive.
  child.unref();
  child.channel?.unref();
  (child.stderr as (typeof child.stderr & { unref?(): void }) | null)?.unref?.();
  return child;
}

/** Asks the child one question at a time, and turns its end into an error of the question that was open. */
class ChildExecutable implements IsolatedExecutable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #name: OnnxBackendName;
  readonly #timeLimitMs: number;
  readonly #level: 'none' | 'all';
  readonly #ended: Promise<void>;
  /** The last output of the runtime before a crash. */
  #lastWords = '';
  /** Why the process is gone, and what to do about it. */
  #epitaph: string | undefined;
  #open: { resolve(reply: Reply): void; reject(error: CoppiceError): void; readonly request: Request } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(child: ChildProcess, name: OnnxBackendName, timeLimitMs: number, level: 'none' | 'all' = 'all') {
    this.#child = child;
    this.pid = child.pid ?? -1;
    this.#name = name;
    this.#timeLimitMs = timeLimitMs;
    this.#level = level;
    child.stderr?.on('data', (text: Buffer) => { this.#lastWords = (this.#lastWords + text.toString()).slice(-2000); });
    child.on('message', (reply: Reply) => this.#open?.resolve(reply));
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#end(`the runtime crashed its process (${signal ?? `exit code ${code}`})${lastLine(this.#lastWords)}. ${this.#otherWays()}`);
        resolve();
      });
      child.once('error', (error) => {
        this.#end(`its process could not be started or reached (${error.message}). Try again, or use ${this.#name} without isolation.`);
        if (child.pid === undefined) resolve();
      });
    });
  }

  run(inputs: NamedTensors, outputs?: readonly string[]): Promise<NamedTensors> {
    const next = this.#turn.then(() => this.ask({ do: 'run', inputs, outputs }));
    this.#turn = next.catch(() => undefined);
    return next;
  }

  async dispose(): Promise<void> {
    this.#end('this executable was disposed. Compile the model again.');
    // Keeps the parent until the child is gone; SIGKILL because nothing in the child is worth saving.
    this.#child.ref();
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.#child.unref();
  }

  /** Sends a request and waits for the reply, the end of the process, or the time limit, whichever is first. */
  async ask(request: Request): Promise<NamedTensors> {
    if (this.#epitaph !== undefined) throw this.#lost(request);
    const timer = setTimeout(() => {
      this.#end(`it did not finish within ${this.#timeLimitMs / 1000} s and was ended. Give a longer timeLimitMs if the model is only slow. ${this.#otherWays()}`);
      this.#child.kill('SIGKILL');
    }, this.#timeLimitMs);
    try {
      const reply = await new Promise<Reply>((resolve, reject) => {
        this.#open = { resolve, reject, request };
        this.#child.send(request, () => { /* A channel that is closed shows as the end of the process. */ });
      });
      if ('results' in reply) return reply.results;
      throw rebuilt(reply.error);
    } finally {
      clearTimeout(timer);
      this.#open = undefined;
    }
  }

  /** Remembers the first reason and fails the question that is open. */
  #end(epitaph: string): void {
    this.#epitaph ??= epitaph;
    if (this.#open) this.#open.reject(this.#lost(this.#open.request));
  }

  #lost(request: Request): CoppiceError {
    const [code, what] = request.do === 'compile' ? ['COPPICE_BACKEND_REFUSED', 'loading'] as const : ['COPPICE_BACKEND_RUN', 'running'] as const;
    return new CoppiceError(code, `${this.#name} (isolated) failed while ${what} the model: ${this.#epitaph}`);
  }

  #otherWays(): string {
    const other = this.#name === 'onnx:native' ? 'onnx:wasm' : 'onnx:native';
    return this.#level === 'all' ? `Compile with optimise: 'none', or use ${other}.` : `Use ${other}.`;
  }
}

const lastLine = (text: string): string => {
  const line = text.trim().split('\n').findLast((line) => /error|terminate|abort|free|corrupt|assert|fault/i.test(line));
  return line ? `: ${line.trim().slice(0, 300)}` : '';
};

function rebuilt({ code, message, words }: Extract<Reply, { error: unknown }>['error']): CoppiceError {
  return new CoppiceError(code ?? 'COPPICE_BACKEND_RUN', message, { cause: words === undefined ? undefined : new Error(words) });
}
