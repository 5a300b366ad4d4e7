import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { CorpusReport } from '../data/corpus-report.ts';
import { newFolder, removeFolders, run } from '../testing/command-line.ts';
import { digitTone, encodeWav, toneFolder } from '../testing/speech.ts';

afterAll(removeFolders);

/** A manifest corpus of so many tones by two speakers in each part; `rows` are the lines of its lists, and what else lies there. */
function toneManifest(more: Readonly<Record<string, string | Uint8Array>> = {}, { count = 12, parts = ['train', 'dev'] } = {}): string {
  const folder = newFolder();
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  for (const part of parts) {
    const names = Array.from({ length: count }, (_, k) => `${part}-${k}`);
    for (const [k, name] of names.entries()) write(`${name}.wav`, encodeWav(digitTone(k % 10, k, 0.5 + 0.1 * k)));
    write(`${part}.tsv`, `path\tsentence\tspeaker\n${names.map((name, k) => `${name}.wav\tthree ${k % 2 === 0 ? 'one' : 'two'}\t${part}-speaker-${k % 2}\n`).join('')}`);
  }
  for (const [path, content] of Object.entries(more)) write(path, content);
  return folder;
}

const check = async (folder: string, ...words: string[]): Promise<{ code: number; report: CorpusReport; err: string }> => {
  const { code, out, err } = await run(['data', 'check', `manifest:${folder}`, '--json', ...words]);
  return { code, err, report: JSON.parse(out) as CorpusReport };
};

