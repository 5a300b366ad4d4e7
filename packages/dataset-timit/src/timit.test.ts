import { tokens } from '@coppice/core';
import type { DatasetFormat } from '@coppice/speech';
import { decodeFlac } from '@coppice/speech/flac';
import { describeDataset, type DatasetCheckOptions } from '@coppice/testkit';
import { Container } from 'inversify';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeTar, writeZip, type MadeEntry } from '../../speech/src/testing/archive-writer.ts';
import { writeSphere } from '../../speech/src/testing/sphere-writer.ts';
import { samplesNamed, writeWav } from '../../speech/src/testing/wav-writer.ts';
import { openTimit, timit, timitModule, type TimitUtterance } from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coppice-timit-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Two speakers of each part; the last one of the test part is in neither of its smaller parts. */
const speakers = ['TRAIN/DR1/FCJF0', 'TRAIN/DR8/MTCS0', 'TEST/DR1/FAKS0', 'TEST/DR4/FSEM0', 'TEST/DR1/MDAB0', 'TEST/DR1/FELC0', 'TEST/DR1/MSJS1'];
const sentences = ['SA1', 'SI1027', 'SX37'];
const labels = '0 40 h#\n40 80 q\n80 100 ax-h\n100 120 TCL\n120 200 ix\n200 220 h#\n';

/** How a copy of the corpus is spelt. */
interface Spelling {
  readonly lower?: boolean;
  readonly kind?: 'sphere' | 'big sphere' | 'wav' | 'both';
  readonly around?: string;
  readonly length?: number;
}

function writeTimit(at: string, { lower = false, kind = 'sphere', around = '', length = 160 }: Spelling = {}): void {
  const spelt = (name: string): string => (lower ? name.toLowerCase() : name);
  for (const speaker of speakers) {
    for (const sentence of sentences) {
      const stem = join(at, around, spelt(`${speaker}/${sentence}`));
      const samples = samplesNamed(`${speaker}/${sentence}`, length);
      mkdirSync(dirname(stem), { recursive: true });
      if (kind === 'wav') writeFileSync(`${stem}${spelt('.WAV')}`, writeWav(samples));
      else writeFileSync(`${stem}${spelt('.WAV')}`, writeSphere(samples, { order: kind === 'big sphere' ? '10' : '01' }));
      if (kind === 'both') writeFileSync(`${stem}.WAV.wav`, writeWav(samples));
      writeFileSync(`${stem}${spelt('.PHN')}`, labels);
      writeFileSync(`${stem}${spelt('.TXT')}`, `0 ${length} Don't ask ${sentence}, she said.\r\n`);
      writeFileSync(`${stem}${spelt('.WRD')}`, '0 10 don\'t\n');
    }
  }
  mkdirSync(join(at, around, spelt('DOC')), { recursive: true });
}

const ids = (utterances: readonly TimitUtterance[]): string[] => utterances.map(({ id }) => id);
const refused = (...parts: string[]): Error => expect.objectContaining({ code: 'COPPICE_DATASET_INVALID', message: expect.stringMatching(new RegExp(parts.map((part) => `(?=[^]*${part.replaceAll(/[.?()]/g, '\\$&')})`).join(''))) as string }) as Error;

