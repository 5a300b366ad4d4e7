import { countOf, formatShare } from '../human-numbers.ts';
import { ownParts, type CorpusReport, type PartReport } from './corpus-report.ts';

/** Share of recordings that may be broken or left out before something must be wrong. */
export const mostBroken = 0.01;

/** Utterances longer than this fill the memory of a training step, and hardly any corpus means them. */
const longSeconds = 40;

/**
 * What is likely wrong with a corpus, a sentence each with what to do.
 * @param speakers of each part
 */
export function findMistakes(report: Omit<CorpusReport, 'mistakes'>, speakers: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const parts = ownParts(report);
  return [...ofFiles(report, parts), ...parts.flatMap(ofPart), ...betweenParts(parts, speakers)];
}

function ofFiles({ broken, skipped }: Omit<CorpusReport, 'mistakes'>, parts: readonly PartReport[]): string[] {
  const found: string[] = [];
  const [decoded, all] = [sum(parts, 'decoded'), sum(parts, 'utterances')];
  if (broken.length > mostBroken * decoded) {
    const cut = broken.filter(({ reason }) => /cut off|is empty|should have/.test(reason)).length;
    const lfs = broken.some(({ reason }) => reason.includes('Git LFS'));
    const why = lfs ? 'they are pointers of Git LFS: run git lfs pull' : cut > broken.length / 2 ? 'most are cut off, as after a download or an unpacking that was interrupted: do it again' : 'convert or remove them';
    found.push(`${formatShare(broken.length / decoded)} of the recordings cannot be decoded; ${why}.`);
  }
  if (skipped.length > mostBroken * (all + skipped.length)) {
    const half = skipped.filter(({ reason }) => reason.includes('unpacked to its end')).length;
    const why = half > skipped.length / 2 ? 'most of them look like an archive that was unpacked by half: unpack it again' : 'see the list';
    found.push(`${countOf(skipped.length, 'recording')} of ${all + skipped.length} ${skipped.length === 1 ? 'is' : 'are'} left out; ${why}.`);
  }
  return found;
}

function ofPart({ split, sampleRates, silent, clipped, tooMuchText, longest, withoutPhones, decoded, distinctWords, utterances }: PartReport): string[] {
  const found: string[] = [];
  const say = (text: string): unknown => found.push(`'${split}': ${text}`);
  if (sampleRates.length > 1) say(`recordings have ${sampleRates.length} sample rates (${sampleRates.map(({ sampleRateHz, recordings }) => `${recordings} × ${sampleRateHz} Hz`).join(', ')}); they are resampled, but sound cannot be added that was never there.`);
  if (silent > 0) say(`${countOf(silent, 'recording')} of ${decoded} ${silent === 1 ? 'is' : 'are'} silent throughout.`);
  if (clipped > decoded / 10) say(`${clipped} of ${decoded} recordings are clipped.`);
  if (tooMuchText.length > 0) say(`${countOf(tooMuchText.length, 'transcript')} of ${decoded} ${tooMuchText.length === 1 ? 'is' : 'are'} longer than anybody can say in that time, e.g. of ${tooMuchText[0]}; recordings and transcripts may not belong together.`);
  if (longest !== undefined && longest.seconds > longSeconds) say(`the longest recording has ${longest.seconds.toFixed(0)} s (${longest.id}); cut it, or a batch with it fills the memory.`);
  if (withoutPhones > 0) say(`${countOf(withoutPhones, 'utterance')} of ${utterances} ${withoutPhones === 1 ? 'has' : 'have'} no phones, and the others have.`);
  if (utterances > 20 && distinctWords === 1) say('every transcript is the same word; a column may have been taken for another.');
  return found;
}

function betweenParts(parts: readonly PartReport[], speakers: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const found: string[] = [];
  const train = parts.find(({ split }) => split.startsWith('train'));
  if (train === undefined || train.utterances === 0) return found;
  const known = speakers.get(train.split) ?? new Set();
  for (const other of parts.filter((part) => part !== train && !part.split.startsWith('train') && part.utterances > 0)) {
    const shared = [...(speakers.get(other.split) ?? [])].filter((speaker) => known.has(speaker)).length;
    if (shared > 0) found.push(`'${other.split}' shares ${countOf(shared, 'speaker')} with '${train.split}'; results on it say little about voices that the model never heard.`);
    const strange = Object.keys(other.alphabet).filter((letter) => !(letter in train.alphabet));
    const cases = strange.length > 0 && strange.every((letter) => letter.toLowerCase() in train.alphabet || letter.toUpperCase() in train.alphabet);
    if (strange.length > 0) found.push(`'${other.split}' has characters that '${train.split}' has not: ${strange.slice(0, 10).join(' ')}${strange.length > 10 ? ' …' : ''}${cases ? ' (upper and lower case are mixed)' : ''}.`);
  }
  return found;
}

const sum = (parts: readonly PartReport[], key: 'decoded' | 'utterances'): number => parts.reduce((total, part) => total + part[key], 0);
