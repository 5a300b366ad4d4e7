import type { TokenizerDescription } from '@coppice/speech';

/** SentencePiece's mark, which sherpa-onnx writes as a blank when a token begins with it. */
const mark = '\u2581';
/** Names by which sherpa-onnx finds the blank of CTC, in its order. */
const blankNames = ['<blk>', '<eps>', '<blank>'] as const;

/** How sherpa-onnx must be told each token, by number: words and phones begin with a blank, of characters the one between words does. */
export function symbolsOf({ tokenizer, tokens, blank, wordSeparator = ' ' }: TokenizerDescription): string[] {
  return tokens.map((token, id) => (id === blank ? blankNames[0] : tokenizer === 'characters' ? (token === wordSeparator || token === ' ' ? mark : token) : `${mark}${token}`));
}

/** `tokens.txt`: a symbol and its number on each line. */
export const tokensText = (description: TokenizerDescription): string => symbolsOf(description).map((symbol, id) => `${symbol} ${id}\n`).join('');

/** What sherpa-onnx puts into its results for a symbol. */
export const shownSymbol = (symbol: string): string => (symbol.startsWith(mark) ? ` ${symbol.slice(mark.length)}` : symbol);

/** What keeps an alphabet from being written as `tokens.txt`, a sentence each. */
export function tokensFaults(description: TokenizerDescription): string[] {
  const { tokenizer, tokens, blank } = description;
  const said = tokens.filter((_, id) => id !== blank);
  const symbols = symbolsOf(description);
  const name = (found: readonly string[]): string => found.map((token) => JSON.stringify(token)).join(', ');
  const spaced = symbols.filter((symbol) => /\s/.test(symbol) || symbol === '');
  const taken = symbols.filter((symbol, id) => id !== blank && (blankNames as readonly string[]).includes(symbol));
  const dropped = symbols.filter((symbol) => symbol === 'SIL' || symbol === '</s>');
  const marked = said.filter((token) => token.startsWith(mark) && tokenizer === 'characters');
  const bytes = symbols.map((symbol) => new TextEncoder().encode(symbol.startsWith(mark) ? symbol.slice(1) : symbol));
  // How sherpa-onnx recognises byte-level BPE: no byte above 0xC6, and 0xC6 among them.
  const highest = Math.max(...bytes.flatMap((each) => [...each]), 0);
  return [
    ...(spaced.length === 0 ? [] : [`The tokens ${name(spaced)} have blanks in them, which separate the columns of tokens.txt.`]),
    ...(taken.length === 0 ? [] : [`The tokens ${name(taken)} have names by which sherpa-onnx finds the blank of CTC.`]),
    ...(dropped.length === 0 ? [] : [`sherpa-onnx drops the tokens ${name(dropped)} from its texts.`]),
    ...(marked.length === 0 ? [] : [`The tokens ${name(marked)} begin with U+2581, which sherpa-onnx writes as a blank.`]),
    ...(highest === 0xc6 ? ['The letters of the alphabet look like byte-level BPE to sherpa-onnx (none beyond U+01BF, one from U+0180), and it would decode them as that.'] : []),
  ];
}

/** What is wrong with a `tokens.txt`, a sentence; undefined when it is that of the alphabet. */
export function tokensTextFault(text: string, description: TokenizerDescription): string | undefined {
  const wanted = tokensText(description);
  if (text === wanted) return undefined;
  const ids = new Map<string, number>(text.split('\n').filter((line) => line !== '').map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
  const symbols = symbolsOf(description);
  const offBy = symbols.map((symbol, id) => (ids.get(symbol) ?? NaN) - id);
  const count = symbols.length;
  const said = offBy.filter((_, id) => id !== description.blank);
  const shift = [1, -1].find((by) => [offBy, said].some((list) => list.filter((own) => own === by || own === by - Math.sign(by) * count || own === by - Math.sign(by) * (count - 1)).length === list.length));
  if (shift !== undefined) return 'tokens.txt is shifted by one: its numbers are not those of the model\'s output. Export again.';
  const first = symbols.findIndex((symbol, id) => ids.get(symbol) !== id);
  return first < 0 ? 'tokens.txt has other lines than the alphabet has tokens. Export again.' : `tokens.txt gives '${symbols[first]}' the number ${ids.get(symbols[first]) ?? 'none'}, and the model's output has it at ${first}. Export again.`;
}
