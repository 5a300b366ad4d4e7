import { constants } from 'node:os';
import type { Terminal } from '../terminal.ts';

/** A command that was asked to end, and ended where it can go on. No fault; the message is for people. */
export class Interrupted extends Error {
  /** 128 and the number of the signal, as shells have it: 130 after Ctrl-C. */
  readonly exitCode: number;

  constructor(message: string, signal: keyof typeof constants.signals) {
    super(message);
    this.name = 'Interrupted';
    this.exitCode = 128 + constants.signals[signal];
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** What is asked to end, and why. */
export interface Stop {
  /** Aborted when the process was asked to end. */
  readonly signal: AbortSignal;
  /** What to throw then. */
  interrupted(message: string): Interrupted;
}

/**
 * Does some work that ends early, and in order, when the process is asked to end (Ctrl-C, SIGTERM). The second time ends the process at
 * once. The work must let the event loop turn, or nobody hears the signal.
 */
export async function stoppable<T>(terminal: Terminal, work: (stop: Stop) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let heard: (typeof SIGNALS)[number] = 'SIGINT';
  const stop = (signal: NodeJS.Signals): void => {
    heard = signal as typeof heard;
    release();
    terminal.log('stopping after this step; once more stops at once');
    controller.abort();
  };
  const release = (): void => SIGNALS.forEach((signal) => process.off(signal, stop));
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await work({ signal: controller.signal, interrupted: (message) => new Interrupted(message, heard) });
  } finally {
    release();
  }
}
