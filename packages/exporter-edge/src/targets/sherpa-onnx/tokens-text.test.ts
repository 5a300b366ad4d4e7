import { phones39, tokenizerOf } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { shownSymbol, symbolsOf, tokensFaults, tokensText, tokensTextFault } from './tokens-text.ts';

const words = tokenizerOf('words', ['one', 'two', 'three']).description;
const letters = { tokenizer: 'characters', tokens: ['a', '|', '<pad>', 'b'], blank: 2, wordSeparator: '|' } as const;

describe('tokens.txt', () => {
  it('names the blank as sherpa-onnx looks for it, wherever it is, and marks where words begin', () => {
    expect(tokensText(words)).toBe('<blk> 0\n\u2581one 1\n\u2581two 2\n\u2581three 3\n');
    expect(tokensText(letters)).toBe('a 0\n\u2581 1\n<blk> 2\nb 3\n');
    expect(symbolsOf(words).map(shownSymbol)).toEqual(['<blk>', ' one', ' two', ' three']);
  });

  it('can hold every phone', () => {
    expect(tokensFaults(phones39().description)).toEqual([]);
  });

  it.each<[string, RegExp, Parameters<typeof tokensFaults>[0]]>([
    ['names of the blank', /"<eps>" have names by which/, { tokenizer: 'characters', tokens: ['_', '<eps>'], blank: 0 }],
    ['tokens that are dropped', /drops the tokens "SIL"/, { tokenizer: 'characters', tokens: ['_', 'SIL'], blank: 0 }],
    ['blanks of other kinds', /"\\t" have blanks/, { tokenizer: 'characters', tokens: ['_', '\t'], blank: 0 }],
    ['letters that look like byte-level BPE', /byte-level BPE/, { tokenizer: 'characters', tokens: ['_', 'a', '\u0192'], blank: 0 }],
  ])('cannot hold %s', (_, message, description) => {
    expect(tokensFaults(description).join('\n')).toMatch(message);
  });

  it.each<[string, RegExp, string]>([
    ['all numbers are one too high', /shifted by one/, '<blk> 1\n\u2581one 2\n\u2581two 3\n\u2581three 0\n'],
    ['all numbers are one too low', /shifted by one/, '<blk> 3\n\u2581one 0\n\u2581two 1\n\u2581three 2\n'],
    ['all but the blank are one on', /shifted by one/, '<blk> 0\n\u2581one 2\n\u2581two 3\n\u2581three 1\n'],
    ['two are swapped', /gives '\u2581one' the number 2, and the model's output has it at 1/, '<blk> 0\n\u2581two 1\n\u2581one 2\n\u2581three 3\n'],
    ['one is missing', /gives '\u2581three' the number none/, '<blk> 0\n\u2581one 1\n\u2581two 2\n'],
    ['there is one more', /other lines/, `${tokensText(words)}four 4\n`],
  ])('is known to be wrong when %s', (_, message, text) => {
    expect(tokensTextFault(text, words)).toMatch(message);
    expect(tokensTextFault(tokensText(words), words)).toBeUndefined();
  });
});
