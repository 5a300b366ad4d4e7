import { tokens } from '@coppice/core';
import type { DatasetFormat } from '@coppice/speech';
import { describeDataset } from '@coppice/testkit';
import { Container } from 'inversify';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeTar, writeZip, type MadeEntry } from '../../speech/src/testing/archive-writer.ts';
import { writeFlac } from '../../speech/src/testing/flac-writer.ts';
import { samplesNamed, writeWav } from '../../speech/src/testing/wav-writer.ts';
import { manifest, manifestModule, openManifest, type ManifestDataset } from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coppice-manifest-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Files by their path: text, the name of a recording to be made by its ending (`true`), or bytes. */
function write(files: Readonly<Record<string, string | Uint8Array | true>>, at = folder): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), content === true ? recording(path) : content);
  }
}
const recording = (path: string): Uint8Array => (path.endsWith('.flac') ? writeFlac(samplesNamed(path)) : writeWav(samplesNamed(path)));

const heard = async (path: string): Promise<number[]> => samplesNamed(path).map((value) => value / 32768);

const jsonLines = (...items: readonly object[]): string => items.map((item) => `${JSON.stringify(item)}\n`).join('');

/** Everything that lists say, by part. */
async function listed(dataset: ManifestDataset): Promise<Record<string, unknown[]>> {
  const parts: Record<string, unknown[]> = {};
  for (const split of dataset.splits) parts[split] = (await dataset.utterances(split)).map((utterance) => Object.fromEntries(Object.entries(utterance).filter(([name]) => name !== 'audio')));
  return parts;
}

const refused = (...parts: string[]): Error => expect.objectContaining({ code: 'COPPICE_DATASET_INVALID', message: expect.stringMatching(new RegExp(parts.map((part) => `(?=[^]*${part.replaceAll(/[{}.?|()[\]]/g, '\\$&')})`).join(''))) as string }) as Error;

describe('NeMo JSON lines', () => {
  it('are parts by the names of their files, with speakers, durations and phones where they are there', async () => {
    write({
      'audio/a.wav': true, 'audio/b.flac': true, 'audio/c.wav': true,
      'train_manifest.json': jsonLines({ audio_filepath: 'audio/a.wav', duration: 0.01, text: 'it  is ', speaker: 'ada' }, { audio_filepath: join(folder, 'audio/b.flac'), text: 'hé', phones: ['HH', 'EY'] }),
      'dev_manifest.jsonl': jsonLines({ audio_filepath: 'audio/c.wav', text: 'yes', speaker: 7 }),
      'README.md': 'not a list',
    });
    const corpus = await openManifest(folder);
    expect(await listed(corpus)).toEqual({
      train: [{ id: 'audio/a', transcript: 'it is', speaker: 'ada', seconds: 0.01 }, { id: join(folder, 'audio/b'), transcript: 'hé', phones: ['HH', 'EY'] }],
      dev: [{ id: 'audio/c', transcript: 'yes', speaker: '7' }],
    });
    const [a, b] = await corpus.utterances('train');
    expect([...(await a.audio()).samples]).toEqual(await heard('audio/a.wav'));
    expect([...(await b.audio()).samples]).toEqual(await heard('audio/b.flac'));
    expect((await listed(await openManifest(join(folder, 'dev_manifest.jsonl')))).dev).toHaveLength(1);
  });

  it('may cut utterances from a recording by offset and duration', async () => {
    write({ 'talk.wav': writeWav(samplesNamed('talk', 16_000)), 'train.json': jsonLines({ audio_filepath: 'talk.wav', offset: 0.25, duration: 0.5, text: 'a' }, { audio_filepath: 'talk.wav', offset: 0.75, duration: 0.5, text: 'b' }) });
    const [a, b] = await (await openManifest(folder)).utterances('train');
    expect([...(await a.audio()).samples]).toEqual(samplesNamed('talk', 16_000).slice(4000, 12_000).map((value) => value / 32768));
    await expect(b.audio()).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_AUDIO_INVALID', message: expect.stringMatching(/talk@0.75.*1.25.*1.00 s/) as string }));
  });

  it('are skipped line by line when they are broken, missing or mute, up to one in a hundred', async () => {
    const lines = Array.from({ length: 199 }, (_, k) => ({ audio_filepath: `${k}.wav`, text: 'word' }));
    write(Object.fromEntries(lines.map(({ audio_filepath: path }) => [path, true])));
    write({ 'train.json': `${jsonLines(...lines)}{"audio_filepath": "0.w\n` });
    const corpus = await openManifest(folder);
    expect(corpus.skipped).toEqual([{ split: 'train', file: 'train.json:200', reason: 'is not a JSON object' }]);
    expect(corpus.notes).toEqual([expect.stringContaining('train.json:200')]);
    write({ 'train.json': jsonLines(...lines, { audio_filepath: 'gone.wav', text: 'a' }, { audio_filepath: '0.wav', text: ' ' }, { text: 'b' }) });
    await expect(openManifest(folder)).rejects.toThrow(refused('3 of 202', "'train'", "gone.wav': is not there (train.json:200)", "0.wav': has no transcript (train.json:201)", "train.json:202': names no recording"));
    expect(await listed(await openManifest(folder, { maxBrokenShare: 0.02 }))).toMatchObject({ train: { length: 199 } });
  });
});

