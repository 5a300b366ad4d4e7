import { styleText } from 'node:util';

/** A stream that text goes to, e.g. `process.stdout`. */
export interface TextStream {
  readonly isTTY?: boolean;
  /** Width of the screen, where it is one. */
  readonly columns?: number;
  write(text: string): unknown;
}

export type Style = Parameters<typeof styleText>[0];

/** Where a command writes: results to one stream, progress and logs to another. */
export interface Terminal {
  /** A result, for people or programs. */
  print(text: string): void;
  /** A line for people only: warnings, what was written. */
  log(text: string): void;
  /** What is being done now; replaced by the next one, and shown only to somebody who watches. */
  progress(text: string): void;
  /** Colours text where results go to a screen; plain otherwise, and where `NO_COLOR` asks for it. */
  paint(style: Style, text: string): string;
}

const CLEAR_LINE = '\r\u001B[2K';

/** A terminal over two streams, usually `process.stdout` and `process.stderr`. */
export function createTerminal(out: TextStream, err: TextStream, environment: Readonly<Record<string, string | undefined>> = process.env): Terminal {
  const colours = out.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb';
  let showing = false;
  const clear = (): void => {
    if (showing) err.write(CLEAR_LINE);
    showing = false;
  };
  return {
    print(text) {
      clear();
      out.write(`${text}\n`);
    },
    log(text) {
      clear();
      err.write(`${text}\n`);
    },
    progress(text) {
      if (err.isTTY !== true) return;
      clear();
      if (text === '') return;
      // A line that goes on in the next row could not be cleared.
      const room = (err.columns ?? Infinity) - 3;
      err.write(`${text.length > room ? text.slice(0, Math.max(0, room)) : text} …`);
      showing = true;
    },
    paint: (style, text) => (colours ? styleText(style, text, { validateStream: false }) : text),
  };
}
