import { CoppiceError } from '@coppice/graph';
import type { Hypothesis } from './decode.ts';
import type { LogProbs } from './log-probs.ts';

/** What a language model says of the next word. */
export interface LanguageModel {
  /** Natural logarithm of the probability of a word after the words before it. Words are labels without boundaries. */
  score(before: readonly (readonly number[])[], word: readonly number[]): number;
  /** How much it counts beside the recording. Hannun et al. 2014, alpha. */
  readonly alpha: number;
  /** What each word adds, against the model's liking for few words; beta. Default 0. */
  readonly beta?: number;
  /** The token between words; when left out every token is a word. */
  readonly boundary?: number;
}

/** What `createBeamSearch` takes. */
export interface BeamSearchOptions {
  /** Default 0. */
  readonly blank?: number;
  /** Labellings that are kept after each frame. Default 16. */
  readonly width?: number;
  /** Tokens of a lower log-probability in a frame start nothing new there, which saves time. Default −Infinity: all do. */
  readonly leastLogProb?: number;
  readonly languageModel?: LanguageModel;
}

/** A labelling of a beam. */
export interface ScoredHypothesis extends Hypothesis {
  /** `logProb` + alpha · Σ log p(word) + beta · words: what they are ranked by. The same as `logProb` without a language model. */
  readonly score: number;
}

/** A search through a recording that comes in pieces. */
export interface BeamSearch {
  /** Takes the next frames. */
  push(logProbs: LogProbs): void;
  /** The best labellings of what was heard so far, best first; a word that is not closed counts as a word. Default 1. */
  best(count?: number): ScoredHypothesis[];
}

/** A labelling as a place in the tree of all of them, so that the many that begin alike share their beginning. */
interface Prefix {
  readonly token: number;
  readonly parent: Prefix | undefined;
  readonly children: Map<number, Prefix>;
  /** Score of the words that are closed. */
  readonly language: number;
  /** Whether it is in the beam. */
  kept: boolean;
}

/** Log-probability of the paths that spell a prefix and end in a blank, and in its last label. */
interface Ending {
  readonly prefix: Prefix;
  blank: number;
  label: number;
}

/**
 * Prefix beam search: follows the likeliest labellings rather than paths, each with the sum of its paths. Hannun et al. 2014, "First-pass
 * large vocabulary continuous speech recognition using bi-directional recurrent DNNs", algorithm 1. With a width beyond the number of
 * labellings it is exact. Of equals the one found first is kept, so results are the same on every machine; pieces give the same as the whole.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` for a width that is not a whole number from 1
 */
