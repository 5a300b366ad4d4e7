import { alignTokens, type EditCounts } from './alignment.ts';
import { normalisers, type NormaliserName } from './normalise-transcript.ts';

/** What is counted: words between blanks, characters (Unicode code points, a blank between words is one), or phones between blanks. */
export type ErrorUnit = 'word' | 'character' | 'phone';

/** What was said and what was heard. */
export interface Transcribed {
  readonly reference: string;
  readonly hypothesis: string;
}

/** The errors in one utterance. */
export interface UtteranceErrors extends EditCounts {
  /** Substitutions, deletions and insertions. */
  readonly errors: number;
  /** Units of the reference. */
  readonly length: number;
}

/** Word, character or phone error rate of a corpus. */
export interface ErrorRate extends UtteranceErrors {
  /** errors / length: above 1 when much is inserted; 0 for no errors in an empty reference, Infinity for some. */
  readonly rate: number;
  readonly unit: ErrorUnit;
  readonly normaliser: NormaliserName;
  /** Utterances with at least one error. */
  readonly wrongUtterances: number;
  /** Each utterance in the order given: what intervals and tests between systems need. */
  readonly utterances: readonly UtteranceErrors[];
}

/**
 * Corpus-level error rate: all substitutions, deletions and insertions over all units of the references, so that long utterances count
 * for more than short ones. Each utterance is aligned with the fewest edits (`alignTokens`).
 * @param normaliser `coppice-english-1` for words and characters when left out, `none` for phones
 */
export function errorRate(transcribed: readonly Transcribed[], unit: ErrorUnit = 'word', normaliser: NormaliserName = unit === 'phone' ? 'none' : 'coppice-english-1'): ErrorRate {
  const utterances = transcribed.map(({ reference, hypothesis }): UtteranceErrors => {
    const [wanted, heard] = [reference, hypothesis].map((text) => unitsOf(normalisers[normaliser](text), unit));
    const { hits, substitutions, deletions, insertions } = alignTokens(wanted, heard);
    return { hits, substitutions, deletions, insertions, errors: substitutions + deletions + insertions, length: wanted.length };
  });
  const total = (field: keyof UtteranceErrors): number => utterances.reduce((sum, utterance) => sum + utterance[field], 0);
  const [errors, length] = [total('errors'), total('length')];
  return {
    rate: rateOf(errors, length), unit, normaliser, errors, length,
    hits: total('hits'), substitutions: total('substitutions'), deletions: total('deletions'), insertions: total('insertions'),
    wrongUtterances: utterances.filter((utterance) => utterance.errors > 0).length,
    utterances,
  };
}

/** Errors over length; 0 when both are 0. */
export const rateOf = (errors: number, length: number): number => (errors === 0 ? 0 : errors / length);

const unitsOf = (text: string, unit: ErrorUnit): string[] => (unit === 'character' ? [...text] : text.split(' ').filter((word) => word !== ''));
