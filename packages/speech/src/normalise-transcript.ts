/** Names of the ways to normalise a transcript. A name never changes its meaning: another rule is another name. */
export type NormaliserName = 'coppice-english-1' | 'none';

/**
 * `coppice-english-1`, what references and hypotheses go through before they are compared:
 * 1. Unicode NFKC, lower case, NFKC again: full-width and ligature forms become plain ones.
 * 2. The typographic apostrophes ’ ‘ ʼ ＇ and the backtick become '.
 * 3. An apostrophe stays between two letters or digits (don't, o'clock) and goes elsewhere ('tis → tis, dogs' → dogs).
 * 4. Letters with their marks, and digits, stay as they are: 7 and seven are different words, é is not e.
 * 5. Every other character, hyphens and full stops included, is a blank: twenty-one → twenty one, 3.5 → 3 5.
 * 6. Blanks in a row become one; none at the ends.
 *
 * Fillers, spellings, contractions and numbers are not touched. Normalising twice is normalising once.
 */
export function normaliseTranscript(text: string): string {
  return text
    .normalize('NFKC').toLowerCase().normalize('NFKC')
    .replace(/[’‘ʼ`]/gu, "'")
    .replace(/[^\p{L}\p{M}\p{N}']/gu, ' ')
    .replace(/(?<![\p{L}\p{M}\p{N}])'+|'+(?![\p{L}\p{M}\p{N}])/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
}

/** The rule of a name, from transcript to transcript. `none` only joins blanks. */
export const normalisers: Readonly<Record<NormaliserName, (text: string) => string>> = {
  'coppice-english-1': normaliseTranscript,
  none: (text) => text.trim().replace(/\s+/gu, ' '),
};
