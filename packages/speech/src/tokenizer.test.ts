import { existsSync, globSync, readFileSync } from 'node:fs';
import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { cmuPhones, createTokenizer, phones39, tokenizerOf, tokenizerOfTranscripts, toPhone39, type TokenKind } from './tokenizer.ts';

describe('createTokenizer', () => {
  it('numbers characters, and gives the transcript back', () => {
    const { encode, decode } = createTokenizer({ tokenizer: 'characters', tokens: ['a', '<b>', '|', 'é', '𝄞'], blank: 1, wordSeparator: '|' });
    expect([...encode('aé 𝄞a')]).toEqual([0, 3, 2, 4, 0]);
    expect(decode([0, 1, 1, 3, 2, 4, 1, 0])).toBe('aé 𝄞a');
    expect([...encode('')]).toEqual([]);
    expect(decode([])).toBe('');
  });

  it('numbers words and phones, whatever the blanks between them', () => {
    expect([...tokenizerOf('words', ['one', 'two']).encode(' two  one two ')]).toEqual([2, 1, 2]);
    expect(phones39().decode(phones39().encode('TH R IY'))).toBe('TH R IY');
  });

  it.each<[TokenKind, string, RegExp]>([
    ['characters', 'cafe ü', /'f', character 3 of the transcript 'cafe ü'/], ['characters', 'cab', /^'b'/], ['characters', 'aC', /The alphabet has 'c'/],
    ['words', 'one three', /'three', word 2/], ['phones', 'a QQ', /'QQ', phone 2/], ['words', '<blank>', /'<blank>'/],
  ])('names the symbol that %s lack in %s', (kind, transcript, message) => {
    const { encode } = tokenizerOf(kind, kind === 'words' ? ['one', 'two'] : ['a', 'c', ' ']
      .filter((symbol) => kind === 'characters' || symbol !== ' '));
    expect(() => encode(transcript)).toThrow(expect.objectContaining({ code: 'COPPICE_TRANSCRIPT_INVALID', message: expect.stringMatching(message) }));
  });

  it.each([
    [{ tokens: ['a', 'b', 'a'], blank: 0 }, /\/tokens\/2 is 'a', as token 0/], [{ tokens: ['a', ''], blank: 0 }, /\/tokens\/1 is empty/],
    [{ tokens: ['a', 'b'], blank: 2 }, /\/blank is 2/], [{ tokens: ['a', 'b'], blank: 0, wordSeparator: '|' }, /\/wordSeparator/],
  ])('refuses the alphabet %o', (alphabet, message) => {
    expect(() => createTokenizer({ tokenizer: 'characters', ...alphabet })).toThrow(expect.objectContaining({ code: 'COPPICE_DESCRIPTION_INVALID', message: expect.stringMatching(message) }));
  });

  it('refuses to decode a token that there is not', () => {
    expect(() => phones39().decode([1, 40])).toThrow(expect.objectContaining({ code: 'COPPICE_DESCRIPTION_INVALID' }));
    expect(() => phones39().decode([-1])).toThrow(/Token -1/);
  });

  it.each<TokenKind>(['characters', 'words', 'phones'])('takes any transcripts in and gives them back (%s)', (kind) => {
    const random = createRandom(`transcripts ${kind}`);
    const letters = [...'abcdefgh'];
    const transcripts = Array.from({ length: 200 }, () => Array.from({ length: 1 + random.integer(5) }, () => Array.from({ length: 1 + random.integer(4) }, () => letters[random.integer(8)]).join('')).join(' '));
    const { encode, decode, description } = tokenizerOfTranscripts(kind, transcripts);
    const again = createTokenizer(JSON.parse(JSON.stringify(description)) as typeof description);
    for (const transcript of transcripts) {
      expect(decode(encode(transcript))).toBe(transcript);
      expect(again.encode(transcript)).toEqual(encode(transcript));
      expect(encode(transcript)).not.toContain(description.blank);
    }
    expect(tokenizerOfTranscripts(kind, transcripts.toReversed()).description).toEqual(description);
  });
});

describe('toPhone39', () => {
  it('drops stress and position', () => {
    expect(['IY1_E', 'ih_i', 'NG_I', 'ZH', 'AA0_S', 'B_B', 'S_S', 'ER2'].map(toPhone39)).toEqual(['IY', 'IH', 'NG', 'ZH', 'AA', 'B', 'S', 'ER']);
    expect(cmuPhones.map(toPhone39)).toEqual(cmuPhones);
    expect(new Set(cmuPhones).size).toBe(39);
  });

  const corpus = new URL('../../../../shared/data/speechocean762/', import.meta.url).pathname;
  it.skipIf(!existsSync(corpus))('reads every phone of speechocean762, and all 39 are there', () => {
    const seen = new Set<string>();
    const { encode } = phones39();
    for (const file of globSync('*/*/1/*.phones.txt', { cwd: corpus })) {
      for (const line of readFileSync(corpus + file, 'utf8').trim().split('\n')) {
        const phones = line.split(' ').slice(1).filter((phone) => phone !== '|');
        expect(encode(phones.join(' ')).length).toBe(phones.length);
        for (const phone of phones) seen.add(toPhone39(phone));
      }
    }
    expect([...seen].sort()).toEqual(cmuPhones);
  });
});
