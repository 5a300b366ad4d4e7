import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeTar, writeZip, type MadeEntry } from '../testing/archive-writer.ts';
import { FileFault, openTree, readText, type FileTree } from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coppice-archives-'));
  mkdirSync(join(folder, 'inner/place'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Where archives lie: two folders deep, so that what leads out of them would be seen. */
const place = (name: string): string => join(folder, 'inner/place', name);
function made(name: string, bytes: Uint8Array): string {
  writeFileSync(place(name), bytes);
  return place(name);
}

const refused = (pattern: RegExp): Error => expect.objectContaining({ code: 'COPPICE_DATASET_INVALID', message: expect.stringMatching(pattern) as string }) as Error;
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const bytesOf = (name: string, length: number): Uint8Array => Uint8Array.from({ length }, (_, k) => (k * 7 + name.length * 31 + name.charCodeAt(name.length - 1)) % 251);

/** What lies there, with what is in it. */
const contents = (): string[] => readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => {
  const path = join(entry.parentPath, entry.name);
  return entry.isFile() ? `${path} ${createHash('md5').update(readFileSync(path)).digest('hex')}` : path;
}).sort();

const entries: readonly MadeEntry[] = [
  { name: './a/', type: '5' }, { name: './a/2.flac', bytes: bytesOf('2', 300_000) }, { name: 'a/1.flac', bytes: bytesOf('1', 40) }, { name: 'a/words.txt', bytes: text('one two\n') },
  { name: 'a/b/3.flac', bytes: bytesOf('3', 700_000) }, { name: 'a/._1.flac', bytes: text('macOS') }, { name: '__MACOSX/a/x.flac', bytes: text('macOS') }, { name: 'a/empty.flac' },
];
const files = entries.filter(({ name }) => !name.endsWith('/'));

async function everything(tree: FileTree, at = ''): Promise<string[]> {
  const { folders, files: own } = await tree.list(at);
  const below = await Promise.all(folders.map((name) => everything(tree, at === '' ? name : `${at}/${name}`)));
  return [...own.map((name) => (at === '' ? name : `${at}/${name}`)), ...below.flat()];
}

describe.each([
  ['x.tar', () => writeTar(entries)], ['x.tar.gz', () => gzipSync(writeTar(entries))], ['x.tgz', () => Buffer.concat([gzipSync(writeTar(files.slice(0, 3), { end: false })), gzipSync(writeTar(files.slice(3)))])], ['x.zip', () => writeZip(files)],
])('%s', (name, make) => {
  it('is a tree of its files, without hidden ones', async () => {
    const tree = await openTree(made(name, make()));
    expect(await everything(tree)).toEqual(['a/1.flac', 'a/2.flac', 'a/empty.flac', 'a/words.txt', 'a/b/3.flac']);
    expect(await readText(tree, 'a/words.txt')).toBe('one two\n');
    expect(tree.where('a/1.flac')).toBe(`${place(name)}/a/1.flac`);
    expect(await tree.list('gone')).toEqual({ folders: [], files: [] });
    await expect(tree.read('gone', 10)).rejects.toThrow(FileFault);
    await expect(tree.read('a/2.flac', 1000)).rejects.toThrow(/more than/);
  });

  it('gives every file in any order, also when several are asked for at once', async () => {
    const tree = await openTree(made(name, make()));
    const wanted: [string, Uint8Array][] = [['a/2.flac', bytesOf('2', 300_000)], ['a/1.flac', bytesOf('1', 40)], ['a/b/3.flac', bytesOf('3', 700_000)], ['a/empty.flac', new Uint8Array()]];
    for (const order of [[0, 1, 2, 3], [3, 2, 1, 0], [1, 1, 3, 0]]) {
      for (const k of order) expect(Buffer.compare(await tree.read(wanted[k][0], 1e6), wanted[k][1])).toBe(0);
      const together = await Promise.all(order.map((k) => tree.read(wanted[k][0], 1e6)));
      together.forEach((bytes, n) => expect(Buffer.compare(bytes, wanted[order[n]][1])).toBe(0));
    }
    if (tree.position) expect(tree.position('a/2.flac')).toBeLessThan(tree.position('a/1.flac'));
  });

  it('is refused when it was cut off', async () => {
    const whole = make();
    for (const share of [0.001, 0.3, 0.9]) await expect(openTree(made(name, whole.subarray(0, Math.ceil(whole.length * share))))).rejects.toThrow(refused(/(cut off|broken).*Download it again/));
  });
});

const tiny = (count: number): MadeEntry[] => Array.from({ length: count }, (_, k) => ({ name: `d${k % 100}/${k}.flac` }));

/** A bomb of 400 MB in half a megabyte or less. */
const zeros = (): Buffer => {
  const [head, megabytes] = [writeTar([{ name: 'a.flac', stated: { size: 400e6 } }], { end: false }), Buffer.alloc(50e6)];
  return Buffer.concat([gzipSync(head), ...Array.from({ length: 8 }, () => gzipSync(megabytes, { level: 9 }))]);
};

/** Hostile archives, made by hand: what is wrong, its name, its bytes, what is said. */
const hostile: readonly (readonly [what: string, name: string, make: () => Uint8Array, says: RegExp])[] = [
  ['a path that leads out of a tar', 'x.tar', () => writeTar([{ name: '../../evil.flac', bytes: text('x') }]), /leads out of it.*\.\.\/\.\.\/evil/],
  ['a path that leads out after a detour', 'x.tar', () => writeTar([{ name: 'a/../../evil.flac', bytes: text('x') }]), /leads out of it/],
  ['an absolute path in a tar', 'x.tar.gz', () => gzipSync(writeTar([{ name: '/tmp/evil.flac', bytes: text('x') }])), /absolute path/],
  ['an absolute link in a tar', 'x.tar', () => writeTar([{ name: 'a', link: '/etc' }, { name: 'a/passwd', bytes: text('x') }]), /link that leads out of it.*\/etc/],
  ['a link that leads out of a tar', 'x.tar', () => writeTar([{ name: 'a/b', link: '../../etc' }]), /link that leads out of it/],
  ['a hard link to a file elsewhere', 'x.tar', () => writeTar([{ name: 'a', link: '/etc/passwd', type: '1' }]), /link that leads out of it/],
  ['a path that leads out of a ZIP', 'x.zip', () => writeZip([{ name: '../../evil.flac', bytes: text('x') }]), /(relative path|leads out)/],
  ['an absolute path in a ZIP', 'x.zip', () => writeZip([{ name: '/tmp/evil.flac', bytes: text('x') }]), /absolute path/],
  ['a path of Windows in a ZIP', 'x.zip', () => writeZip([{ name: '..\\..\\evil.flac', bytes: text('x') }]), /(invalid characters|Windows)/],
  ['an absolute link in a ZIP', 'x.zip', () => writeZip([{ name: 'a', link: '/etc/passwd' }]), /link that leads out of it/],
  ['a bomb of zeros', 'x.tar.gz', zeros, /more than 200 times its size/],
  ['a bomb of entries that share one place', 'x.zip', () => {
    const bytes = new Uint8Array(1e6);
    return writeZip(Array.from({ length: 500 }, (_, k) => ({ name: `${k}.flac`, bytes })), { shared: true });
  }, /more than 200 times its size/],
  ['gzip within gzip', 'x.tar.gz', () => gzipSync(gzipSync(writeTar(entries))), /archive within an archive/],
  ['one name twice in a tar', 'x.tar', () => writeTar([{ name: 'a.flac', bytes: text('x') }, { name: './a.flac', bytes: text('y') }]), /'a\.flac' twice/],
  ['one name twice in a ZIP', 'x.zip', () => writeZip([{ name: 'a.flac', bytes: text('x') }, { name: 'a.flac', bytes: text('y') }]), /'a\.flac' twice/],
  ['a wrong checksum of a tar header', 'x.tar', () => writeTar([...files, { name: 'b.flac', stated: { checksum: 77 } }]), /checksum/],
  ['a wrong checksum of a gzip', 'x.tar.gz', () => {
    const bytes = gzipSync(writeTar(files));
    bytes[bytes.length - 8] ^= 1;
    return bytes;
  }, /(incorrect data check|broken)/],
  ['a size beyond the end', 'x.tar', () => writeTar([{ name: 'a.flac', bytes: text('x'), stated: { size: 1e9 } }], { end: false }), /cut off|broken/],
  ['what is no archive', 'x.zip', () => text('version https://git-lfs.github.com/spec/v1\n'.repeat(30)), /(broken|cut off)/],
  ['nothing', 'x.tar', () => new Uint8Array(), /is empty/],
];

describe('hostile archives', () => {
  it.each(hostile)('are refused, and nothing is written: %s', async (_, name, make, says) => {
    const path = made(name, make());
    const before = contents();
    await expect(openTree(path)).rejects.toThrow(refused(says));
    expect(contents()).toEqual(before);
  }, 60_000);

  it.each([['a.flac of a ZIP whose checksum is wrong', { checksum: 1 }, /checksum is wrong/], ['one that is longer than it says', { size: 3 }, /longer than the 3 bytes/], ['one that is encrypted', { flags: 0x801 }, /encrypted/], ['one that says it has 4 GB', { size: 4e9 }, /(more than|not enough bytes|Download)/]] as const)('refuse the file alone: %s', async (_, stated, says) => {
    const path = made('x.zip', writeZip([{ name: 'a.flac', bytes: bytesOf('a', 4000), stated }, { name: 'b.flac', bytes: text('fine') }]));
    const tried = openTree(path).then(async (tree) => {
      expect(Buffer.from(await tree.read('b.flac', 100)).toString()).toBe('fine');
      return tree.read('a.flac', 128e6);
    });
    await expect(tried).rejects.toThrow(says);
  });

  it('with 100,000 tiny entries are read in bounded time and memory', async () => {
    const name = 'x.tar.gz';
    const tree = await openTree(made(name, gzipSync(writeTar(tiny(100_000)), { level: 1 })), { mostGrowth: 1032 });
    expect((await tree.list('')).folders).toHaveLength(100);
    expect((await tree.list('d7')).files).toHaveLength(1000);
    await expect(openTree(place(name), { mostEntries: 99_999, mostGrowth: 1032 })).rejects.toThrow(refused(/more than 99,999 entries/));
  }, 60_000);

  it('in a ZIP, with 20,000 of them, too', async () => {
    const tree = await openTree(made('x.zip', writeZip(tiny(20_000))));
    expect((await tree.list('d7')).files).toHaveLength(200);
    await expect(openTree(place('x.zip'), { mostEntries: 19_999 })).rejects.toThrow(refused(/more than 19,999 entries/));
  }, 60_000);

  it('have links within themselves left out, devices too', async () => {
    const tree = await openTree(made('x.tar', writeTar([{ name: 'a/1.flac', bytes: text('x') }, { name: 'a/2.flac', link: '1.flac' }, { name: 'a/3.flac', link: '../a/1.flac' }, { name: 'zero', type: '3' }])));
    expect(await everything(tree)).toEqual(['a/1.flac']);
    expect(tree.notes.join()).toMatch(/2 links/);
  });

  it('that change after they were opened give an error and no other file', async () => {
    for (const [name, make] of [['x.tar', writeTar], ['x.zip', writeZip]] as const) {
      const tree = await openTree(made(name, make(files)));
      writeFileSync(place(name), make([{ name: 'other', bytes: bytesOf('o', 500_000) }]));
      await expect(tree.read('a/b/3.flac', 1e6)).rejects.toThrow(FileFault);
    }
  });
});
