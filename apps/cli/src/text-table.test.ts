import { describe, expect, it } from 'vitest';
import { shorten, tableLines, wrapItems, wrapText } from './text-table.ts';

describe('tableLines', () => {
  it('aligns columns to the left or right', () => {
    const columns = [{ title: 'name' }, { title: 'n', align: 'right' }] as const;
    expect(tableLines({ columns, rows: [['a', '1'], ['longer', '100']] })).toEqual(['name      n', 'a         1', 'longer  100']);
  });

  it('keeps the end of cells that are too long', () => {
    expect(tableLines({ columns: [{ title: '', atMost: 5 }], rows: [['abcdefgh']] })).toEqual(['', '…efgh']);
    expect(shorten('abc', 3)).toBe('abc');
  });
});

describe('wrapItems', () => {
  it('fills lines and indents all after the first', () => {
    expect(wrapItems(['aaa', 'bbb', 'ccc'], { first: 'x: ', indent: '   ', width: 11 })).toEqual(['x: aaa,', '   bbb, ccc']);
  });

  it('breaks texts between words', () => {
    expect(wrapText('one two three', { width: 8 })).toEqual(['one two', 'three']);
  });
});
