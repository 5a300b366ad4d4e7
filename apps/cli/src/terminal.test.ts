import { describe, expect, it } from 'vitest';
import { createTerminal } from './terminal.ts';

function streams(isTTY: boolean) {
  let text = '';
  return { stream: { isTTY, write: (more: string) => (text += more) }, text: () => text };
}

describe('a terminal', () => {
  it('colours results on a screen only, and never against NO_COLOR', () => {
    const [screen, pipe] = [streams(true).stream, streams(false).stream];
    expect(createTerminal(screen, pipe, {}).paint('red', 'x')).toBe('\u001B[31mx\u001B[39m');
    expect(createTerminal(pipe, screen, {}).paint('red', 'x')).toBe('x');
    expect(createTerminal(screen, screen, { NO_COLOR: '1' }).paint('red', 'x')).toBe('x');
  });

  it('shows progress to somebody who watches, and clears it before a line', () => {
    const [out, err] = [streams(false), streams(true)];
    const terminal = createTerminal(out.stream, err.stream, {});
    terminal.progress('working');
    terminal.print('result');
    expect(err.text()).toBe('working …\r\u001B[2K');
    expect(out.text()).toBe('result\n');
  });

  it('keeps progress in one row, because only one is cleared', () => {
    const err = streams(true);
    createTerminal(err.stream, { ...err.stream, columns: 12 }, {}).progress('round 1 of 2: [###.......]');
    expect(err.text()).toBe('round 1 o …');
  });

  it('keeps progress out of logs', () => {
    const err = streams(false);
    createTerminal(err.stream, err.stream, {}).progress('working');
    expect(err.text()).toBe('');
  });
});
