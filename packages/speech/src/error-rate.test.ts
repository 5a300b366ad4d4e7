import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { alignTokens } from './alignment.ts';
import { errorRate } from './error-rate.ts';
import { normalisers, normaliseTranscript } from './normalise-transcript.ts';

const words = (text: string): string[] => text.split(' ').filter(Boolean);

/** [edits, −hits] of every alignment there is; the least of them. */
function leastEdits(reference: readonly string[], hypothesis: readonly string[]): [edits: number, hits: number] {
  if (reference.length === 0 || hypothesis.length === 0) return [reference.length + hypothesis.length, 0];
  const [a, b] = [reference.slice(1), hypothesis.slice(1)];
  const same = reference[0] === hypothesis[0];
  const [pair, deleted, inserted] = [leastEdits(a, b), leastEdits(a, hypothesis), leastEdits(reference, b)];
  const ways: [number, number][] = [[pair[0] + (same ? 0 : 1), pair[1] + (same ? 1 : 0)], [deleted[0] + 1, deleted[1]], [inserted[0] + 1, inserted[1]]];
  return ways.sort((x, y) => x[0] - y[0] || y[1] - x[1])[0];
}

describe('alignTokens', () => {
  it.each([
    ['the cat sat', 'the cat sat', { hits: 3, substitutions: 0, deletions: 0, insertions: 0 }],
    ['the cat sat', 'the bat sat', { hits: 2, substitutions: 1, deletions: 0, insertions: 0 }],
    ['the cat sat', 'cat sat', { hits: 2, substitutions: 0, deletions: 1, insertions: 0 }],
    ['the cat sat', 'the cat sat down', { hits: 3, substitutions: 0, deletions: 0, insertions: 1 }],
    ['a b', 'b c', { hits: 1, substitutions: 0, deletions: 1, insertions: 1 }],
    ['', 'some words', { hits: 0, substitutions: 0, deletions: 0, insertions: 2 }],
    ['some words', '', { hits: 0, substitutions: 0, deletions: 2, insertions: 0 }],
    ['', '', { hits: 0, substitutions: 0, deletions: 0, insertions: 0 }],
  ])('%j heard as %j', (reference, hypothesis, counts) => {
    expect(alignTokens(words(reference), words(hypothesis))).toMatchObject(counts);
  });

  it('has the fewest edits of all alignments, and of those the most hits; its columns are both sequences', () => {
    const random = createRandom('alignment');
    for (let round = 0; round < 300; round++) {
      const sequence = (): string[] => Array.from({ length: random.integer(7) }, () => 'abc'[random.integer(3)]);
      const [reference, hypothesis] = [sequence(), sequence()];
      const { pairs, hits, substitutions, deletions, insertions } = alignTokens(reference, hypothesis);
      expect([substitutions + deletions + insertions, hits]).toEqual(leastEdits(reference, hypothesis));
      expect(pairs.flatMap((pair) => pair.reference ?? [])).toEqual(reference);
      expect(pairs.flatMap((pair) => pair.hypothesis ?? [])).toEqual(hypothesis);
      expect(pairs.filter((pair) => pair.reference === undefined).length).toBe(insertions);
      expect(pairs.filter((pair) => pair.hypothesis === undefined).length).toBe(deletions);
      expect(pairs.filter((pair) => pair.reference === pair.hypothesis).length).toBe(hits);
      // The other way round, what was inserted is deleted.
      expect(alignTokens(hypothesis, reference)).toMatchObject({ hits, substitutions, deletions: insertions, insertions: deletions });
    }
  });
});

describe('errorRate', () => {
  it('adds up the corpus before it divides', () => {
    const rate = errorRate([
      { reference: 'one', hypothesis: 'two' },
      { reference: 'One two, three four five six seven eight nine!', hypothesis: 'one two three four five six seven eight nine' },
    ]);
    expect(rate).toMatchObject({ rate: 0.1, errors: 1, length: 10, hits: 9, substitutions: 1, deletions: 0, insertions: 0, wrongUtterances: 1, unit: 'word', normaliser: 'coppice-english-1' });
    expect(rate.utterances.map(({ errors, length }) => [errors, length])).toEqual([[1, 1], [0, 9]]);
  });

  it('counts characters by code points, blanks between words included', () => {
    expect(errorRate([{ reference: 'ab cd', hypothesis: 'abcd' }], 'character')).toMatchObject({ rate: 0.2, length: 5, deletions: 1 });
    expect(errorRate([{ reference: '𝕏 é', hypothesis: '𝕏 e' }], 'character', 'none')).toMatchObject({ length: 3, substitutions: 1 });
  });

  it('leaves phones as they are', () => {
    expect(errorRate([{ reference: 'AH  sil aa', hypothesis: 'ah sil aa' }], 'phone')).toMatchObject({ length: 3, substitutions: 1, normaliser: 'none' });
  });

  it('can be above 1, and is 0 or Infinity where there is nothing to say', () => {
    expect(errorRate([{ reference: 'a', hypothesis: 'a b c' }]).rate).toBe(2);
    expect(errorRate([])).toMatchObject({ rate: 0, length: 0 });
    expect(errorRate([{ reference: '', hypothesis: '' }])).toMatchObject({ rate: 0, wrongUtterances: 0 });
    expect(errorRate([{ reference: '...', hypothesis: 'word' }])).toMatchObject({ rate: Infinity, insertions: 1, length: 0 });
    // Empty references bring their insertions into the corpus.
    expect(errorRate([{ reference: '', hypothesis: 'x' }, { reference: 'a b', hypothesis: 'a b' }])).toMatchObject({ rate: 0.5, insertions: 1 });
  });
});

describe('normaliseTranscript', () => {
  it.each([
    ['  Hello,\tWORLD!\n', 'hello world'],
    ['Don’t — o`clock', "don't o'clock"],
    ["'Tis the dogs' 'home'", 'tis the dogs home'],
    ["rock ''n'' roll", 'rock n roll'],
    ['twenty-one 7 3.5 1,000', 'twenty one 7 3 5 1 000'],
    ['CAFÉ café', 'café café'],
    ['ＦＵＬＬ ﬁne', 'full fine'],
    ['naïve_x', 'naïve x'],
    ["'", ''],
  ])('%j becomes %j', (text, normalised) => {
    expect(normaliseTranscript(text)).toBe(normalised);
  });

  it('done twice is done once, for any text', () => {
    const random = createRandom('normaliser');
    const favourites = "aZ'’ -.7é\u0301İßǅﬁ`_";
    for (let round = 0; round < 2000; round++) {
      const text = Array.from({ length: 1 + random.integer(12) }, () => (random.uniform() < 0.7 ? favourites[random.integer(favourites.length)] : String.fromCodePoint(0x20 + random.integer(0xd7e0)))).join('');
      for (const normalise of Object.values(normalisers)) expect(normalise(normalise(text))).toBe(normalise(text));
      expect(normaliseTranscript(text)).toMatch(/^$|^[\p{L}\p{M}\p{N}']+( [\p{L}\p{M}\p{N}']+)*$/u);
    }
  });
});