describe('CSV and TSV', () => {
  it('are read with quotes, semicolons, and columns of other names', async () => {
    write({ 'a.wav': true, 'b.wav': true, 'c.wav': true, 'calls.csv': '\uFEFFclip;said;who;Split\na.wav;"one; ""two""";ada;train\nb.wav;three;bob;validation\nc.wav;four;cy;test\n' });
    const corpus = await openManifest(folder, { pathColumn: 'Clip', textColumn: 'said', speakerColumn: 'who' });
    expect(corpus.splits).toEqual(['train', 'validation', 'test', 'dev']);
    expect((await listed(corpus)).train).toEqual([{ id: 'a', transcript: 'one; "two"', speaker: 'ada' }]);
    expect(await corpus.utterances('dev')).toBe(await corpus.utterances('validation'));
    await expect(openManifest(folder)).rejects.toThrow(refused('no column for the recording and the transcript', 'clip, said, who', 'pathColumn and textColumn'));
  });

  it('start paths where they are told to', async () => {
    write({ 'clips/a.wav': true, 'lists/train.csv': 'wav_filename,wav_filesize,transcript\na.wav,44,one\n' });
    await expect(openManifest(join(folder, 'lists'))).rejects.toThrow(refused("a.wav': is not there", 'root'));
    const corpus = await manifest.open(join(folder, 'lists'), { root: '../clips' });
    expect(await corpus.utterances('train')).toHaveLength(1);
  });

  it('say which line has too many columns', async () => {
    write({ 'a.wav': true, 'train.csv': 'path,text\na.wav,one\na.wav,one,two\n' });
    await expect(openManifest(folder)).rejects.toThrow(refused('1 of 2', "train.csv:3': has 3 columns, and the first line has 2"));
  });
});

/** Common Voice, with three speakers; quotes in a TSV belong to the sentence. */
const commonVoice = (end: string): Record<string, string | true> => ({
  [`cv/en/clips/cv_1${end}`]: true, [`cv/en/clips/cv_2${end}`]: true, [`cv/en/clips/cv_3${end}`]: true,
  'cv/en/train.tsv': 'client_id\tpath\tsentence\tup_votes\nada\tcv_1.mp3\t"He said so.\t2\n',
  'cv/en/dev.tsv': 'client_id\tpath\tsentence\tup_votes\nbob\tcv_2.mp3\tNo.\t2\n',
  'cv/en/test.tsv': 'client_id\tpath\tsentence\tup_votes\ncy\tcv_3.mp3\tYes.\t2\n',
  'cv/en/validated.tsv': 'client_id\tpath\tsentence\tup_votes\nada\tcv_1.mp3\t"He said so.\t2\n',
  'cv/en/reported.tsv': 'sentence\treason\nx\ty\n',
});

