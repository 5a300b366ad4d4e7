import { CoppiceError } from '@coppice/graph';

/** What a token stands for: one character, one word, one phone. */
export type TokenKind = 'characters' | 'words' | 'phones';

/** An alphabet as plain data. */
export interface TokenizerDescription {
  readonly tokenizer: TokenKind;
  /** By their number in the model's output, the blank among them. */
  readonly tokens: readonly string[];
  /** The number of CTC's blank (Graves et al. 2006, 3.1). */
  readonly blank: number;
  /** The token between words, of `characters` alone: a space when left out, `|` in many models of others. */
  readonly wordSeparator?: string;
}

/** Transcripts to numbers of tokens and back. */
export interface Tokenizer {
  readonly description: TokenizerDescription;
  /**
   * The tokens of a transcript, [label]. Phones are written with blanks between them; stress and position in the word, as in
   * `IY1_E`, may be there and are dropped unless the alphabet has them.
   * @throws CoppiceError `COPPICE_TRANSCRIPT_INVALID` naming the first symbol that is not in the alphabet, and where it stands
   */
  encode(transcript: string): Int32Array;
  /**
   * The transcript of tokens; blanks among them say nothing. What was repeated on purpose stays: collapsing repetitions is the decoder's task.
   * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID` for a number that no token has
   */
  decode(ids: ArrayLike<number>): string;
}

/**
 * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID` when two tokens are equal, one is empty, or the blank is none of them
 */
export function createTokenizer(description: TokenizerDescription): Tokenizer {
  const fault = tokenizerFault(description);
  if (fault !== undefined) throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `The alphabet is unusable: ${fault.at} ${fault.rule}.`);
  const { tokens, blank, tokenizer, wordSeparator } = description;
  const numbers = new Map(tokens.map((token, number) => [token, number]));
  // The blank has a name, but nobody says it.
  numbers.delete(tokens[blank]);
  const { split, join, lookUp } = kinds[tokenizer];
  const separator = wordSeparator ?? ' ';
  return {
    // What describes a whole model may have been passed; only the alphabet is ours.
    description: { tokenizer, tokens, blank, ...(wordSeparator === undefined ? {} : { wordSeparator }) },
    encode(transcript) {
      const symbols = split(transcript);
      return Int32Array.from(symbols, (symbol, at) => {
        const number = lookUp(numbers, tokenizer === 'characters' && symbol === ' ' ? separator : symbol);
        if (number === undefined) throw outside(symbol, at, transcript, description, numbers);
        return number;
      });
    },
    decode(ids) {
      const said = Array.from(ids).filter((id) => id !== blank);
      const wrong = said.find((id) => tokens[id] === undefined);
      if (wrong !== undefined) throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `Token ${wrong} is not in the alphabet, which has ${tokens.length}. The description and the model do not belong together.`);
      return join(said.map((id) => tokens[id]), separator);
    },
  };
}

/** What is wrong with an alphabet, and with which part of it. */
export function tokenizerFault({ tokenizer, tokens, blank, wordSeparator }: TokenizerDescription): { at: string; rule: string } | undefined {
  if (!Number.isInteger(blank) || blank < 0 || blank >= tokens.length) return { at: '/blank', rule: `is ${blank}, and the tokens have the numbers 0 to ${tokens.length - 1}` };
  const seen = new Map<string, number>();
  for (const [number, token] of tokens.entries()) {
    if (token === '') return { at: `/tokens/${number}`, rule: 'is empty' };
    const before = seen.get(token);
    if (before !== undefined) return { at: `/tokens/${number}`, rule: `is '${token}', as token ${before} is already` };
    if (tokenizer !== 'characters' && number !== blank && /\s/.test(token)) return { at: `/tokens/${number}`, rule: `is '${token}', and blanks separate ${tokenizer}` };
    seen.set(token, number);
  }
  if (wordSeparator !== undefined && tokenizer !== 'characters') return { at: '/wordSeparator', rule: `is for characters, and these are ${tokenizer}` };
  if (wordSeparator !== undefined && !seen.has(wordSeparator)) return { at: '/wordSeparator', rule: `is '${wordSeparator}', which is not among the tokens` };
  return undefined;
}

