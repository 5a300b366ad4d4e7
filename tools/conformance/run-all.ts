import { fork } from 'node:child_process';
import type { Finding, OfficialResult } from '@coppice/testkit';

/** What a worker tells: one result, for the test with this number. */
export interface Message {
  readonly test: number;
  readonly result: OfficialResult;
}

/** How the tests are run. */
export interface RunAllOptions {
  readonly tests: string;
  readonly count: number;
  /** Longest time in milliseconds for one test. */
  readonly timeLimitMs: number;
  readonly progress?: (done: number) => void;
}

/**
 * Runs all tests on one backend in a process of its own, which is replaced when a test ends it or takes too long; that test has failed.
 * @returns one result for each test
 */
export async function runAll(backend: string, { tests, count, timeLimitMs, progress }: RunAllOptions): Promise<OfficialResult[]> {
  const results: OfficialResult[] = [];
  while (results.length < count) {
    const end = await runFrom(backend, tests, results, timeLimitMs, progress);
    if (results.length < count) results.push({ kind: 'fails', reason: end });
  }
  return results;
}

/** What a worker tells of the testkit's own suite. */
export interface SuiteMessage {
  readonly claims: number;
  readonly findings: readonly Finding[];
}

/** The testkit's own suite on one backend, in a process of its own; one that ends without an answer is a finding. */
export function runSuite(backend: string, timeLimitMs: number): Promise<SuiteMessage> {
  return new Promise((resolve) => {
    const child = fork(new URL('./run.ts', import.meta.url), ['--worker', '--suite', '--backend', backend], { serialization: 'advanced' });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeLimitMs);
    child.once('message', (message: SuiteMessage) => resolve(message));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ claims: 0, findings: [{ family: 'life cycle', title: 'the suite ends', kind: 'wrong', message: `its process ended without an answer (${signal ?? `exit code ${code}`})` }] });
    });
  });
}

/** Runs tests from the first without a result on; returns why the process ended. */
function runFrom(backend: string, tests: string, results: OfficialResult[], timeLimitMs: number, progress?: (done: number) => void): Promise<string> {
  return new Promise((resolve) => {
    const child = fork(new URL('./run.ts', import.meta.url), ['--worker', '--backend', backend, '--tests', tests, '--from', String(results.length)], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let [late, words] = [false, ''];
    let timer: ReturnType<typeof setTimeout>;
    const wind = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, timeLimitMs);
    };
    wind();
    child.stderr!.on('data', (text: Buffer) => { words = (words + text.toString()).slice(-2000); });
    child.on('message', ({ test, result }: Message) => {
      if (test !== results.length) throw new Error(`the worker sent test ${test} where ${results.length} is next`);
      results.push(result);
      progress?.(results.length);
      wind();
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve(late ? `it did not end within ${timeLimitMs / 1000} s` : `it ended its process (${signal ?? `exit code ${code}`}): ${words.trim().split('\n').at(-1) ?? ''}`);
    });
  });
}