describe('Common Voice', () => {
  it('is read from its clips as WAV or FLAC, by its own parts', async () => {
    write(commonVoice('.flac'));
    const corpus = await openManifest(join(folder, 'cv'));
    expect(await listed(corpus)).toEqual({ train: [{ id: 'cv_1', transcript: '"He said so.', speaker: 'ada' }], dev: [{ id: 'cv_2', transcript: 'No.', speaker: 'bob' }], test: [{ id: 'cv_3', transcript: 'Yes.', speaker: 'cy' }] });
    expect(corpus.notes).toEqual([expect.stringMatching(/reported.tsv, validated.tsv/)]);
    expect([...(await (await corpus.utterances('dev'))[0].audio()).samples]).toEqual(await heard('cv/en/clips/cv_2.flac'));
  });

  it('is read from one list, whatever its name', async () => {
    write(commonVoice('.wav'));
    expect(await listed(await openManifest(join(folder, 'cv/en/validated.tsv')))).toEqual({ validated: [{ id: 'cv_1', transcript: '"He said so.', speaker: 'ada' }] });
  });

  it('is read as it is published, in MP3', async () => {
    write(commonVoice('.mp3'));
    const mp3 = join(import.meta.dirname, '../../speech/src/testing/sweep.mp3');
    for (const name of ['cv_1', 'cv_2', 'cv_3']) copyFileSync(mp3, join(folder, `cv/en/clips/${name}.mp3`));
    const corpus = await openManifest(join(folder, 'cv'));
    expect(await listed(corpus)).toMatchObject({ train: [{ id: 'cv_1' }], dev: [{ id: 'cv_2' }], test: [{ id: 'cv_3' }] });
    expect(await (await corpus.utterances('dev'))[0].audio()).toMatchObject({ sampleRateHz: 16_000, samples: { length: 12_000 } });
  });

  it('is refused in formats that are not decoded, with the command that converts it', async () => {
    write({ 'clips/a.opus': true, 'train.tsv': 'path\tsentence\na.opus\tYes.\n' });
    await expect(openManifest(folder)).rejects.toThrow(refused('None of the 1 recordings', 'ffmpeg -i a.opus -ac 1 a.wav'));
  });
});

describe("Hugging Face's audiofolder", () => {
  it('is read with one metadata file for all parts', async () => {
    write({ 'train/1.wav': true, 'test/2.wav': true, 'metadata.csv': 'file_name,transcription\ntrain/1.wav,one\ntest/2.wav,two\n' });
    expect(await listed(await openManifest(folder))).toEqual({ train: [{ id: 'train/1', transcript: 'one' }], test: [{ id: 'test/2', transcript: 'two' }] });
  });

  it('is read with one in each part, or in one folder that is train', async () => {
    write({ 'hf/train/1.wav': true, 'hf/train/metadata.jsonl': jsonLines({ file_name: '1.wav', text: 'one' }), 'hf/validation/2.wav': true, 'hf/validation/metadata.jsonl': jsonLines({ file_name: '2.wav', text: 'two' }), 'hf/README.md': '' });
    expect((await openManifest(folder)).splits).toEqual(['train', 'validation', 'dev']);
    expect(await listed(await openManifest(join(folder, 'hf/train')))).toEqual({ train: [{ id: '1', transcript: 'one' }] });
  });
});