export function createBeamSearch({ blank = 0, width = 16, leastLogProb = -Infinity, languageModel }: BeamSearchOptions = {}): BeamSearch {
  if (!Number.isInteger(width) || width < 1) throw new CoppiceError('COPPICE_CONFIG_INVALID', `The width of a beam search is ${width}; give a whole number from 1, usually 8 to 100.`);
  const root: Prefix = { token: -1, parent: undefined, children: new Map(), language: 0, kept: true };
  let beam: readonly Ending[] = [{ prefix: root, blank: 0, label: -Infinity }];

  /** The prefix one token longer. */
  const longer = (parent: Prefix, token: number): Prefix =>
    parent.children.get(token) ?? { token, parent, children: new Map(), language: parent.language + closedWord(parent, token, languageModel), kept: false };

  const step = (frame: Float32Array | Float64Array): void => {
    const endings = new Map<Prefix, Ending>();
    const made = new Map<Prefix, Map<number, Ending>>();
    const at = (prefix: Prefix): Ending => {
      const ending = endings.get(prefix) ?? { prefix, blank: -Infinity, label: -Infinity };
      endings.set(prefix, ending);
      return ending;
    };
    /** A prefix that is not in the tree yet is known by its parent for the time of one frame. */
    const extended = (parent: Prefix, token: number): Ending => {
      const known = parent.children.get(token);
      if (known !== undefined) return at(known);
      const siblings = made.get(parent) ?? new Map<number, Ending>();
      made.set(parent, siblings);
      const ending = siblings.get(token) ?? at(longer(parent, token));
      siblings.set(token, ending);
      return ending;
    };
    for (const { prefix, blank: inBlank, label: inLabel } of beam) {
      const same = at(prefix);
      same.blank = logAdd(same.blank, logAdd(inBlank, inLabel) + frame[blank]);
      if (prefix !== root) same.label = logAdd(same.label, inLabel + frame[prefix.token]);
      for (let token = 0; token < frame.length; token++) {
        // A NaN is below no floor.
        if (token === blank || frame[token] < leastLogProb || frame[token] === -Infinity) continue;
        // The same label again needs a blank between.
        const from = token === prefix.token ? inBlank : logAdd(inBlank, inLabel);
        if (from === -Infinity) continue;
        const next = extended(prefix, token);
        next.label = logAdd(next.label, from + frame[token]);
      }
    }
    const kept = [...endings.values()].sort((a, b) => rank(b) - rank(a)).slice(0, width);
    for (const { prefix } of beam) prefix.kept = false;
    for (const { prefix } of kept) {
      prefix.kept = true;
      prefix.parent?.children.set(prefix.token, prefix);
    }
    for (const { prefix } of beam) forget(prefix);
    beam = kept;
  };

  return {
    push({ data, frames, tokens }) {
      for (let t = 0; t < frames; t++) step(data.subarray(t * tokens, (t + 1) * tokens));
    },
    best(count = 1) {
      return beam
        .map((ending) => {
          const logProb = logAdd(ending.blank, ending.label);
          return { labels: labelsOf(ending.prefix), logProb, score: logProb + ending.prefix.language + openWord(ending.prefix, languageModel) };
        })
        .filter(({ logProb }) => logProb !== -Infinity)
        .sort((a, b) => b.score - a.score)
        .slice(0, count);
    },
  };
}

/** Prefix beam search through a whole recording [time, token], best first; see `createBeamSearch`. */
export function beamSearch(logProbs: LogProbs, options: BeamSearchOptions & { readonly count?: number } = {}): ScoredHypothesis[] {
  const search = createBeamSearch(options);
  search.push(logProbs);
  return search.best(options.count);
}

const rank = ({ prefix, blank, label }: Ending): number => logAdd(blank, label) + prefix.language;

/** Cuts a labelling that nothing in the beam is or begins with off the tree, so that a long recording needs no more memory than a short one. */
function forget(prefix: Prefix): void {
  let node = prefix;
  while (!node.kept && node.children.size === 0 && node.parent !== undefined) {
    if (node.parent.children.get(node.token) === node) node.parent.children.delete(node.token);
    node = node.parent;
  }
}

function labelsOf(prefix: Prefix): number[] {
  const labels: number[] = [];
  for (let node = prefix; node.parent !== undefined; node = node.parent) labels.push(node.token);
  return labels.toReversed();
}

/** What a token adds by closing a word. */
function closedWord(parent: Prefix, token: number, model: LanguageModel | undefined): number {
  if (model === undefined) return 0;
  if (model.boundary === undefined) return wordScore(labelsOf(parent).map((label) => [label]), [token], model);
  return token === model.boundary ? openWord(parent, model) : 0;
}

/** What the last word would add if it were closed here. */
function openWord(prefix: Prefix, model: LanguageModel | undefined): number {
  if (model?.boundary === undefined || prefix.parent === undefined || prefix.token === model.boundary) return 0;
  const words = wordsOf(labelsOf(prefix), model.boundary);
  return wordScore(words.slice(0, -1), words.at(-1)!, model);
}

const wordScore = (before: readonly (readonly number[])[], word: readonly number[], model: LanguageModel): number => model.alpha * model.score(before, word) + (model.beta ?? 0);

/** Labels between boundaries; boundaries side by side make no empty word. */
function wordsOf(labels: readonly number[], boundary: number): number[][] {
  const words: number[][] = [[]];
  for (const label of labels) {
    if (label !== boundary) words.at(-1)!.push(label);
    else if (words.at(-1)!.length > 0) words.push([]);
  }
  return words.filter(({ length }) => length > 0);
}

function logAdd(a: number, b: number): number {
  const top = Math.max(a, b);
  return top === -Infinity ? top : top + Math.log1p(Math.exp(Math.min(a, b) - top));
}
