import { tokens } from '@coppice/core';
import { phones39, type DatasetFormat } from '@coppice/speech';
import { describeDataset } from '@coppice/testkit';
import { Container } from 'inversify';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { librispeech, librispeechModule, openLibriSpeech } from './index.ts';
import { writeTar, writeZip, type MadeEntry } from '../../speech/src/testing/archive-writer.ts';
import { writeFlac } from '../../speech/src/testing/flac-writer.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coppice-librispeech-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Few samples, different for each id. */
const samplesOf = (id: string, length = 40): number[] => Array.from({ length }, (_, t) => (t * 37 + [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)) % 500);

/** A chapter as it is published; utterances are `ID WORDS`, without the first parts of the id. */
function writeChapter(split: string, speaker: string, chapter: string, lines: readonly string[], phones?: readonly string[], { root = folder, length = 40 } = {}): string {
  const [at, stem] = [join(root, split, speaker, chapter), `${speaker}-${chapter}`];
  mkdirSync(at, { recursive: true });
  for (const line of lines) writeFileSync(join(at, `${stem}-${line.split(' ')[0]}.flac`), writeFlac(samplesOf(`${stem}-${line.split(' ')[0]}`, length), { blockSize: 576 }));
  writeFileSync(join(at, `${stem}.trans.txt`), lines.map((line) => `${stem}-${line}\n`).join(''));
  if (phones) writeFileSync(join(at, `${stem}.phones.txt`), phones.map((line) => `${stem}-${line}\n`).join(''));
  return at;
}

/** So many utterances of one word. */
const lines = (count: number): string[] => Array.from({ length: count }, (_, k) => `${String(k).padStart(4, '0')} WORD`);

/** An error with that code whose message has all those parts. */
const refused = (code: string, ...parts: string[]): Error => expect.objectContaining({ code, message: expect.stringMatching(new RegExp(parts.map((part) => `(?=[^]*${part.replace(/[{}.?]/g, '\\$&')})`).join(''))) as string }) as Error;

