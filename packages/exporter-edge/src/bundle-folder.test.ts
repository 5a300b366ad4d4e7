import { CoppiceError } from '@coppice/graph';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { writeBundleFolder } from './bundle-folder.ts';
import { newFolder, removeFolders } from './testing/small-bundle.ts';

afterAll(removeFolders);

const manifest = { path: 'manifest.json', bytes: '{"format":"coppice-bundle"}' };
const refused = (code: string) => expect.objectContaining({ code }) as unknown as Error;

describe('writeBundleFolder', () => {
  it('writes files with their sizes and hashes, given as text, bytes or pieces', async () => {
    const folder = join(newFolder(), 'out');
    const entries = await writeBundleFolder(folder, {}, async ({ write }) => [write({ path: 'a/b.txt', bytes: 'abc' }), write({ path: 'c.bin', bytes: [new Uint8Array([97]), new Uint8Array([98, 99])] }), write(manifest)]);
    expect(entries.slice(0, 2)).toEqual(['a/b.txt', 'c.bin'].map((path) => ({ path, bytes: 3, sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' })));
    expect(readFileSync(join(folder, 'c.bin'), 'utf8')).toBe('abc');
  });

  it('leaves nothing behind when it fails', async () => {
    const base = newFolder();
    await expect(writeBundleFolder(join(base, 'out'), {}, async ({ write }) => { write(manifest); throw new CoppiceError('COPPICE_BACKEND_RUN', 'x'); })).rejects.toThrow(refused('COPPICE_BACKEND_RUN'));
    expect(readdirSync(base)).toEqual([]);
  });

  it('replaces a bundle if asked, and nothing else ever', async () => {
    const base = newFolder();
    const [out, mine] = [join(base, 'out'), join(base, 'mine')];
    const write = (folder: string, force: boolean, text = 'x'): Promise<void> => writeBundleFolder(folder, { force }, async (writer) => { writer.write(manifest); writer.write({ path: 'text', bytes: text }); });
    await write(out, false);
    await expect(write(out, false)).rejects.toThrow(refused('COPPICE_FILE_EXISTS'));
    await write(out, true, 'y');
    expect(readFileSync(join(out, 'text'), 'utf8')).toBe('y');
    await expect(writeBundleFolder(out, { force: true }, async () => { throw new Error('x'); })).rejects.toThrow('x');
    expect(readFileSync(join(out, 'text'), 'utf8')).toBe('y');
    mkdirSync(mine);
    writeFileSync(join(mine, 'thesis.txt'), '');
    await expect(write(mine, true)).rejects.toThrow(/is no bundle, so it is left alone/);
    await expect(write(join(mine, 'thesis.txt'), true)).rejects.toThrow(refused('COPPICE_FILE_EXISTS'));
    await expect(write(join(base, 'no', 'such'), true)).rejects.toThrow(refused('COPPICE_FILE_WRITE'));
    expect(readdirSync(base).sort()).toEqual(['mine', 'out']);
  });

  it.each(['../x', '/x', 'a/../x', 'a//b', '.x', 'a/.x', 'a\\b', '', 'a\n', 'C:\\x', 'a\0b', '~/x'])('refuses the path %j', async (path) => {
    const base = newFolder();
    await expect(writeBundleFolder(join(base, 'out'), {}, async ({ write }) => write({ path, bytes: '' }))).rejects.toThrow(refused('COPPICE_FILE_WRITE'));
    expect(readdirSync(base)).toEqual([]);
  });

  it('leaves nothing behind when the process is asked to end, and what was there stays', async () => {
    const base = newFolder();
    const out = join(base, 'out');
    await writeBundleFolder(out, {}, async ({ write }) => write(manifest));
    const code = `import { writeBundleFolder } from ${JSON.stringify(join(import.meta.dirname, 'bundle-folder.ts'))};
      await writeBundleFolder(${JSON.stringify(out)}, { force: true }, async ({ write }) => { write({ path: 'half', bytes: 'x' }); console.log('half'); await new Promise((done) => setTimeout(done, 20000)); });`;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise((done) => child.on('exit', (_, by) => done(by)));
      await new Promise((done) => child.stdout.once('data', done));
      expect(readdirSync(base)).toHaveLength(2);
      child.kill(signal);
      expect(await ended).toBe(signal);
      await sleep(10);
      expect(readdirSync(base)).toEqual(['out']);
      expect(existsSync(join(out, 'half'))).toBe(false);
    }
  });
});
