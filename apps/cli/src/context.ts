import type { Container } from 'inversify';
import type { Terminal } from './terminal.ts';

/** What every command is given. */
export interface Context {
  readonly container: Container;
  readonly terminal: Terminal;
  /** Folder that relative paths and `coppice.config.ts` are looked for in. */
  readonly folder: string;
  /** Ends the process with this code when the command is done: 1 says that a model is wrong. */
  fail(code: number): void;
}

/** Exit codes: a slim model that is wrong, a fault of the user, a fault of ours. */
export const exitCodes = { wrong: 1, user: 2, defect: 70 } as const;