describe('openLibriSpeech', () => {
  it('reads the corpus from its folder, from the one around it, and from one part', async () => {
    writeChapter('LibriSpeech/train-clean-100', '103', '1240', ['0001 IT IS', '0000 CHAPTER ONE  MISSUS']);
    writeChapter('LibriSpeech/train-clean-100', '19', '198', ['0000 NORTHANGER ABBEY']);
    writeChapter('LibriSpeech/dev-clean', '1272', '128104', ['0000 MISTER QUILTER']);
    for (const name of ['README.TXT', 'SPEAKERS.TXT']) writeFileSync(join(folder, 'LibriSpeech', name), '');
    for (const path of [folder, join(folder, 'LibriSpeech')]) {
      const corpus = await openLibriSpeech(path);
      expect(corpus).toMatchObject({ name: 'librispeech', splits: ['train-clean-100', 'dev-clean', 'train', 'dev'], skipped: [], notes: ["'train' is the part 'train-clean-100'.", "'dev' is the part 'dev-clean'."] });
      expect((await corpus.utterances('train-clean-100')).map(({ id, transcript, speaker, phones }) => [id, transcript, speaker, phones])).toEqual([
        ['103-1240-0000', 'CHAPTER ONE MISSUS', '103', undefined], ['103-1240-0001', 'IT IS', '103', undefined], ['19-198-0000', 'NORTHANGER ABBEY', '19', undefined],
      ]);
      expect(await corpus.utterances('train')).toBe(await corpus.utterances('train-clean-100'));
    }
    const part = await openLibriSpeech(join(folder, 'LibriSpeech/dev-clean'));
    expect(part.splits).toEqual(['dev-clean', 'dev']);
    const [utterance] = await part.utterances('dev');
    const { samples, sampleRateHz } = await utterance.audio();
    expect([...samples]).toEqual(samplesOf('1272-128104-0000').map((value) => value / 32768));
    expect(sampleRateHz).toBe(16_000);
  });

  it('gives a part a short name only where it is clear which is meant', async () => {
    for (const [k, split] of ['train-clean-100', 'train-clean-360', 'test-clean', 'test', 'dev-other'].entries()) writeChapter(split, String(k), '1', lines(1));
    const corpus = await openLibriSpeech(folder);
    expect(corpus.splits).toEqual(['train-clean-100', 'train-clean-360', 'dev-other', 'test', 'test-clean', 'dev']);
    await expect(corpus.utterances('train')).rejects.toThrow(refused('COPPICE_DATASET_INVALID', "'train'", 'train-clean-100, train-clean-360'));
    expect(await corpus.utterances('test')).not.toEqual(await corpus.utterances('test-clean'));
  });

  it('gives the phones that lie beside the transcripts, without the marks between words', async () => {
    writeChapter('train', '5', '1', ['0000 MIKE IS', '0001 A'], ['0000 M_B AY0_I K_E | IH0_B Z_E']);
    const corpus = await openLibriSpeech(folder);
    const [first, second] = await corpus.utterances('train');
    expect(first.phones).toEqual(['M_B', 'AY0_I', 'K_E', 'IH0_B', 'Z_E']);
    expect(second.phones).toBeUndefined();
    expect(corpus.notes).toEqual([expect.stringMatching(/1 of 2 .*no phones.*5-1-0001/)]);
  });

  it('holds out the last speakers of train, and nobody else', async () => {
    for (const speaker of ['19', '103', '7', '2']) writeChapter('train-clean-100', speaker, '1', lines(3));
    writeChapter('dev-clean', '8', '1', lines(2));
    const whole = await openLibriSpeech(folder);
    const corpus = await openLibriSpeech(folder, { holdOut: 2 });
    expect(corpus.splits).toEqual([...whole.splits, 'heldOut']);
    const ids = async (split: string, from = corpus): Promise<string[]> => (await from.utterances(split)).map(({ id }) => id);
    expect([...new Set((await corpus.utterances('heldOut')).map(({ speaker }) => speaker))]).toEqual(['2', '7']);
    expect([...(await ids('train')), ...(await ids('heldOut'))].sort()).toEqual(await ids('train', whole));
    expect(await ids('train-clean-100')).toEqual(await ids('train'));
    expect(await ids('dev')).toEqual(await ids('dev', whole));
    expect(corpus.notes.at(-1)).toMatch(/6 utterances by 2, 7/);
    await expect(openLibriSpeech(folder, { holdOut: 4 })).rejects.toThrow(refused('COPPICE_ARGUMENT_INVALID', '4 speakers'));
    writeChapter('train-other-500', '9', '1', lines(1));
    await expect(openLibriSpeech(folder, { holdOut: 1 })).rejects.toThrow(refused('COPPICE_ARGUMENT_INVALID', 'train-clean-100, train-other-500'));
  });

  it('skips a small share without transcripts or recordings and says which, and refuses more', async () => {
    const whole = writeChapter('train', '5', '1', lines(200));
    rmSync(join(whole, '5-1-0007.flac'));
    writeFileSync(join(whole, '5-1-0500.flac'), writeFlac([1]));
    writeFileSync(join(whole, '._5-1-0000.flac'), 'hidden files are none');
    const corpus = await openLibriSpeech(folder);
    expect(corpus.skipped.map(({ file }) => file)).toEqual(['train/5/1/5-1-0500.flac', 'train/5/1/5-1-0007.flac']);
    expect(corpus.notes).toEqual([expect.stringMatching(/5-1-0500.flac.*no transcript/), expect.stringMatching(/5-1-0007.flac.*no such file/)]);
    expect(await corpus.utterances('train')).toHaveLength(199);
    writeFileSync(join(whole, 'other.flac'), writeFlac([1]));
    await expect(openLibriSpeech(folder)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', '3 of 202', '1 %', 'train/5/1/other.flac'));
    expect((await openLibriSpeech(folder, { maxBrokenShare: 0.02 })).skipped).toHaveLength(3);
  });

  it('says that an archive was unpacked by half', async () => {
    writeChapter('dev-clean', '5', '1', lines(4));
    rmSync(join(writeChapter('dev-clean', '6', '1', lines(4)), '6-1.trans.txt'));
    await expect(openLibriSpeech(folder)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', '4 of 8', '6-1.trans.txt', 'unpacked to its end?'));
  });

  it('refuses an id that is there twice, in one part or in two', async () => {
    const at = writeChapter('train', '5', '1', lines(3));
    writeChapter('dev', '5', '1', lines(1));
    await expect(openLibriSpeech(folder)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', "'5-1-0000'", 'train/5/1/5-1-0000.flac', 'dev/5/1/5-1-0000.flac'));
    rmSync(join(folder, 'dev'), { recursive: true });
    writeFileSync(join(at, '5-1-0001.FLAC'), writeFlac([1]));
    await expect(openLibriSpeech(folder)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', "'5-1-0001'", 'twice'));
    rmSync(join(at, '5-1-0001.FLAC'));
    writeFileSync(join(at, '5-1.trans.txt'), '5-1-0000 A\n5-1-0001 B\n5-1-0000 C\n5-1-0002 D\n');
    await expect(openLibriSpeech(folder)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', "'5-1-0000'", '5-1.trans.txt', 'twice'));
  });

  it('says at which level the folder lies, what was expected, and what was found', async () => {
    const expected = 'SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac';
    const says = async (path: string, ...parts: string[]): Promise<void> => expect(openLibriSpeech(path)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', expected, ...parts));
    await says(join(folder, 'missing'), 'There is no');
    await says(folder, 'is empty');
    writeFileSync(join(folder, 'dev-clean.tar.gz'), '');
    await says(folder, "Name the archive 'dev-clean.tar.gz' itself");
    await expect(openLibriSpeech(join(folder, 'dev-clean.tar.gz'))).rejects.toThrow(refused('COPPICE_DATASET_INVALID', 'is empty'));
    writeChapter('LibriSpeech/dev-clean', '5', '12', lines(2));
    await says(join(folder, 'LibriSpeech/dev-clean/5/12'), 'is a chapter', join(folder, 'LibriSpeech'));
    await says(join(folder, 'LibriSpeech/dev-clean/5'), 'one speaker', join(folder, 'LibriSpeech'));
    expect((await openLibriSpeech(folder)).splits).toContain('dev-clean');
    mkdirSync(join(folder, 'again'));
    symlinkSync(join(folder, 'LibriSpeech'), join(folder, 'again/LibriSpeech2'));
    symlinkSync(join(folder, 'LibriSpeech'), join(folder, 'again/LibriSpeech1'));
    await says(join(folder, 'again'), 'several corpora', "'LibriSpeech1', 'LibriSpeech2'");
    mkdirSync(join(folder, 'archives/dev-clean'), { recursive: true });
    renameSync(join(folder, 'LibriSpeech'), join(folder, 'archives/dev-clean/LibriSpeech'));
    await says(join(folder, 'archives'), 'too deep', 'dev-clean/LibriSpeech/dev-clean/5/12/5-12-0000.flac');
  });

  it('leaves out folders beside the parts that have recordings at another level, and says so', async () => {
    writeChapter('dev-clean', '5', '1', lines(2));
    writeChapter('extra/dev-other', '6', '1', lines(2));
    const corpus = await openLibriSpeech(folder);
    expect(corpus.splits).toEqual(['dev-clean', 'dev']);
    expect(corpus.notes[0]).toMatch(/extra.*wrong level/);
  });

  it('tells of a broken recording when it is asked for its sound', async () => {
    const at = writeChapter('dev', '5', '1', lines(3));
    writeFileSync(join(at, '5-1-0000.flac'), '');
    writeFileSync(join(at, '5-1-0001.flac'), readFileSync(join(at, '5-1-0001.flac')).subarray(0, 100));
    rmSync(join(at, '5-1-0002.flac'));
    mkdirSync(join(at, '5-1-0002.flac'));
    for (const utterance of await (await openLibriSpeech(folder)).utterances('dev')) await expect(utterance.audio()).rejects.toThrow(refused('COPPICE_AUDIO_INVALID', utterance.id));
  });
});

describe('librispeech', () => {
  it('is bound under its name', () => {
    const container = new Container();
    container.load(librispeechModule);
    expect(container.get<DatasetFormat>(tokens.Dataset, { name: 'librispeech' })).toBe(librispeech);
  });

  it('takes options as a command line gives them', async () => {
    for (const speaker of ['1', '2', '3']) writeChapter('train', speaker, '1', lines(1));
    const corpus = await librispeech.open(folder, { holdOut: '1', maxBrokenShare: 0 });
    expect((await corpus.utterances('heldOut')).map(({ id }) => id)).toEqual(['3-1-0000']);
  });

  it.each<[Record<string, string | number>, string, string]>([
    [{ held: 1 }, "'held'", 'holdOut'], [{ holdOut: 'many' }, "'holdOut'", "'many'"], [{ holdOut: 1.5 }, 'holdOut', '1.5'], [{ holdOut: -1 }, 'holdOut', '-1'], [{ maxBrokenShare: 2 }, 'maxBrokenShare', '2'],
  ])('refuses %j when it is opened', async (options, ...parts) => {
    writeChapter('train', '1', '1', lines(1));
    await expect(librispeech.open(folder, options)).rejects.toThrow(refused('COPPICE_ARGUMENT_INVALID', ...parts));
  });
});

const kept = mkdtempSync(join(tmpdir(), 'coppice-librispeech-suite-'));
afterAll(() => rmSync(kept, { recursive: true }));
for (const [k, split] of ['train-clean-100', 'train-clean-100', 'dev-clean', 'test-other'].entries()) writeChapter(split, String(10 + k), '1', lines(3), undefined, { root: kept, length: 5000 });
describeDataset('librispeech', () => openLibriSpeech(kept, { holdOut: 1 }), { disjointSpeakers: ['train-clean-100', 'heldOut', 'dev-clean', 'test-other'], heldBytes: 5e5 });

/** The corpus as archives, their entries in no order, as archives have them. */
const archives = { 'dev.tar': writeTar, 'dev-clean.tar.gz': (entries: readonly MadeEntry[]) => gzipSync(writeTar(entries)), 'dev.zip': writeZip };
const packed = readdirSync(kept, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort((a, b) => (a.split('').toReversed().join('') < b.split('').toReversed().join('') ? -1 : 1));
const madeEntries = packed.map((path): MadeEntry => ({ name: `LibriSpeech/${path.slice(kept.length + 1)}`, bytes: readFileSync(path) }));
const packedIn = mkdtempSync(join(tmpdir(), 'coppice-librispeech-archives-'));
afterAll(() => rmSync(packedIn, { recursive: true }));

for (const [name, make] of Object.entries(archives)) {
  writeFileSync(join(packedIn, name), make(madeEntries));
  describeDataset(`librispeech (${name})`, () => openLibriSpeech(join(packedIn, name), { holdOut: 1 }), { disjointSpeakers: ['train-clean-100', 'heldOut', 'dev-clean', 'test-other'], heldBytes: 1e6 });

  it(`says and sounds the same in ${name} as unpacked`, async () => {
    const [folderOne, archive] = [await openLibriSpeech(kept), await openLibriSpeech(join(packedIn, name))];
    expect(archive.splits).toEqual(folderOne.splits);
    for (const split of folderOne.splits) {
      const unpacked = new Map((await folderOne.utterances(split)).map((utterance) => [utterance.id, utterance]));
      const own = await archive.utterances(split);
      expect(own.map(({ id }) => id).sort()).toEqual([...unpacked.keys()].sort());
      for (const { id, transcript, audio } of own) {
        expect(transcript).toBe(unpacked.get(id)!.transcript);
        expect((await audio()).samples).toEqual((await unpacked.get(id)!.audio()).samples);
      }
    }
  });
}

it('reads an archive of one part whose speakers lie at its root, and says what a broken one is', async () => {
  const dev = madeEntries.filter(({ name }) => name.includes('/dev-clean/')).map(({ name, bytes }): MadeEntry => ({ name: name.replace('LibriSpeech/dev-clean/', ''), bytes }));
  writeFileSync(join(packedIn, 'dev-other.zip'), writeZip(dev));
  expect((await openLibriSpeech(join(packedIn, 'dev-other.zip'))).splits).toEqual(['dev-other', 'dev']);
  writeFileSync(join(packedIn, 'cut.tar.gz'), gzipSync(writeTar(madeEntries)).subarray(0, -200));
  await expect(openLibriSpeech(join(packedIn, 'cut.tar.gz'))).rejects.toThrow(refused('COPPICE_DATASET_INVALID', 'cut.tar.gz', 'cut off', 'Download it again'));
});

const shared = join(import.meta.dirname, '../../../../shared/data/speechocean762');

describe.skipIf(!existsSync(shared))('a real corpus in this layout', () => {
  describeDataset('speechocean762', () => openLibriSpeech(shared, { holdOut: 5 }), { disjointSpeakers: ['train', 'dev', 'heldOut'], heldBytes: 8e6 });

  it('is read whole, with phones that the alphabet of 39 can write and speakers that no two parts share', async () => {
    const corpus = await openLibriSpeech(shared, { holdOut: 5 });
    const alphabet = phones39();
    const files = readdirSync(shared, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.flac'));
    const seen = new Map<string, string>();
    let count = 0;
    for (const split of corpus.splits) {
      const utterances = await corpus.utterances(split);
      expect(utterances.map(({ id }) => id)).toEqual(utterances.map(({ id }) => id).sort());
      for (const { transcript, phones, speaker } of utterances) {
        count++;
        expect(transcript).toMatch(/^[A-Z']+( [A-Z']+)*$/);
        expect(alphabet.encode(phones!.join(' '))).toHaveLength(phones!.length);
        expect(seen.get(speaker) ?? split).toBe(split);
        seen.set(speaker, split);
      }
    }
    expect(corpus.splits).toEqual(['train', 'dev', 'heldOut']);
    expect(corpus.skipped).toEqual([]);
    expect(count).toBe(files.length);
  });
});
