import { CoppiceError } from '@coppice/graph';
import { decodeWav, type Dataset, type Utterance } from '@coppice/speech';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { createContainer } from '../container.ts';
import { newFolder, removeFolders } from '../testing/command-line.ts';
import { digitTone, encodeWav, silentTerminal, smallRecogniser, toneFolder } from '../testing/speech.ts';
import { openCorpus, preparePart } from './corpus.ts';

afterAll(removeFolders);

const { description } = smallRecogniser();
const refused = (code: string, words: RegExp) => expect.objectContaining({ code, message: expect.stringMatching(words) });

describe('openCorpus', () => {
  const open = (dataset: string, options?: Record<string, string>) => openCorpus(createContainer(), { dataset, options }, '/');

  it.each([
    ['no format', '/data/fsdd', 'COPPICE_DATASET_UNKNOWN', /does not name a corpus.*digits:\/data\/fsdd.*digits/],
    ['no folder', 'digits:', 'COPPICE_DATASET_UNKNOWN', /does not name a corpus/],
    ['nothing', '', 'COPPICE_DATASET_UNKNOWN', /does not name a corpus/],
    ['an empty format', ':folder', 'COPPICE_DATASET_UNKNOWN', /does not name a corpus/],
    ['a format that there is not', 'noise:/data', 'COPPICE_DATASET_UNKNOWN', /'noise'.*digits, librispeech.*--plugin/],
    ['a folder that there is not', 'digits:/none', 'COPPICE_DATASET_INVALID', /There is no '\/none'/],
  ])('refuses %s', async (_, dataset, code, words) => {
    await expect(open(dataset)).rejects.toThrow(refused(code, words));
  });

  it('refuses a folder of something else, a file, and options that the format does not have', async () => {
    const folder = newFolder();
    await expect(open(`digits:${folder}`)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', /is empty/));
    writeFileSync(join(folder, 'notes.txt'), 'nothing');
    await expect(open(`digits:${folder}`)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', /notes\.txt/));
    await expect(open(`digits:${folder}/notes.txt`)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', /is a file/));
    await expect(open(`digits:${toneFolder(1)}`, { loudness: '3' })).rejects.toThrow(refused('COPPICE_ARGUMENT_INVALID', /'loudness'/));
  });

  it('takes relative folders from the working folder, and colons in their names', async () => {
    const folder = toneFolder(1);
    const [parent, name] = [join(folder, '..'), folder.split('/').at(-1)!];
    expect((await openCorpus(createContainer(), { dataset: `digits:${name}` }, parent)).splits).toEqual(['test']);
    await expect(open('digits:/none:such')).rejects.toThrow(refused('COPPICE_DATASET_INVALID', /\/none:such/));
  });
});

describe('preparePart', () => {
  const good = encodeWav(digitTone(3, 0));
  const utterance = (id: string, bytes: Uint8Array, transcript = 'three'): Utterance => ({ id, transcript, audio: async () => decodeWav(bytes, `${id}.wav`) });
  const many = (count: number): Utterance[] => Array.from({ length: count }, (_, k) => utterance(`good${k}`, good));
  const datasetOf = (utterances: readonly Utterance[]): Dataset => ({ name: 'made', splits: ['all'], utterances: async () => utterances });
  const prepare = async (utterances: readonly Utterance[], purpose: 'training' | 'evaluation' = 'training', atMost?: number) => {
    const terminal = silentTerminal();
    const prepared = await preparePart(datasetOf(utterances), { split: 'all', description, purpose, atMost }, terminal);
    return { ...prepared, logged: terminal.logged.join('\n') };
  };

  it.each([
    ['an empty file', new Uint8Array(), /is empty/],
    ['a file cut off in the middle', good.subarray(0, 200), /cut off/],
    ['text', Buffer.from('<html>not found</html>'), /not a WAV file but text/],
    ['a header alone', encodeWav([]), /no samples/],
    ['less than a window', encodeWav(digitTone(1, 0, 0.01)), /fewer than the 200 of one window/],
  ])('leaves out %s, counts it and says which and why', async (_, bytes, words) => {
    const { examples, skipped, logged } = await prepare([...many(120), utterance('odd', bytes)]);
    expect(examples).toHaveLength(120);
    expect(skipped).toEqual([{ id: 'odd', reason: expect.stringMatching(words) }]);
    expect(logged).toMatch(/left out 1 of 121 utterances of 'all':\n {2}odd: /);
  });

  it('keeps features where it is told to, and gives the same from there; not of what is drawn anew', async () => {
    const wanted = (await prepare(many(3))).examples;
    const folder = newFolder();
    vi.stubEnv('COPPICE_FEATURES', folder);
    const kept = (): number => readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.features')).length;
    await preparePart(datasetOf(many(3)), { split: 'all', description, purpose: 'training', epoch: 1 }, silentTerminal());
    expect(kept()).toBe(0);
    for (let k = 0; k < 2; k++) {
      expect((await prepare(many(3))).examples).toEqual(wanted);
      // All three are the same sound.
      expect(kept()).toBe(1);
    }
    vi.unstubAllEnvs();
  });

  it('leaves out of training what cannot be written or does not fit, and keeps it in an evaluation', async () => {
    const strange = [...many(300), utterance('word', good, 'three point'), utterance('long', good, Array.from({ length: 20 }, () => 'three').join(' '))];
    const training = await prepare(strange);
    expect(training.skipped).toEqual([{ id: 'word', reason: expect.stringMatching(/'point', word 2/) }, { id: 'long', reason: expect.stringMatching(/20 labels need 39 frames.*has 16/) }]);
    const evaluation = await prepare(strange, 'evaluation');
    expect({ skipped: evaluation.skipped, count: evaluation.examples.length }).toEqual({ skipped: [], count: 302 });
  });

  it('refuses a part of which more than one in a hundred is broken, naming the first', async () => {
    const broken = Array.from({ length: 2 }, (_, k) => utterance(`broken${k}`, new Uint8Array()));
    await expect(prepare([...many(150), ...broken])).rejects.toThrow(refused('COPPICE_DATASET_INVALID', /2 of 152 utterances of 'all' cannot be used \(first: broken0: .*is empty.*Up to 1 % may be broken/));
    expect((await prepare([...many(198), ...broken])).skipped).toHaveLength(2);
  });

  it('lists no more than five', async () => {
    const { logged } = await prepare([...many(800), ...Array.from({ length: 8 }, (_, k) => utterance(`broken${k}`, new Uint8Array()))]);
    expect(logged).toMatch(/broken4: .*\n {2}and 3 more$/);
  });

  it('refuses a part of which nothing is left', async () => {
    await expect(prepare([utterance('only', new Uint8Array())])).rejects.toThrow(refused('COPPICE_DATASET_INVALID', /1 of 1 .*only: /));
    await expect(prepare([])).rejects.toThrow(refused('COPPICE_DATASET_INVALID', /0 of 0 .*there is none/));
  });

  it('resamples recordings of another rate, and says so', async () => {
    const { examples, resampled, logged } = await prepare([...many(2), utterance('fast', encodeWav(new Float32Array(4800).fill(0.1), 16000))]);
    expect({ resampled, frames: examples[2].frames }).toEqual({ resampled: 1, frames: examples[0].frames });
    expect(logged).toMatch(/1 recordings? of 'all' w(as|ere) resampled to 8000 Hz/);
  });

  it('does not hide faults of the program behind skipped recordings', async () => {
    await expect(prepare([...many(200), { id: 'bug', transcript: 'three', audio: () => Promise.reject(new TypeError('undefined is not a function')) }])).rejects.toThrow(TypeError);
    const other = { id: 'full', transcript: 'three', audio: () => Promise.reject(new CoppiceError('COPPICE_BACKEND_RUN', 'out of memory')) };
    await expect(prepare([...many(200), other])).rejects.toThrow(refused('COPPICE_BACKEND_RUN', /out of memory/));
  });

  it('chooses the same few utterances each time, from all over the part', async () => {
    const [first, second] = [await prepare(many(60), 'evaluation', 12), await prepare(many(60), 'evaluation', 12)];
    const places = first.examples.map(({ id }) => Number(id.slice(4)));
    expect(second.examples.map(({ id }) => Number(id.slice(4)))).toEqual(places);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(new Set(places).size).toBe(12);
    expect(places[0] < 20 && places.at(-1)! > 40).toBe(true);
  });
});
