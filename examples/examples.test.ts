import { spawnSync } from 'node:child_process';
import { describeDataset } from '@coppice/testkit';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samplesNamed, writeWav } from '../packages/speech/src/testing/wav-writer.ts';
import pairs from './custom-dataset.ts';

const here = import.meta.dirname;
const cli = join(here, '../apps/cli/src/main.ts');
let folder: string;

/** Runs a program of this repository as a person would. */
function run(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coppice-examples-'));
  run(cli, 'reference', '--mels', '16', '--channels', '6,6', '--hidden', '12', '--layers', '2', '--out', 'model.onnx');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the examples', () => {
  it('prune-from-code.ts prunes the reference model to half', () => {
    expect(run(join(here, 'prune-from-code.ts'), 'model.onnx', 'half.onnx')).toMatch(/^half.onnx: (4\d|50) % of the MACs\n$/);
    expect(statSync(join(folder, 'half.onnx')).size).toBeLessThan(statSync(join(folder, 'model.onnx')).size * 0.7);
  });

  it('custom-criterion.ts is a scorer that prune takes', () => {
    const report = JSON.parse(run(cli, 'prune', 'model.onnx', '--macs', '0.5', '--plugin', join(here, 'custom-criterion.ts'), '--scorer', 'peak', '--out', 'slim.onnx', '--json'));
    expect(report).toMatchObject({ request: { scorer: 'peak' }, verdict: { equal: true } });
  });

  it('recipe.ts is a recipe that prune takes, with a corpus and steps of its own', () => {
    const corpus = join(here, 'digits');
    const report = JSON.parse(run(cli, 'prune', join(here, 'demo/digits.onnx'), '--recipe', join(here, 'recipe.ts'), '--dataset', `digits:${corpus}`, '--dataset-option', 'uses=1', '--macs', '0.6,0.35', '--no-tune', '--calibration-batches', '2', '--out', 'recipe.onnx', '--json'));
    expect(report.rounds.map(({ asked }: { asked: number }) => asked)).toEqual([0.6, 0.35]);
    expect(report.rounds[1].widths.every(({ before, after }: { before: number; after: number }) => after === before || after % 4 === 0)).toBe(true);
    const { recipe } = JSON.parse(readFileSync(join(report.run, 'recipe.json'), 'utf8'));
    expect(recipe).toMatchObject({ plan: { roundTo: 4 }, tune: false, roundSteps: 300 });
  });

  describe('custom-dataset.ts', () => {
    const corpus = mkdtempSync(join(tmpdir(), 'coppice-pairs-'));
    for (const [part, speakers] of [['train', ['ada', 'ben']], ['dev', ['cy']], ['test', ['dot']]] as const) {
      mkdirSync(join(corpus, part));
      for (const speaker of speakers) {
        for (const [k, word] of ['no', 'yes', 'no'].entries()) {
          const path = join(corpus, part, `${speaker}_${k}`);
          writeFileSync(`${path}.wav`, writeWav(samplesNamed(`${speaker}${k}`, 6000 + 400 * k)));
          writeFileSync(`${path}.txt`, `${word}\n`);
        }
      }
    }
    afterAll(() => rmSync(corpus, { recursive: true }));

    describeDataset('pairs', () => pairs.open(corpus), { disjointSpeakers: ['train', 'dev', 'test'] });

    it('is a corpus that train takes', () => {
      const out = run(cli, 'train', '--plugin', join(here, 'custom-dataset.ts'), '--dataset', `pairs:${corpus}`, '--tokens', 'words', '--mels', '8', '--channels', '2', '--hidden', '4', '--layers', '1', '--steps', '2', '--batch-size', '2', '--out', 'pairs.onnx', '--json');
      expect(JSON.parse(out)).toBeTruthy();
      expect(statSync(join(folder, 'pairs.onnx')).size).toBeGreaterThan(0);
    });
  });

  it.each(['custom-criterion.ts', 'custom-dataset.ts', 'prune-from-code.ts', 'recipe.ts'])('%s has at most 15 lines of code', (name) => {
    const lines = readFileSync(join(here, name), 'utf8').split('\n').filter((line) => line.trim() !== '');
    expect(lines.length).toBeLessThanOrEqual(15);
  });
});