describe('openTimit', () => {
  it.each<[string, Spelling]>([
    ['SPHERE in capitals', {}], ['SPHERE in small letters', { lower: true }], ['big-endian SPHERE', { kind: 'big sphere' }], ['RIFF under the name .WAV', { kind: 'wav' }],
    ['.WAV.wav beside .WAV', { kind: 'both', around: 'data' }], ['folders around it', { around: 'timit/TIMIT' }],
  ])('reads the same from %s', async (_, spelling) => {
    writeTimit(folder, spelling);
    const corpus = await openTimit(folder);
    expect(corpus.splits).toEqual(['train', 'dev', 'test', 'test-complete']);
    expect(ids(await corpus.utterances('train'))).toEqual(['FCJF0_SI1027', 'FCJF0_SX37', 'MTCS0_SI1027', 'MTCS0_SX37']);
    expect(ids(await corpus.utterances('dev'))).toEqual(['FAKS0_SI1027', 'FAKS0_SX37', 'FSEM0_SI1027', 'FSEM0_SX37']);
    expect(ids(await corpus.utterances('test'))).toEqual(['FELC0_SI1027', 'FELC0_SX37', 'MDAB0_SI1027', 'MDAB0_SX37']);
    expect(await corpus.utterances('test-complete')).toHaveLength(10);
    const [first] = await corpus.utterances('train');
    expect(first).toMatchObject({ speaker: 'FCJF0', region: 1, transcript: "don't ask si1027 she said", phones: ['sil', 'ah', 'sil', 'ih', 'sil'] });
    expect(first.alignment.slice(0, 2)).toEqual([{ phone: 'sil', beginSeconds: 0, endSeconds: 40 / 16_000 }, { phone: 'ah', beginSeconds: 80 / 16_000, endSeconds: 100 / 16_000 }]);
    const { samples, sampleRateHz } = await first.audio();
    expect([...samples]).toEqual(samplesNamed('TRAIN/DR1/FCJF0/SI1027').map((value) => value / 32_768));
    expect(sampleRateHz).toBe(16_000);
  });

  it('says how many speakers are not there', async () => {
    writeTimit(folder);
    expect((await openTimit(folder)).notes).toEqual(["'train' has 2 speakers; in the published corpus it has 462.", "'dev' has 2 speakers; in the published corpus it has 50.", "'test' has 2 speakers; in the published corpus it has 24.", "'test-complete' has 5 speakers; in the published corpus it has 168."]);
  });

  it('leaves SA sentences out unless they are asked for, and has phones in the set that is asked for', async () => {
    writeTimit(folder);
    expect(await (await openTimit(folder, { sa: true })).utterances('train')).toHaveLength(6);
    expect((await (await openTimit(folder, { phones: 48 })).utterances('train'))[0].phones).toEqual(['sil', 'ax', 'cl', 'ix', 'sil']);
    expect((await (await openTimit(folder, { phones: 61 })).utterances('train'))[0].phones).toEqual(['h#', 'q', 'ax-h', 'tcl', 'ix', 'h#']);
    expect((await (await openTimit(folder, { text: 'written' })).utterances('train'))[0].transcript).toBe("Don't ask SI1027, she said.");
  });

  it('reads one part by its own name', async () => {
    writeTimit(folder);
    expect((await openTimit(join(folder, 'TEST'))).splits).toEqual(['dev', 'test', 'test-complete']);
  });

  it('skips what is missing or broken, up to one in a hundred', async () => {
    writeTimit(folder);
    const at = join(folder, 'TRAIN/DR1/FCJF0');
    rmSync(join(at, 'SI1027.PHN'));
    await expect(openTimit(folder)).rejects.toThrow(refused("1 of 4 recordings of 'train'", "SI1027.WAV': there is no SI1027.PHN", 'Unpack'));
    const corpus = await openTimit(folder, { maxBrokenShare: 0.5 });
    expect(ids(await corpus.utterances('train'))).toEqual(['FCJF0_SX37', 'MTCS0_SI1027', 'MTCS0_SX37']);
    for (const [text, reason] of [['0 10 h#\n5 20 aa\n', "line 2 is not 'BEGIN END PHONE' in order"], ['0 10 zz\n', "'zz', which is no phone"], ['', 'it has no phones'], ['0 10\n', 'line 1 is not']]) {
      writeFileSync(join(at, 'SI1027.PHN'), text);
      await expect(openTimit(folder)).rejects.toThrow(refused(reason));
    }
    writeFileSync(join(at, 'SI1027.PHN'), labels);
    rmSync(join(at, 'SI1027.WAV'));
    await expect(openTimit(folder)).rejects.toThrow(refused('there is no recording beside its labels', 'unpacked to its end'));
  });

  it('tells of a recording that is compressed with shorten when its sound is asked for', async () => {
    writeTimit(folder);
    writeFileSync(join(folder, 'TRAIN/DR1/FCJF0/SI1027.WAV'), writeSphere([1, 2], { coding: 'pcm,embedded-shorten-v1.09' }));
    const [first] = await (await openTimit(folder)).utterances('train');
    await expect(first.audio()).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_AUDIO_INVALID', message: expect.stringMatching(/SI1027.WAV.*shorten.*sph2pipe/) as string }));
  });

  it('says what it expected and what it found', async () => {
    await expect(openTimit(join(folder, 'gone'))).rejects.toThrow(refused('TRAIN and TEST', 'There is no'));
    await expect(openTimit(folder)).rejects.toThrow(refused('is empty'));
    writeTimit(folder);
    await expect(openTimit(join(folder, 'TRAIN/DR1/FCJF0'))).rejects.toThrow(refused('the folder of one speaker'));
    writeFileSync(join(folder, 'x'), '');
    await expect(openTimit(join(folder, 'x'))).rejects.toThrow(refused('is a file'));
    mkdirSync(join(folder, 'other/LibriSpeech'), { recursive: true });
    await expect(openTimit(join(folder, 'other'))).rejects.toThrow(refused("'LibriSpeech'"));
  });
});

describe('timit', () => {
  it('is bound under its name', () => {
    const container = new Container();
    container.load(timitModule);
    expect(container.get<DatasetFormat>(tokens.Dataset, { name: 'timit' })).toBe(timit);
  });

  it.each<[Record<string, string | number>, string, string]>([[{ phone: 39 }, "'phone'", 'maxBrokenShare'], [{ phones: 40 }, '40', '61, 48 or 39'], [{ sa: 'perhaps' }, 'sa', 'perhaps'], [{ text: 'x' }, 'text', 'written'], [{ maxBrokenShare: '' }, 'maxBrokenShare', 'between']])('refuses %j when it is opened', async (options, ...parts) => {
    writeTimit(folder);
    await expect(timit.open(folder, options)).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_ARGUMENT_INVALID', message: expect.stringMatching(new RegExp(parts.join('.*'))) as string }));
  });
});