/** A data directory of Kaldi with two recordings; the second is cut in two. */
const kaldi = (split: string, speaker: string): Record<string, string | Uint8Array> => ({
  [`wav/${split}1.wav`]: writeWav(samplesNamed(`${split}1`)), [`wav/${split}2.wav`]: writeWav(samplesNamed(`${split}2`, 1600)),
  [`data/${split}/wav.scp`]: `${split}1 wav/${split}1.wav\n${split}2   wav/${split}2.wav\n`,
  [`data/${split}/segments`]: `${speaker}-b ${split}2 0.02 0.06\n${speaker}-a ${split}1 0 -1\n${speaker}-c ${split}2 0.06 0.1\n`,
  [`data/${split}/text`]: `${speaker}-a one\n${speaker}-b two  three\n${speaker}-c four\n`,
  [`data/${split}/utt2spk`]: `${speaker}-a ${speaker}\n${speaker}-b ${speaker}\n${speaker}-c ${speaker}\n`,
});

describe('Kaldi', () => {
  it('is read with segments, sorted, its paths starting above data/', async () => {
    write({ ...kaldi('train', 'ada'), ...kaldi('test', 'bob') });
    const corpus = await openManifest(folder);
    expect(corpus.splits).toEqual(['train', 'test']);
    expect((await listed(corpus)).train).toEqual(['one', 'two three', 'four'].map((transcript, k) => ({ id: `ada-${'abc'[k]}`, transcript, speaker: 'ada' })));
    const [a, b] = await corpus.utterances('train');
    expect((await a.audio()).samples).toHaveLength(160);
    expect([...(await b.audio()).samples]).toEqual(samplesNamed('train2', 1600).slice(320, 960).map((value) => value / 32768));
    expect((await openManifest(join(folder, 'data/train'))).splits).toEqual(['train']);
    expect((await openManifest(join(folder, 'data/train/wav.scp'))).notes).toEqual(expect.any(Array));
  });

  it('refuses a command and does not run it', async () => {
    for (const command of [`touch ${join(folder, 'ran')} |`, `| touch ${join(folder, 'ran')}`, `sh -c "touch ${join(folder, 'ran')}" |  `]) {
      write({ 'wav.scp': `u1 ${command}\n`, text: 'u1 one\n' });
      await expect(openManifest(folder)).rejects.toThrow(refused('wav.scp:1 is a command', 'never run'));
    }
    expect(existsSync(join(folder, 'ran'))).toBe(false);
    write({ 'wav.scp': 'u1 raw.ark:128\n' });
    await expect(openManifest(folder)).rejects.toThrow(refused('wav.scp:1', 'archive of Kaldi'));
  });

  it('reads lists with any blanks in them, in time that grows with their length', async () => {
    write({ 'wav.scp': `u1\t a.wav \nu2 ${' '.repeat(200_000)}b c.wav${' '.repeat(200_000)}\n`, text: 'u1 \t one\nu2\ttwo\n', 'a.wav': true, 'b c.wav': true });
    expect((await listed(await openManifest(folder)))[basename(folder)]).toEqual([{ id: 'u1', transcript: 'one' }, { id: 'u2', transcript: 'two' }]);
  }, 5000);

  it('says what is missing', async () => {
    write({ 'wav.scp': 'u1 a.wav\nu2 b.wav\nu3 gone.wav\n', text: 'u1 one\nu3 three\nu4 four\n', 'a.wav': true, 'b.wav': true });
    await expect(openManifest(folder)).rejects.toThrow(refused('3 of 4', "u2': has no transcript", "u3': is 'gone.wav', which is not there", "u4': has a transcript"));
  });
});

/** Speech Commands with two words. */
const speechCommands: Record<string, string | true> = {
  'yes/ada_nohash_0.wav': true, 'yes/ada_nohash_1.wav': true, 'no/bob_nohash_0.wav': true, 'no/cy_nohash_0.wav': true, '_background_noise_/pink.wav': true,
  'validation_list.txt': 'no/bob_nohash_0.wav\n', 'testing_list.txt': 'no/cy_nohash_0.wav\n', 'LICENSE': '',
};

