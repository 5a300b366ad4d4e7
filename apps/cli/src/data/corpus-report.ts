import type { SkippedFile } from '@coppice/speech';

/** What `coppice data check` tells of a corpus. */
export interface CorpusReport {
  readonly dataset: string;
  readonly parts: readonly PartReport[];
  /** What the corpus left out when it was opened. */
  readonly skipped: readonly SkippedFile[];
  /** Recordings that cannot be decoded, of those that were. */
  readonly broken: readonly BrokenRecording[];
  readonly notes: readonly string[];
  /** What is likely wrong, a sentence each. */
  readonly mistakes: readonly string[];
}

export interface BrokenRecording {
  readonly split: string;
  readonly id: string;
  readonly reason: string;
}

/** One part of a corpus. */
export interface PartReport {
  readonly split: string;
  /** The part that has the same utterances; nothing more is told of this one then. */
  readonly sameAs?: string;
  readonly utterances: number;
  /** Recordings that were decoded. */
  readonly decoded: number;
  /** Of sound; estimated from what was decoded where that is not all. */
  readonly hours: number;
  readonly speakers: number;
  readonly sampleRates: readonly { readonly sampleRateHz: number; readonly recordings: number }[];
  readonly shortest?: Length;
  readonly longest?: Length;
  readonly medianSeconds: number;
  readonly words: number;
  readonly distinctWords: number;
  /** Characters of transcripts, by code point, and how often each is there. */
  readonly alphabet: Readonly<Record<string, number>>;
  /** Phones, likewise; empty where the corpus has none. */
  readonly phones: Readonly<Record<string, number>>;
  /** Utterances without phones in a part that has some. */
  readonly withoutPhones: number;
  /** Decoded recordings in which no sample differs from 0. */
  readonly silent: number;
  /** Decoded recordings in which one sample in a thousand is at the limit. */
  readonly clipped: number;
  /** Decoded recordings with more than 40 characters a second, which nobody says. */
  readonly tooMuchText: readonly string[];
}

export interface Length {
  readonly id: string;
  readonly seconds: number;
}

/** Names of parts that are told apart: those that stand for another one are not. */
export const ownParts = ({ parts }: Pick<CorpusReport, 'parts'>): readonly PartReport[] => parts.filter(({ sameAs }) => sameAs === undefined);