const kept = mkdtempSync(join(tmpdir(), 'coppice-timit-suite-'));
afterAll(() => rmSync(kept, { recursive: true }));
writeTimit(join(kept, 'synthetic'), { length: 2000 });
const promised: DatasetCheckOptions = { disjointSpeakers: ['train', 'dev', 'test'], overlapping: ['test-complete'] };
describeDataset('timit', () => openTimit(join(kept, 'synthetic')), { ...promised, heldBytes: 5e5 });

writeTimit(join(kept, 'small'), { lower: true, around: 'timit' });
const packed = readdirSync(join(kept, 'small'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
const entries = packed.map((path): MadeEntry => ({ name: path.slice(join(kept, 'small').length + 1), bytes: readFileSync(path) }));
writeFileSync(join(kept, 'timit.zip'), writeZip(entries));
writeFileSync(join(kept, 'timit.tgz'), gzipSync(writeTar(entries)));

it.each(['timit.zip', 'timit.tgz'])('reads the same from %s as unpacked', async (name) => {
  const [folderOne, archive] = [await openTimit(join(kept, 'small')), await openTimit(join(kept, name))];
  expect(archive.splits).toEqual(folderOne.splits);
  for (const split of folderOne.splits) {
    const own = new Map((await archive.utterances(split)).map((utterance) => [utterance.id, utterance]));
    for (const wanted of await folderOne.utterances(split)) {
      const got = own.get(wanted.id)!;
      expect([got.transcript, got.phones, (await got.audio()).samples]).toEqual([wanted.transcript, wanted.phones, (await wanted.audio()).samples]);
    }
    expect(own.size).toBe((await folderOne.utterances(split)).length);
  }
});

const shared = join(import.meta.dirname, '../../../../shared/data/speechocean762');
const hasSox = ((): boolean => {
  try {
    return execFileSync('sox', ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] }).length > 0;
  } catch {
    return false;
  }
})();

/** TIMIT's spelling of a phone of the CMU set, without its marks. */
const spellings = new Map([['HH', 'hh'], ['AH', 'ax']]);
const toTimit = (phone: string): string => {
  const bare = phone.replace(/_[BIES]$/, '').replace(/\d$/, '');
  return spellings.get(bare) ?? bare.toLowerCase();
};

// Real recordings as a TIMIT tree: SPHERE by Debian's sox, labels spread evenly over each sentence.
describe.skipIf(!existsSync(shared) || !hasSox)('real recordings in the tree of TIMIT', () => {
  const at = join(kept, 'real');
  const parts = [['train', 'TRAIN/DR1', ['FAAA0', 'MBBB0']], ['dev', 'TEST/DR1', ['FAKS0', 'MDAB0']]] as const;
  if (existsSync(shared) && hasSox) {
    for (const [split, region, names] of parts) {
      for (const [k, speaker] of readdirSync(join(shared, split)).sort().slice(0, names.length).entries()) {
        const [from, to] = [join(shared, split, speaker, '1'), join(at, region, names[k])];
        mkdirSync(to, { recursive: true });
        const texts = readFileSync(join(from, `${speaker}-1.trans.txt`), 'utf8').trim().split('\n');
        const phones = readFileSync(join(from, `${speaker}-1.phones.txt`), 'utf8').trim().split('\n');
        for (let n = 0; n < 4; n++) {
          const [id, ...words] = texts[n].split(' ');
          const said = phones[n].split(' ').slice(1).filter((phone) => phone !== '|').map(toTimit);
          const stem = join(to, `SX${n + 1}`);
          execFileSync('sox', [join(from, `${id}.flac`), '-t', 'sph', `${stem}.WAV`]);
          const step = 400;
          writeFileSync(`${stem}.PHN`, ['h#', ...said, 'h#'].map((phone, p) => `${p * step} ${(p + 1) * step} ${phone}\n`).join(''));
          writeFileSync(`${stem}.TXT`, `0 ${(said.length + 2) * step} ${words.join(' ')}.\n`);
        }
      }
    }
  }

  describeDataset('timit from speechocean762', () => openTimit(at), { ...promised, heldBytes: 2e6 });

  it('sound as the FLAC files that they were made of', async () => {
    const speaker = readdirSync(join(shared, 'train')).sort()[0];
    const from = join(shared, 'train', speaker, '1');
    for (const [n, utterance] of (await (await openTimit(at)).utterances('train')).slice(0, 4).entries()) {
      const file = join(from, `${speaker}-1-000${n}.flac`);
      expect(utterance.id).toBe(`FAAA0_SX${n + 1}`);
      expect((await utterance.audio()).samples).toEqual((await decodeFlac(readFileSync(file), file)).samples);
    }
  });
});