interface Kind {
  readonly split: (transcript: string) => string[];
  readonly join: (symbols: readonly string[], wordSeparator: string) => string;
  readonly lookUp: (numbers: ReadonlyMap<string, number>, symbol: string) => number | undefined;
}

const parts = (transcript: string): string[] => transcript.split(/\s+/).filter((part) => part !== '');
const joined = (symbols: readonly string[]): string => symbols.join(' ');
const kinds: Readonly<Record<TokenKind, Kind>> = {
  characters: {
    // By code points: a letter outside the basic plane is one.
    split: (transcript) => [...transcript],
    join: (symbols, separator) => symbols.map((symbol) => (symbol === separator ? ' ' : symbol)).join(''),
    lookUp: (numbers, symbol) => numbers.get(symbol),
  },
  words: { split: parts, join: joined, lookUp: (numbers, symbol) => numbers.get(symbol) },
  phones: { split: parts, join: joined, lookUp: (numbers, symbol) => numbers.get(symbol) ?? numbers.get(toPhone39(symbol)) },
};

function outside(symbol: string, at: number, transcript: string, { tokenizer }: TokenizerDescription, numbers: ReadonlyMap<string, number>): CoppiceError {
  const otherCase = [symbol.toLowerCase(), symbol.toUpperCase()].find((other) => numbers.has(other));
  const hint = otherCase === undefined ? 'Normalise the transcript, or use a model whose alphabet has it' : `The alphabet has '${otherCase}': change the case of the transcripts`;
  const shown = transcript.length > 60 ? `${transcript.slice(0, 60)}…` : transcript;
  return new CoppiceError('COPPICE_TRANSCRIPT_INVALID', `'${symbol}', ${tokenizer.slice(0, -1)} ${at + 1} of the transcript '${shown}', is not in the alphabet. ${hint}.`);
}

/** A blank as token 0, then these symbols in their order. */
export const tokenizerOf = (tokenizer: TokenKind, symbols: Iterable<string>): Tokenizer => createTokenizer({ tokenizer, tokens: ['<blank>', ...symbols], blank: 0 });

/** A blank as token 0, then what the transcripts are made of, sorted by code point so that the order of transcripts plays no part. */
export function tokenizerOfTranscripts(tokenizer: TokenKind, transcripts: Iterable<string>): Tokenizer {
  const symbols = new Set<string>();
  for (const transcript of transcripts) for (const symbol of kinds[tokenizer].split(transcript)) symbols.add(symbol);
  return tokenizerOf(tokenizer, [...symbols].sort((a, b) => (a < b ? -1 : 1)));
}

/** The 39 phones of the CMU Pronouncing Dictionary. */
export const cmuPhones: readonly string[] = [
  'AA', 'AE', 'AH', 'AO', 'AW', 'AY', 'B', 'CH', 'D', 'DH', 'EH', 'ER', 'EY', 'F', 'G', 'HH', 'IH', 'IY', 'JH', 'K',
  'L', 'M', 'N', 'NG', 'OW', 'OY', 'P', 'R', 'S', 'SH', 'T', 'TH', 'UH', 'UW', 'V', 'W', 'Y', 'Z', 'ZH',
];

/** The tokenizer of phone recognisers for CMU's 39 phones: 40 tokens, the blank as token 0. */
export const phones39 = (): Tokenizer => tokenizerOf('phones', cmuPhones);

/** A phone of CMU's set without the marks that lexicons add: stress (`IY1`), position in the word (`IY1_B`, `_I`, `_E`, `_S`), lower case. */
export const toPhone39 = (phone: string): string => phone.toUpperCase().replace(/_[BIES]$/, '').replace(/[0-2]$/, '');
