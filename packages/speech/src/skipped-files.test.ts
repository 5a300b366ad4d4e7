import { CoppiceError } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { checkBrokenShare, refuseTwins, skippedNotes } from './skipped-files.ts';

const skipped = (count: number): { file: string; reason: string }[] => Array.from({ length: count }, (_, k) => ({ file: `${k}.wav`, reason: k % 2 === 0 ? 'it is silent' : 'was it unpacked?' }));
const refusal = (used: number, count: number, share: number): string => {
  try {
    checkBrokenShare({ what: "'train'", used, skipped: skipped(count), advice: 'Unpack it again' }, share);
    return 'taken';
  } catch (error) {
    expect(error).toBeInstanceOf(CoppiceError);
    return (error as Error).message;
  }
};

describe('checkBrokenShare', () => {
  it.each([[100, 1, 0.01, true], [99, 1, 0.01, true], [98, 2, 0.01, false], [1, 1, 0.5, true], [5, 0, 0, true], [1, 9, 0.9, true], [0, 3, 1, false]])('with %i usable and %i skipped, of which %f may be', (used, count, share, taken) => {
    expect(refusal(used, count, share) === 'taken').toBe(taken);
  });

  it('names the first five, and says what to do', () => {
    expect(refusal(1, 7, 0.01)).toBe("7 of 8 recordings of 'train' cannot be used, more than the 1 % that may be skipped. Unpack it again, or set maxBrokenShare higher." +
      "\n  '0.wav': it is silent.\n  '1.wav': was it unpacked?\n  '2.wav': it is silent.\n  '3.wav': was it unpacked?\n  '4.wav': it is silent.\n  and 2 more");
    expect(refusal(0, 1, 1)).toContain("None of the 1 recordings of 'train' can be used. Unpack it again.");
  });

  it('tells an empty part from a broken one', () => expect(refusal(0, 0, 0.01)).toBe("There is no recording of 'train'. Unpack it again."));
});

it('notes ten skipped files and counts the others', () => {
  expect(skippedNotes(skipped(2))).toEqual(["Skipped '0.wav': it is silent.", "Skipped '1.wav': was it unpacked?"]);
  expect(skippedNotes(skipped(13))).toHaveLength(11);
  expect(skippedNotes(skipped(13)).at(-1)).toBe('Skipped 3 more recordings for such reasons.');
});

it('refuses an id that two recordings have', () => {
  expect(() => refuseTwins([{ id: 'a', file: 'x/a' }, { id: 'b', file: 'x/b' }, { id: 'a', file: 'y/a' }])).toThrow("'a' is there twice: 'x/a' and 'y/a'.");
  expect(() => refuseTwins([{ id: 'a', file: 'x/a' }, { id: 'b', file: 'x/b' }])).not.toThrow();
});
