import { CoppiceError } from '@coppice/graph';
import type { Dataset, Utterance } from '@coppice/speech';
import type { BrokenRecording, CorpusReport, Length, PartReport } from './corpus-report.ts';
import { findMistakes } from './mistakes.ts';

export interface CheckOptions {
  /** How the user called the corpus. */
  readonly name: string;
  /** Parts that are looked at; default all. */
  readonly splits?: readonly string[];
  /** So many recordings of each part are decoded, from all over it. */
  readonly decoded: number;
  readonly onProgress?: (text: string) => void;
}

/**
 * Looks at every transcript of a corpus and decodes its recordings, one after the other, so that no more than one is held.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for a part that there is not
 */
export async function checkCorpus(dataset: Dataset, { name, splits = dataset.splits, decoded, onProgress }: CheckOptions): Promise<CorpusReport> {
  const parts: PartReport[] = [];
  const broken: BrokenRecording[] = [];
  const speakers = new Map<string, ReadonlySet<string>>();
  const seen = new Map<string, { readonly split: string; readonly utterances: number }>();
  // The smaller of two parts of which one is within the other is told of too; only the same list is told of once.
  for (const split of splits) {
    const utterances = await dataset.utterances(split);
    const key = utterances.map(({ id }) => id).join('\n');
    const before = seen.get(key);
    if (before !== undefined) {
      parts.push({ ...nothing, split, sameAs: before.split, utterances: before.utterances });
      continue;
    }
    seen.set(key, { split, utterances: utterances.length });
    speakers.set(split, new Set(utterances.flatMap(({ speaker }) => speaker ?? [])));
    parts.push(await checkPart(split, utterances, decoded, broken, onProgress));
  }
  const report = { dataset: name, parts, skipped: dataset.skipped ?? [], broken, notes: dataset.notes ?? [] };
  return { ...report, mistakes: findMistakes(report, speakers) };
}

const nothing: PartReport = {
  split: '', utterances: 0, decoded: 0, hours: 0, speakers: 0, sampleRates: [], medianSeconds: 0, words: 0, distinctWords: 0, alphabet: {}, phones: {}, withoutPhones: 0, silent: 0, clipped: 0, tooMuchText: [],
};

async function checkPart(split: string, utterances: readonly Utterance[], atMost: number, broken: BrokenRecording[], onProgress: CheckOptions['onProgress']): Promise<PartReport> {
  const [alphabet, phones, rates, words] = [new Map<string, number>(), new Map<string, number>(), new Map<number, number>(), new Set<string>()];
  let [wordCount, withoutPhones] = [0, 0];
  for (const utterance of utterances) {
    for (const letter of utterance.transcript) count(alphabet, letter);
    for (const phone of utterance.phones ?? []) count(phones, phone);
    if (utterance.phones === undefined) withoutPhones++;
    const said = utterance.transcript.split(' ');
    wordCount += said.length;
    for (const word of said) words.add(word);
  }
  const lengths: Length[] = [];
  const tooMuchText: string[] = [];
  let [silent, clipped] = [0, 0];
  const chosen = spread(utterances, atMost);
  for (const [k, { id, transcript, audio }] of chosen.entries()) {
    if (k % 20 === 0) onProgress?.(`${split}: ${k} of ${chosen.length} recordings`);
    try {
      const { samples, sampleRateHz } = await audio();
      const seconds = samples.length / sampleRateHz;
      lengths.push({ id, seconds });
      count(rates, sampleRateHz);
      if (samples.every((value) => value === 0)) silent++;
      if (samples.reduce((sum, value) => sum + (Math.abs(value) >= 32_767 / 32_768 ? 1 : 0), 0) > samples.length / 1000) clipped++;
      if ([...transcript].length > 40 * seconds) tooMuchText.push(id);
    } catch (error) {
      if (!(error instanceof CoppiceError) || error.code !== 'COPPICE_AUDIO_INVALID') throw error;
      broken.push({ split, id, reason: error.message });
    }
  }
  lengths.sort((a, b) => a.seconds - b.seconds);
  const total = lengths.reduce((sum, { seconds }) => sum + seconds, 0);
  const ends = lengths.length === 0 ? {} : { shortest: lengths[0], longest: lengths.at(-1)! };
  return {
    split, utterances: utterances.length, decoded: chosen.length,
    hours: lengths.length === 0 ? 0 : (total / 3600) * (utterances.length / chosen.length),
    speakers: new Set(utterances.flatMap(({ speaker }) => speaker ?? [])).size,
    sampleRates: [...rates].sort((a, b) => b[1] - a[1]).map(([sampleRateHz, recordings]) => ({ sampleRateHz, recordings })),
    ...ends,
    medianSeconds: lengths[Math.floor(lengths.length / 2)]?.seconds ?? 0,
    words: wordCount, distinctWords: words.size, alphabet: sorted(alphabet), phones: sorted(phones), withoutPhones: phones.size === 0 ? 0 : withoutPhones, silent, clipped, tooMuchText,
  };
}

const count = <T>(counts: Map<T, number>, key: T): Map<T, number> => counts.set(key, (counts.get(key) ?? 0) + 1);

const sorted = (counts: ReadonlyMap<string, number>): Record<string, number> => Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));

/** At most so many, from all over the list and in its order, the first and the last among them. */
const spread = <T>(items: readonly T[], atMost: number): readonly T[] =>
  items.length <= atMost ? items : Array.from({ length: atMost }, (_, k) => items[atMost === 1 ? 0 : Math.round((k * (items.length - 1)) / (atMost - 1))]);
