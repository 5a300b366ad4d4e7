import { describe, expect, it } from 'vitest';
import { paceOf } from './pace.ts';

/** A clock that goes only when it is told to. */
function clock() {
  let time = 1000;
  return { now: () => time, pass: (milliseconds: number) => void (time += milliseconds) };
}

describe('paceOf', () => {
  it('counts from the first step, because what came before it was of another kind', () => {
    const { now, pass } = clock();
    const left = paceOf(101, now);
    pass(60_000);
    expect(left(1)).toBe('');
    pass(500);
    expect(left(2)).toBe(', 50 s left');
    pass(4500);
    expect(left(11)).toBe(', 45 s left');
    pass(100_000);
    expect(left(101)).toBe(', 0 s left');
  });

  it('follows a pace that changes', () => {
    const { now, pass } = clock();
    const left = paceOf(100, now);
    left(0);
    pass(1000);
    expect(left(10)).toBe(', 9 s left');
    pass(9000);
    expect(left(20)).toBe(', 40 s left');
  });

  it('starts where work goes on that was stopped, and says minutes where there are many seconds', () => {
    const { now, pass } = clock();
    const left = paceOf(1000, now);
    expect(left(400)).toBe('');
    pass(2000);
    expect(left(402)).toBe(', 10 min left');
  });
});
