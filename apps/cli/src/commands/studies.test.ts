import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRecogniser } from '../speech/recogniser.ts';
import { newFolder, removeFolders, run } from '../testing/command-line.ts';
import { smallRecogniser, toneFolder } from '../testing/speech.ts';

afterAll(removeFolders);

let folder: string;
let common: string[];

beforeAll(async () => {
  folder = newFolder();
  await writeRecogniser(smallRecogniser(), join(folder, 'model.onnx'), false);
  common = [join(folder, 'model.onnx'), '--dataset', `digits:${toneFolder(10)}`, '--backend', 'onnx', '--threads', '1', '--utterances', '6', '--batches', '1', '--batch-size', '4'];
});

const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

describe('coppice sensitivity', () => {
  it('prints what each group can lose beside what the whole model does, and leaves table and picture', async () => {
    const { code, out, err } = await run(['sensitivity', ...common, '--scorer', 'l2', '--shares', '0.1,50%'], { folder });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/group +units +of MACs +0 % +−10 % +−50 %/);
    expect(out).toMatch(/conv1 +4 +\d+\.\d % +(\d+\.\d) % +– +\d+\.\d %/);
    expect(out).toMatch(/rnn1 +2×6 /);
    expect(out).toContain('–  the group is too narrow to lose a unit');
    const made = join(folder, 'runs/sensitivity');
    expect(readdirSync(made).toSorted()).toEqual(['sensitivity.json', 'sensitivity.svg']);
    expect(readFileSync(join(made, 'sensitivity.svg'), 'utf8')).toMatch(/^<svg .*rnn1.*<\/svg>$/s);
    expect(json(join(made, 'sensitivity.json'))).toMatchObject({ model: common[0], split: 'dev', seed: 0, scorer: 'l2', utterances: 6, groups: [{ group: 'conv1', points: [{ asked: [0.5], removed: 2 }] }, {}, {}] });
  });

  it('prints the same document with --json, and takes the next free folder', async () => {
    const { out } = await run(['sensitivity', ...common, '--scorer', 'taylor', '--shares', '0.5', '--reconstruct', '--json'], { folder });
    expect(JSON.parse(out)).toMatchObject({ scorer: 'taylor', reconstructed: true });
    expect(json(join(folder, 'runs/sensitivity-2/sensitivity.json'))).toEqual(JSON.parse(out));
  });
});

describe('coppice compare-scorers', () => {
  it('compares with random and l2, and with the measured loss', async () => {
    const { code, out, err } = await run(['compare-scorers', ...common, '--scorers', 'bn-scale', '--macs', '0.6', '--measured', '--rebuild', '--out', join(folder, 'c')], { folder });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/scorer +time +ρ, all units +ρ, in groups +MACs +WER +loss +WER rebuilt +loss/);
    expect(out).toMatch(/measured-loss +\S+ m?s +1\.00 +1\.00 /);
    expect((json(join(folder, 'c/scorers.json')) as { scorers: { scorer: string }[] }).scorers.map(({ scorer }) => scorer)).toEqual(['measured-loss', 'random', 'l2', 'bn-scale']);
    expect(readFileSync(join(folder, 'c/scorers.svg'), 'utf8')).toMatch(/^<svg .*bn-scale.*<\/svg>$/s);
  });
});

describe('both', () => {
  const refused = (code: string, words: RegExp, outcome: Awaited<ReturnType<typeof run>>): void => {
    expect(outcome).toMatchObject({ code: 2, out: '' });
    expect(outcome.err).toMatch(new RegExp(`^error ${code}: `));
    expect(outcome.err).toMatch(words);
  };

  it.each<[string, string, RegExp, () => string[]]>([
    ['a share that leaves nothing', 'COPPICE_ARGUMENT_INVALID', /cannot lose all/, () => ['sensitivity', ...common, '--shares', '0.5,1']],
    ['shares that are no numbers', 'COPPICE_ARGUMENT_INVALID', /share/, () => ['sensitivity', ...common, '--shares', 'half']],
    ['an unknown scorer', 'COPPICE_SCORER_UNKNOWN', /'magic'/, () => ['sensitivity', ...common, '--scorer', 'magic']],
    ['an unknown scorer among others', 'COPPICE_SCORER_UNKNOWN', /'magic'/, () => ['compare-scorers', ...common, '--scorers', 'l1,magic']],
    ['an empty name', 'COPPICE_ARGUMENT_INVALID', /commas/, () => ['compare-scorers', ...common, '--scorers', 'l1,']],
    ['a part that the corpus does not have', 'COPPICE_DATASET_INVALID', /train, dev, test/, () => ['sensitivity', ...common, '--split', 'validation']],
    ['no corpus', 'COPPICE_ARGUMENT_INVALID', /--dataset/, () => ['compare-scorers', join(folder, 'model.onnx')]],
    ['a missing description', 'COPPICE_FILE_NOT_FOUND', /docs\/speech-description\.md/, () => ['sensitivity', ...common, '--description', join(folder, 'none.json')]],
  ])('refuse %s', async (_, code, words, make) => {
    const before = readdirSync(folder, { recursive: true }).length;
    refused(code, words, await run(make(), { folder }));
    expect(readdirSync(folder, { recursive: true })).toHaveLength(before);
  });

  it('replace nothing without --force, and say so before the work', async () => {
    mkdirSync(join(folder, 'full'));
    for (const name of ['sensitivity.json', 'scorers.svg']) writeFileSync(join(folder, 'full', name), 'mine');
    refused('COPPICE_FILE_EXISTS', /--force/, await run(['sensitivity', ...common, '--scorer', 'l2', '--out', 'full'], { folder }));
    refused('COPPICE_FILE_EXISTS', /--force/, await run(['compare-scorers', ...common, '--scorers', 'l2', '--out', 'full'], { folder }));
    writeFileSync(join(folder, 'plain'), '');
    refused('COPPICE_FILE_WRITE', /is a file/, await run(['sensitivity', ...common, '--out', 'plain'], { folder }));
    expect(readFileSync(join(folder, 'full/sensitivity.json'), 'utf8')).toBe('mine');
    const { code } = await run(['sensitivity', ...common, '--scorer', 'l2', '--shares', '0.5', '--out', 'full', '--force'], { folder });
    expect({ code, picture: existsSync(join(folder, 'full/sensitivity.svg')) }).toEqual({ code: 0, picture: true });
  });
});
