import type { Backend } from '@coppice/core';
import { CoppiceError, type ErrorCode } from '@coppice/graph';

/** What a claim is about. Those up to `control flow` are families of operators, the others what the contract of a backend promises. */
export type ClaimFamily =
  | 'elementwise' | 'contraction' | 'convolution' | 'recurrent' | 'normalisation' | 'reduction' | 'movement' | 'indexing' | 'attention' | 'quantisation'
  | 'shape arithmetic' | 'empty tensors' | 'control flow'
  | 'outputs' | 'dimension parameters' | 'fresh results' | 'aliasing' | 'inputs' | 'state' | 'determinism' | 'concurrency' | 'life cycle' | 'refusals' | 'memory';

/** How a backend is checked. */
export interface BackendCheckOptions {
  /** What the backend holds at the moment, e.g. `() => tf.memory().numTensors`. Without it nothing is said about memory. */
  readonly memory?: () => number;
  /** Only these families; default all of them. */
  readonly families?: readonly ClaimFamily[];
  /** Operators that the backend refuses on purpose; every other refusal is a finding. */
  readonly refuses?: readonly string[];
  /** Largest |difference| from the float64 reference, relative to the largest magnitude of the output (at least 1). Default 1e-4. */
  readonly tolerance?: number;
  /** Longest time in milliseconds for one claim. It can only stop a backend that does not block the thread. Default 30 000. */
  readonly timeLimitMs?: number;
}

/** What a claim is tried on. */
export interface Subject extends BackendCheckOptions {
  readonly backend: Backend;
  readonly tolerance: number;
}

/** Something that holds for every backend. */
export interface Claim {
  readonly family: ClaimFamily;
  /** Unique within the family. */
  readonly title: string;
  /** Operators without which the claim cannot be tried; a refusal must name one of them. */
  readonly operators: readonly string[];
  /** Only where the subject has what it takes, e.g. a memory probe. */
  readonly applies?: (subject: Subject) => boolean;
  /** @throws Error that says what is wrong; what the backend throws goes through */
  check(subject: Subject): Promise<void>;
}

/** A claim that does not hold. */
export interface Finding {
  readonly family: ClaimFamily;
  readonly title: string;
  /** `refused`: the backend says so before it runs, and was not expected to. */
  readonly kind: 'wrong' | 'refused';
  readonly message: string;
}

/** What became of a claim: it holds, the backend refuses an operator on purpose, or there is a finding. */
export type Verdict = { readonly kind: 'right' } | { readonly kind: 'refused on purpose'; readonly message: string } | Finding;

/** Tries one claim. Never rejects. */
export async function judge(claim: Claim, subject: Subject): Promise<Verdict> {
  const finding = (kind: Finding['kind'], message: string): Finding => ({ family: claim.family, title: claim.title, kind, message });
  try {
    await within(subject.timeLimitMs ?? 30_000, claim.check(subject));
    return { kind: 'right' };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!isRefusal(error)) return finding('wrong', message);
    const named = claim.operators.find((op) => message.includes(op));
    if (named === undefined) return finding('wrong', `it refuses without naming the operator (${claim.operators.join(', ')}): ${message}`);
    return subject.refuses?.includes(named) ? { kind: 'refused on purpose', message } : finding('refused', message);
  }
}

const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['COPPICE_BACKEND_REFUSED', 'COPPICE_UNSUPPORTED_TYPE', 'COPPICE_UNSUPPORTED_OPSET']);

/** Whether an error says that a backend does not take a model, as opposed to failing with it. */
export const isRefusal = (error: unknown): error is CoppiceError => error instanceof CoppiceError && refusals.has(error.code);

/** A refusal that comes too late or elsewhere is a fault like any other. */
export async function notRefusing<T>(work: Promise<T>, what: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isRefusal(error)) throw new Error(`${what} refuses only now, and should have at compile: ${error.code} ${error.message}`, { cause: error });
    throw error;
  }
}

/** Waits for some work, but not longer than a limit. */
export async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => { timer = setTimeout(() => reject(new Error(`it did not end within ${limitMs / 1000} s`)), limitMs); });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** @throws Error with the message, if the condition does not hold */
export function must(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new Error(typeof message === 'string' ? message : message());
}
