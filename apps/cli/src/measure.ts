import type { Backend, Executable, NamedTensors } from '@coppice/core';
import type { Model } from '@coppice/graph';

/** A model and what it is run on. */
export interface Contender {
  readonly model: Model;
  readonly inputs: NamedTensors;
}

/** How long runs took, in milliseconds. */
export interface Timing {
  readonly medianMs: number;
  /** The tenth and the ninetieth of hundred runs, sorted. */
  readonly p10Ms: number;
  readonly p90Ms: number;
  readonly runs: number;
}

export interface MeasureOptions {
  /** Of each model. */
  readonly runs: number;
  /** Runs that are not counted. Default 3. */
  readonly warmUp?: number;
  /** Stop after this time, once each model has run five times. */
  readonly limitMs?: number;
  readonly onRound?: (round: number) => void;
}

const LEAST_RUNS = 5;

/**
 * Times models side by side in one process: all are compiled, then run in turns, so that what slows the machine down for a while
 * slows all of them. Each round starts with another model.
 */
export async function measureInTurns(backend: Backend, contenders: readonly Contender[], { runs, warmUp = 3, limitMs = Infinity, onRound }: MeasureOptions): Promise<Timing[]> {
  const executables: Executable[] = [];
  try {
    for (const { model } of contenders) executables.push(await backend.compile(model, { optimise: 'all' }));
    for (let k = 0; k < warmUp; k++) for (const [c, executable] of executables.entries()) await executable.run(contenders[c].inputs);
    const times = contenders.map((): number[] => []);
    const start = performance.now();
    for (let round = 0; round < runs; round++) {
      if (round >= LEAST_RUNS && performance.now() - start > limitMs) break;
      onRound?.(round);
      for (let k = 0; k < executables.length; k++) {
        const c = (round + k) % executables.length;
        const before = performance.now();
        await executables[c].run(contenders[c].inputs);
        times[c].push(performance.now() - before);
      }
    }
    return times.map(summarise);
  } finally {
    for (const executable of executables) await executable.dispose();
  }
}

function summarise(times: readonly number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  return { medianMs: quantile(sorted, 0.5), p10Ms: quantile(sorted, 0.1), p90Ms: quantile(sorted, 0.9), runs: sorted.length };
}

/** Between the two nearest values, by distance. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}
