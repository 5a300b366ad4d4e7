import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { newFolder, removeFolders } from '../testing/command-line.ts';
import { fingerprint, RunDirectory } from './run-directory.ts';

afterAll(removeFolders);

const refused = (code: string, words: RegExp) => expect.objectContaining({ code, message: expect.stringMatching(words) });
const LETTERS = 500_000;
const writer = join(import.meta.dirname, '../testing/stage-writer.ts');

/** Files of finished stages, and what is wrong with any of them. */
function stagesOf(folder: string): { finished: string[]; faults: string[] } {
  const stages = join(folder, 'stages');
  const finished = existsSync(stages) ? readdirSync(stages).filter((name) => !name.startsWith('.')) : [];
  const faults = finished.filter((name) => {
    const { n, text, end } = JSON.parse(readFileSync(join(stages, name), 'utf8')) as { n: number; text: string; end: boolean };
    return name !== `stage-${n}.json` || text.length !== LETTERS || !end;
  });
  return { finished, faults };
}

describe('a run directory', () => {
  it('computes a stage once, also when it is opened again', async () => {
    const folder = join(newFolder(), 'deep/run');
    let times = 0;
    const stage = async () => ({ times: ++times, note: 'é ∞' });
    expect(await new RunDirectory(folder, { a: 1 }).stage('score', stage)).toEqual({ times: 1, note: 'é ∞' });
    const again = new RunDirectory(folder, { a: 1 });
    expect([again.has('score'), again.has('cut')]).toEqual([true, false]);
    expect(await again.stage('score', stage)).toEqual({ times: 1, note: 'é ∞' });
  });

  it('gives what a resumed run would read, also where JSON loses something', async () => {
    const run = new RunDirectory(newFolder(), {});
    const result: { rate: number | null; note?: string } = { rate: Infinity, note: undefined };
    expect(await run.stage('odd', async () => result)).toEqual({ rate: null });
  });

  it('does not record a stage that failed', async () => {
    const run = new RunDirectory(newFolder(), {});
    await expect(run.stage('train', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(run.has('train')).toBe(false);
    expect(await run.stage('train', async () => 3)).toBe(3);
  });

  it('belongs to one recipe', () => {
    const folder = newFolder();
    const made = new RunDirectory(folder, { macs: [0.5], seed: 1 });
    expect(() => new RunDirectory(folder, { macs: [0.5], seed: 2 })).toThrow(refused('COPPICE_RUN_INVALID', /another recipe.*--run/));
    writeFileSync(join(folder, 'recipe.json'), '{ "macs": [0.5');
    expect(() => new RunDirectory(folder, { macs: [0.5], seed: 1 })).toThrow(refused('COPPICE_RUN_INVALID', /recipe\.json/));
    expect(made.path).toBe(folder);
  });

  it('says which record is damaged, and that deleting it helps', async () => {
    const run = new RunDirectory(newFolder(), {});
    await run.stage('score', async () => [1, 2, 3]);
    const path = run.file('stages', 'score.json');
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 4));
    await expect(run.stage('score', async () => [])).rejects.toThrow(refused('COPPICE_RUN_INVALID', /score\.json is damaged: .*Delete it to compute that stage again/));
    run.remove('stages', 'score.json');
    expect(await run.stage('score', async () => [4])).toEqual([4]);
  });

  it('refuses a file, and a folder in which nothing can be made', () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    expect(() => new RunDirectory(file, {})).toThrow(refused('COPPICE_FILE_WRITE', /file/));
    // A path through a file cannot be made by anybody, not even by root.
    expect(() => new RunDirectory(join(file, 'run'), {})).toThrow(refused('COPPICE_FILE_WRITE', /run/));
  });

  it('has whole stages or none after kill -9, and goes on from them', { timeout: 30_000 }, async () => {
    const folder = newFolder();
    let finished: string[] = [];
    for (const ms of [0, 2, 5, 8, 11, 16, 23, 200]) {
      const child = spawn(process.execPath, [writer, folder, String(LETTERS)], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      await setTimeout(ms);
      child.kill('SIGKILL');
      await once(child, 'close');
      const now = stagesOf(folder);
      expect(now.faults).toEqual([]);
      expect(now.finished).toEqual(expect.arrayContaining(finished));
      finished = now.finished;
    }
    expect(finished.length).toBeGreaterThan(3);
    const run = new RunDirectory(folder, { made: 'by stage-writer' });
    expect(await run.stage('stage-0', () => Promise.reject(new Error('computed again')))).toMatchObject({ n: 0, end: true });
  });

  it('leaves neither half a stage nor rubbish when the disk takes no more', () => {
    const folder = newFolder();
    // No file may grow beyond 100 blocks of 512 or 1024 bytes, so the write fails in its middle.
    const { stdout } = spawnSync('sh', ['-c', `trap '' XFSZ; ulimit -f 100; exec "$0" "$@"`, process.execPath, writer, folder, String(LETTERS)], { encoding: 'utf8' });
    expect(stdout).toMatch(/^ready\nCOPPICE_FILE_WRITE .*stage-0\.json could not be written/);
    expect(readdirSync(join(folder, 'stages'))).toEqual([]);
  });
});

describe('fingerprint', () => {
  it('differs where the recipe does', () => {
    expect(fingerprint({ a: 1 })).toBe(fingerprint({ a: 1 }));
    expect(fingerprint({ a: 1 })).not.toBe(fingerprint({ a: 2 }));
  });
});
