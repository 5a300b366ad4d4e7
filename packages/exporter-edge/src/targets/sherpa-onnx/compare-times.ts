import { greedyDecode, type SpeechDescription } from '@coppice/speech';
import type { GoldenClip } from '../../manifest.ts';
import type { SherpaResult } from './run-sherpa.ts';
import { shownSymbol, symbolsOf } from './tokens-text.ts';

/** Frames by which two maxima of nearly equal height may change places. */
const slack = 2;

/** The tokens and times that a runtime must give for log-probabilities [time, token], a frame each `hopMs`. */
export function expectedTokens(logProbs: Float32Array, frames: number, speech: SpeechDescription): { readonly text: string; readonly tokens: readonly string[]; readonly seconds: readonly number[] } {
  const symbols = symbolsOf(speech).map(shownSymbol);
  const tokens: string[] = [];
  const seconds: number[] = [];
  let before = -1;
  const count = speech.tokens.length;
  for (let t = 0; t < frames; t++) {
    const [label] = greedyDecode({ data: logProbs.subarray(t * count, (t + 1) * count), frames: 1, tokens: count }, speech.blank).labels;
    if (label !== undefined && label !== before) {
      tokens.push(symbols[label]);
      seconds.push((t * speech.features.hopMs) / 1000);
    }
    before = label ?? -1;
  }
  return { text: tokens.join('').replace(/^ /, ''), tokens, seconds };
}

/** What is wrong with the tokens and times of a clip, a sentence; undefined when nothing is. */
export function timesFault({ audio }: GoldenClip, { tokens, timestamps }: Pick<SherpaResult, 'tokens' | 'timestamps'>, logProbs: Float32Array, frames: number, speech: SpeechDescription): string | undefined {
  const expected = expectedTokens(logProbs, frames, speech);
  if (tokens.join('\n') !== expected.tokens.join('\n')) return `The tokens of ${audio} are ${JSON.stringify(tokens)}, and ${JSON.stringify(expected.tokens)} were expected.`;
  const late = expected.seconds.findIndex((seconds, k) => Math.abs(timestamps[k] - seconds) > (slack * speech.features.hopMs) / 1000 + 0.006);
  return late < 0 ? undefined : `'${tokens[late].trim()}' of ${audio} begins at ${timestamps[late].toFixed(2)} s, and ${expected.seconds[late].toFixed(2)} s was expected: the frames of the output are not those of the features. Export again.`;
}