describe('Speech Commands', () => {
  it('has its parts by its lists and its speakers by the names of files', async () => {
    write(speechCommands);
    const corpus = await openManifest(folder);
    expect(await listed(corpus)).toEqual({
      train: [{ id: 'yes/ada_nohash_0', transcript: 'yes', speaker: 'ada' }, { id: 'yes/ada_nohash_1', transcript: 'yes', speaker: 'ada' }],
      dev: [{ id: 'no/bob_nohash_0', transcript: 'no', speaker: 'bob' }],
      test: [{ id: 'no/cy_nohash_0', transcript: 'no', speaker: 'cy' }],
    });
    expect(corpus.notes).toEqual([expect.stringContaining('_background_noise_')]);
    rmSync(join(folder, 'no/cy_nohash_0.wav'));
    await expect(openManifest(folder)).rejects.toThrow(refused("None of the 1 recordings of 'test'", 'testing_list.txt', 'unpacked to its end'));
  });
});

describe('openManifest', () => {
  it('refuses an id that is there twice, in one part or in two', async () => {
    write({ 'a.wav': true, 'train.csv': 'path,text\na.wav,one\n', 'test.csv': 'path,text\na.wav,one\n' });
    await expect(openManifest(folder)).rejects.toThrow(refused("'a'", 'twice', 'test.csv:2', 'train.csv:2', 'must not be tested on'));
  });

  it('says what it expected and what it found', async () => {
    await expect(openManifest(join(folder, 'gone'))).rejects.toThrow(refused('JSON lines', 'There is no'));
    await expect(openManifest(folder)).rejects.toThrow(refused('is empty'));
    write({ 'a/1.txt': '', 'b/2.txt': '', 'thing.parquet': '' });
    await expect(openManifest(folder)).rejects.toThrow(refused("'a', 'b', 'thing.parquet'"));
    await expect(openManifest(join(folder, 'thing.parquet'))).rejects.toThrow(refused('is none of these'));
    write({ 'train.csv': Uint8Array.of(0x70, 0xff, 0xfe) });
    await expect(openManifest(join(folder, 'train.csv'))).rejects.toThrow(refused('train.csv', 'UTF-8'));
    write({ 'x.csv': 'path,text\n"a,b\n' });
    await expect(openManifest(join(folder, 'x.csv'))).rejects.toThrow(refused('x.csv', 'is not a table'));
  });

  it('does not wait for a recording that is no file', async () => {
    write({ 'train.json': jsonLines({ audio_filepath: 'zero.wav', text: 'a' }, { audio_filepath: 'folder.wav', text: 'b' }), 'folder.wav/x': '' });
    symlinkSync('/dev/zero', join(folder, 'zero.wav'));
    await expect(openManifest(folder)).rejects.toThrow(refused('None of the 2', "zero.wav': is not there", "folder.wav': is not there"));
  });
});

describe('manifest', () => {
  it('is bound under its name', () => {
    const container = new Container();
    container.load(manifestModule);
    expect(container.get<DatasetFormat>(tokens.Dataset, { name: 'manifest' })).toBe(manifest);
  });

  it.each<[Record<string, string | number>, string, string]>([[{ text: 'x' }, "'text'", 'textColumn'], [{ maxBrokenShare: 2 }, 'maxBrokenShare', '2'], [{ maxBrokenShare: '' }, 'maxBrokenShare', 'between']])('refuses %j when it is opened', async (options, ...parts) => {
    await expect(manifest.open(folder, options)).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_ARGUMENT_INVALID', message: expect.stringMatching(new RegExp(parts.join('.*'))) as string }));
  });
});

const kept = mkdtempSync(join(tmpdir(), 'coppice-manifest-suite-'));
afterAll(() => rmSync(kept, { recursive: true }));
write({ ...kaldi('train', 'ada'), ...kaldi('dev', 'bob'), ...kaldi('test', 'cy') }, join(kept, 'kaldi'));
write(speechCommands, join(kept, 'commands'));
write(commonVoice('.wav'), join(kept, 'voice'));
for (const name of ['kaldi', 'commands', 'voice']) describeDataset(`manifest (${name})`, () => openManifest(join(kept, name)), { disjointSpeakers: ['train', 'dev', 'test'], heldBytes: 1e6 });

