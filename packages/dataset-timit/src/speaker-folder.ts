import { normaliseTranscript, type SkippedFile, type Utterance } from '@coppice/speech';
import { readAudio, readText, type FileTree } from '@coppice/speech/node';
import { posix } from 'node:path';
import type { ReadTimitOptions } from './options.ts';
import { foldPhone, timitLabels } from './phones.ts';

/** A phone and when it is said. */
export interface TimedPhone {
  readonly phone: string;
  readonly beginSeconds: number;
  readonly endSeconds: number;
}

/** One sentence by one speaker; its id is `FCJF0_SI1027`, whatever the spelling of the tree. */
export interface TimitUtterance extends Utterance {
  readonly speaker: string;
  readonly phones: readonly string[];
  /** `phones` with their times; where a glottal stop was left out there is a gap. */
  readonly alignment: readonly TimedPhone[];
  /** 1–8. */
  readonly region: number;
  /** From the folder of the corpus. */
  readonly file: string;
}

/** TIMIT's rate; times in label files are counted in its samples. */
const sampleRateHz = 16_000;

/** All sentences of a speaker, by id. */
export async function readSpeaker(tree: FileTree, folder: string, region: number, options: ReadTimitOptions): Promise<{ utterances: TimitUtterance[]; skipped: SkippedFile[] }> {
  const speaker = posix.basename(folder).toUpperCase();
  const { files } = await tree.list(folder);
  const sentences = new Map<string, Map<Kind, string>>();
  for (const name of files) {
    const [, stem, end] = /^(s[aix]\d+)\.(wav\.wav|wav|sph|flac|phn|txt|wrd)$/i.exec(name) ?? [];
    if (stem === undefined) continue;
    const own = sentences.get(stem.toUpperCase()) ?? new Map<Kind, string>();
    own.set(end.toLowerCase() as Kind, name);
    sentences.set(stem.toUpperCase(), own);
  }
  const [utterances, skipped]: [TimitUtterance[], SkippedFile[]] = [[], []];
  for (const [stem, own] of [...sentences].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (stem.startsWith('SA') && !options.sa) continue;
    const at = (name: string): string => posix.join(folder, name);
    const sound = (['wav.wav', 'wav', 'sph', 'flac'] as const).map((kind) => own.get(kind)).find((name) => name !== undefined);
    const [labels, text] = [own.get('phn'), own.get('txt')];
    const skip = (reason: string, name = sound ?? stem): unknown => skipped.push({ file: at(name), reason });
    if (sound === undefined) skip('there is no recording beside its labels; was the archive unpacked to its end?', `${stem}.WAV`);
    else if (labels === undefined) skip(`there is no ${stem}.PHN beside it`);
    else if (text === undefined) skip(`there is no ${stem}.TXT beside it`);
    else {
      const alignment = readLabels(await readText(tree, at(labels)), options.phones);
      const transcript = readSentence(await readText(tree, at(text)), options.text);
      if (typeof alignment === 'string') skip(alignment, labels);
      else if (transcript === '') skip('it has no sentence', text);
      else utterances.push({ id: `${speaker}_${stem}`, speaker, region, transcript, phones: alignment.map(({ phone }) => phone), alignment, file: at(sound), audio: () => readAudio(tree, at(sound)) });
    }
  }
  return { utterances, skipped };
}

type Kind = 'wav.wav' | 'wav' | 'sph' | 'flac' | 'phn' | 'txt' | 'wrd';

const known: ReadonlySet<string> = new Set(timitLabels);

/** Lines `BEGIN END LABEL`, in samples; or what is wrong, as the end of a sentence. */
function readLabels(text: string, set: ReadTimitOptions['phones']): TimedPhone[] | string {
  const alignment: TimedPhone[] = [];
  let last = 0;
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const [begin, end, label, ...more] = line.trim().split(/\s+/);
    const [from, to] = [Number(begin), Number(end)];
    if (label === undefined || more.length > 0 || !Number.isInteger(from) || !Number.isInteger(to) || from < last || to < from) return `line ${at + 1} is not 'BEGIN END PHONE' in order: '${line.trim().slice(0, 40)}'`;
    if (!known.has(label.toLowerCase())) return `line ${at + 1} has '${label}', which is no phone of TIMIT`;
    const phone = foldPhone(label, set);
    if (phone !== undefined) alignment.push({ phone, beginSeconds: from / sampleRateHz, endSeconds: to / sampleRateHz });
    last = to;
  }
  return alignment.length > 0 ? alignment : 'it has no phones';
}

/** `BEGIN END She had your dark suit.`, of which the words are wanted. */
function readSentence(text: string, kind: ReadTimitOptions['text']): string {
  const words = text.trim().replace(/^\d+\s+\d+\s+/, '');
  return kind === 'normalised' ? normaliseTranscript(words) : words.split(/\s+/).join(' ');
}