describe('coppice data check', () => {
  it('tells what is in a corpus, in a page', async () => {
    const { code, out, err } = await run(['data', 'check', `manifest:${toneManifest()}`]);
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n').length).toBeLessThan(15);
    // 12 tones of 0.5 to 1.6 s are 12.6 s.
    expect(out).toMatch(/^train +12 +2 +0\.00 +0\.5 s +1\.1 s +1\.6 s +24 +3 +8000 Hz$/m);
    expect(out).toContain('8 characters: ␣ e h n o r t w');
    expect(out).toContain('nothing looks wrong');
  });

  it('counts the same as JSON', async () => {
    const { code, report } = await check(toneManifest());
    expect(code).toBe(0);
    expect(report).toMatchObject({ skipped: [], broken: [], mistakes: [], parts: [{ split: 'train', utterances: 12, decoded: 12, speakers: 2, sampleRates: [{ sampleRateHz: 8000, recordings: 12 }], shortest: { id: 'train-0', seconds: 0.5 }, longest: { id: 'train-11' }, words: 24, distinctWords: 3, silent: 0, clipped: 0, tooMuchText: [] }, { split: 'dev' }] });
    expect(report.parts[0].hours).toBeCloseTo(12.6 / 3600, 6);
    expect(report.parts[0].alphabet).toMatchObject({ ' ': 12, t: 18, h: 12, w: 6 });
  });

  it('estimates hours from a part of the recordings, and says so', async () => {
    const folder = toneManifest();
    const { out } = await run(['data', 'check', `manifest:${folder}`, '--decode', '3', '--split', 'train']);
    expect(out).toMatch(/^train .* ~0\.00 +~0\.5 s/m);
    expect(out).toContain("3 of 12 recordings of 'train'");
    expect(out).not.toMatch(/^dev/m);
    // Three from all over the list: 0.5, 1.1 and 1.6 s.
    expect((await check(folder, '--decode', '3')).report.parts[0].hours).toBeCloseTo((4 * 3.2) / 3600, 6);
    expect((await check(folder, '--decode', 'all')).report.parts[0].decoded).toBe(12);
  });

  it('lists broken recordings with the reason, and ends with 1 when they are many', async () => {
    const folder = toneManifest();
    const path = join(folder, 'train-3.wav');
    writeFileSync(path, readFileSync(path).subarray(0, 500));
    const { code, report } = await check(folder);
    expect(code).toBe(1);
    expect(report.broken).toEqual([{ split: 'train', id: 'train-3', reason: expect.stringMatching(/train-3.wav is cut off/) }]);
    expect(report.mistakes).toEqual([expect.stringMatching(/4\.2 % of the recordings cannot be decoded; most are cut off.*interrupted/)]);
    const { out } = await run(['data', 'check', `manifest:${folder}`]);
    expect(out).toMatch(/broken: 1 recording\n {2}.*train-3\.wav is cut off/);
  });

  it('tells of what is missing though the corpus would not be used', async () => {
    const folder = toneManifest();
    rmSync(join(folder, 'train-3.wav'));
    const { code, report } = await check(folder);
    expect(code).toBe(1);
    expect(report.skipped).toEqual([expect.objectContaining({ file: 'train-3.wav', reason: expect.stringContaining('is not there') })]);
    expect(report.mistakes).toEqual([expect.stringMatching(/1 recording of 24 is left out/)]);
  });

  it.each<[string, Readonly<Record<string, string | Uint8Array>>, RegExp]>([
    ['a speaker of both parts', { 'dev.tsv': 'path\tsentence\tspeaker\ndev-0.wav\tthree one\ttrain-speaker-0\n' }, /'dev' shares 1 speaker with 'train'/],
    ['other letters', { 'dev.tsv': 'path\tsentence\ndev-0.wav\tTHREE ONE\n' }, /characters that 'train' has not: E H N O R T.*upper and lower case/],
    ['two sample rates', { 'train-5.wav': encodeWav(digitTone(5, 5), 16_000) }, /'train': recordings have 2 sample rates \(11 × 8000 Hz, 1 × 16000 Hz\)/],
    ['silence', { 'train-5.wav': encodeWav(new Float32Array(4000)) }, /'train': 1 recording of 12 is silent/],
    ['clipping', Object.fromEntries([1, 2, 3].map((k) => [`train-${k}.wav`, encodeWav(new Float32Array(4000).fill(1))])), /'train': 3 of 12 recordings are clipped/],
    ['transcripts of other recordings', { 'dev.tsv': `path\tsentence\ndev-0.wav\t${'three one two '.repeat(9)}\n` }, /'dev': 1 transcript of 1 is longer than anybody can say.*dev-0/],
    ['a recording of a minute', { 'train-5.wav': encodeWav(digitTone(5, 5, 60)) }, /'train': the longest recording has 60 s \(train-5\)/],
  ])('notices %s', async (_, more, says) => {
    const { code, report } = await check(toneManifest(more));
    expect(code).toBe(0);
    expect(report.mistakes).toEqual(expect.arrayContaining([expect.stringMatching(says)]));
  });

  it('works with every format, and says which part is another one', async () => {
    const { code, out } = await run(['data', 'check', `digits:${toneFolder(9)}`]);
    expect(code).toBe(0);
    expect(out).toMatch(/^train +10 +1 /m);
    const { out: renamed } = await run(['data', 'check', `manifest:${toneManifest({}, { parts: ['validation'] })}`]);
    expect(renamed).toContain("'dev' is 'validation'");
  });

  it('refuses what it cannot open, and numbers that are none', async () => {
    expect(await run(['data', 'check', `librispeech:${newFolder()}`])).toMatchObject({ code: 2, err: expect.stringContaining('is empty') });
    expect(await run(['data', 'check', 'folder'])).toMatchObject({ code: 2, err: expect.stringContaining('COPPICE_DATASET_UNKNOWN') });
    expect(await run(['data', 'check', 'digits:x', '--decode', 'some'])).toMatchObject({ code: 2, err: expect.stringContaining('whole number') });
    expect(await run(['data', 'check', `manifest:${toneManifest()}`, '--split', 'gone'])).toMatchObject({ code: 2, err: expect.stringContaining("no part 'gone'") });
  });
});
