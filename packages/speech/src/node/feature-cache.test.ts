import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { computeFeatures, defaultFeatures } from '../features/index.ts';
import { clip } from '../testing/clip.ts';
import { createFeatureCache } from './feature-cache.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coppice-features-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const settings = defaultFeatures({ sampleRateHz: 8000 });
const files = (): string[] => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
const writer = join(import.meta.dirname, '../testing/cache-writer.ts');

describe('a cache of features', () => {
  it('gives what is computed, the second time from the disk, also to another process', async () => {
    const [one, other] = [createFeatureCache(folder), createFeatureCache(folder)];
    const wanted = computeFeatures(clip(3), settings, 'it');
    expect(await one.features(clip(3), settings, 'it')).toEqual(wanted);
    expect(await one.features(clip(3), settings, 'under another name')).toEqual(wanted);
    expect(await other.features(clip(3), settings, 'it')).toEqual(wanted);
    expect([one.counts, other.counts]).toEqual([{ found: 1, computed: 1 }, { found: 1, computed: 0 }]);
  });

  it('computes anew for other samples and for any other setting', async () => {
    const cache = createFeatureCache(folder);
    await cache.features(clip(1), settings, 'it');
    const { samples, sampleRateHz } = clip(1);
    samples[3999] += 1e-6;
    await cache.features({ samples, sampleRateHz }, settings, 'it');
    const others = [{ ...settings, hopMs: 12 }, { ...settings, seed: 'other' }, defaultFeatures({ sampleRateHz: 8000, mels: 23 })];
    for (const other of others) expect(await cache.features(clip(1), other, 'it')).toEqual(computeFeatures(clip(1), other, 'it'));
    expect(cache.counts).toEqual({ found: 0, computed: 5 });
    expect(await createFeatureCache(folder).features(clip(1), settings, 'it')).toEqual(computeFeatures(clip(1), settings, 'it'));
  });

  it('computes anew what is damaged on the disk', async () => {
    const wanted = await createFeatureCache(folder).features(clip(5), settings, 'it');
    const [file] = files();
    const whole = readFileSync(file);
    const damages = [(): void => truncateSync(file, 100), (): void => truncateSync(file, 0), (): void => truncateSync(file, whole.length - 4), (): void => writeFileSync(file, whole.map((byte, at) => (at === 200 ? byte ^ 1 : byte))), (): void => writeFileSync(file, whole.map((byte, at) => (at === 8 ? 255 : byte)))];
    for (const damage of damages) {
      damage();
      const cache = createFeatureCache(folder);
      expect(await cache.features(clip(5), settings, 'it')).toEqual(wanted);
      expect(cache.counts).toEqual({ found: 0, computed: 1 });
      expect(readFileSync(file)).toEqual(whole);
    }
  });

  it('is filled by two processes at once', async () => {
    const run = promisify(execFile);
    const said = await Promise.all([0, 1].map(() => run(process.execPath, [writer, folder, '60'])));
    for (const { stdout } of said) expect(stdout).toMatch(/^ready\ndone \d+ \d+\n$/);
    expect(files()).toHaveLength(60);
    const cache = createFeatureCache(folder);
    for (let k = 0; k < 60; k++) expect(await cache.features(clip(k), settings, 'it')).toEqual(computeFeatures(clip(k), settings, 'it'));
    expect(cache.counts).toEqual({ found: 60, computed: 0 });
  });

  it('has no wrong file after kill -9 at any time', async () => {
    for (const ms of [1, 6, 15, 30]) {
      const child = spawn(process.execPath, [writer, folder, '100000'], { stdio: ['ignore', 'pipe', 'ignore'] });
      await new Promise((resolve) => { child.stdout.once('data', resolve); });
      await new Promise((resolve) => { setTimeout(resolve, ms); });
      child.kill('SIGKILL');
      await new Promise((resolve) => { child.once('close', resolve); });
      const cache = createFeatureCache(folder);
      const whole = files().filter((file) => file.endsWith('.features')).length;
      for (let k = 0; k < whole; k++) expect(await cache.features(clip(k), settings, 'it')).toEqual(computeFeatures(clip(k), settings, 'it'));
      expect(cache.counts).toEqual({ found: whole, computed: 0 });
    }
  });

  it('removes what was left half-written an hour ago, and nothing newer', async () => {
    await createFeatureCache(folder).features(clip(1), settings, 'it');
    const [old, young] = ['old', 'young'].map((name) => `${files()[0]}.${name}.unfinished`);
    for (const file of [old, young]) writeFileSync(file, '');
    utimesSync(old, new Date(0), new Date(0));
    await createFeatureCache(folder).features(clip(2), settings, 'it');
    expect(files()).not.toContain(old);
    expect(files()).toContain(young);
  });

  it('says so when the folder cannot be made', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => createFeatureCache(join(folder, 'file/below'))).toThrow(expect.objectContaining({ code: 'COPPICE_FILE_WRITE', message: expect.stringContaining('cannot be made') as string }));
  });
});