it.each([['speech_commands_v0.02.tar.gz', 'commands'], ['cv.zip', 'voice'], ['kaldi.tar', 'kaldi']])('reads %s as it was downloaded', async (name, from) => {
  const root = join(kept, from);
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry): MadeEntry => {
    const path = join(entry.parentPath, entry.name);
    return { name: `./${path.slice(root.length + 1)}`, bytes: readFileSync(path) };
  });
  write({ [name]: name.endsWith('zip') ? writeZip(entries) : name.endsWith('gz') ? gzipSync(writeTar(entries)) : writeTar(entries) });
  const [unpacked, archive] = [await openManifest(root), await openManifest(join(folder, name))];
  const said = async (dataset: ManifestDataset): Promise<unknown[]> => {
    const all = await Promise.all(dataset.splits.map((split) => dataset.utterances(split)));
    return Promise.all(all.flat().toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(async ({ id, transcript, speaker, audio }) => [id, transcript, speaker, (await audio()).samples]));
  };
  expect(await said(archive)).toEqual(await said(unpacked));
});

it('reads nothing that lies outside an archive', async () => {
  write({ 'outside.wav': true, 'x.tar': writeTar([{ name: 'train.csv', bytes: Buffer.from(`path,text\n${join(folder, 'outside.wav')},one\n../outside.wav,two\n`) }]) });
  await expect(openManifest(join(folder, 'x.tar'))).rejects.toThrow(refused('None of the 2', 'is not there'));
});

const fsdd = join(import.meta.dirname, '../../../../shared/data/fsdd');

describe.skipIf(!existsSync(fsdd))('real recordings', () => {
  it('are the same through Kaldi, Speech Commands and NeMo', async () => {
    const files = readdirSync(fsdd).filter((name) => /_(0|5|9)\.wav$/.test(name)).sort();
    const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
    const wordOf = (file: string): string => words[Number(file[0])];
    const speakerOf = (file: string): string => file.split('_')[1];
    write({
      'nemo/train.json': jsonLines(...files.map((file) => ({ audio_filepath: join(fsdd, file), text: wordOf(file), speaker: speakerOf(file) }))),
      'kaldi/wav.scp': files.map((file) => `${file} ${join(fsdd, file)}\n`).join(''), 'kaldi/text': files.map((file) => `${file} ${wordOf(file)}\n`).join(''), 'kaldi/utt2spk': files.map((file) => `${file} ${speakerOf(file)}\n`).join(''),
      'commands/validation_list.txt': '\n',
    });
    for (const file of files) {
      const at = join(folder, 'commands', wordOf(file), `${speakerOf(file)}_nohash_${file}`);
      mkdirSync(dirname(at), { recursive: true });
      symlinkSync(join(fsdd, file), at);
    }
    const said = async (dataset: ManifestDataset): Promise<string[]> => Promise.all((await dataset.utterances(dataset.splits[0])).map(async ({ transcript, speaker, audio }) => {
      const { samples, sampleRateHz } = await audio();
      return `${transcript} ${speaker} ${sampleRateHz} ${samples.length} ${samples.reduce((sum, value) => sum + Math.abs(value), 0)}`;
    }));
    const [nemo, kaldiOnes, commands] = [await said(await openManifest(join(folder, 'nemo'))), await said(await openManifest(join(folder, 'kaldi'))), await said(await openManifest(join(folder, 'commands')))];
    expect(nemo).toHaveLength(files.length);
    expect(kaldiOnes.sort()).toEqual(nemo.toSorted());
    expect(commands.sort()).toEqual(nemo.toSorted());
  });
});
