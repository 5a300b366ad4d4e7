import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { folderData } from './folder-data.ts';

let top: string;
let folder: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'coppice-folder-'));
  folder = join(top, 'model');
  mkdirSync(join(folder, 'inner'), { recursive: true });
  writeFileSync(join(folder, 'w.bin'), Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7));
  writeFileSync(join(folder, 'inner', 'w.bin'), Uint8Array.of(9));
  writeFileSync(join(top, 'secret.bin'), 'secret');
});
afterEach(() => rmSync(top, { recursive: true }));

const refuses = (location: string, code: string): void => {
  const data = folderData(folder);
  for (const ask of [() => data.read(location, 0, 1), () => data.size(location)]) {
    expect(ask).toThrow(expect.objectContaining({ code, message: expect.stringContaining(`'${location}'`) }));
  }
};

describe('folderData', () => {
  it('reads ranges of files in the folder and below it', () => {
    const data = folderData(folder);
    expect([...data.read('w.bin', 2, 3)]).toEqual([2, 3, 4]);
    expect([...data.read('./w.bin', 6, undefined)]).toEqual([6, 7]);
    expect([...data.read('w.bin', 8, 0)]).toEqual([]);
    expect([...data.read('inner/w.bin', 0, 1)]).toEqual([9]);
    expect(data.size('w.bin')).toBe(8);
  });

  it.each(['/etc/passwd', 'C:\\secret.bin', 'c:secret.bin', '\\\\server\\secret.bin'])('refuses the absolute path %s', (location) => {
    refuses(location, 'COPPICE_EXTERNAL_DATA_PATH');
  });

  it.each(['../secret.bin', 'inner/../../secret.bin', '..\\secret.bin', 'inner/../w.bin'])('refuses the climbing path %s', (location) => {
    refuses(location, 'COPPICE_EXTERNAL_DATA_PATH');
  });

  it('refuses symbolic links that leave the folder, of files and of folders', () => {
    symlinkSync(join(top, 'secret.bin'), join(folder, 'link.bin'));
    symlinkSync(top, join(folder, 'up'));
    refuses('link.bin', 'COPPICE_EXTERNAL_DATA_PATH');
    refuses('up/secret.bin', 'COPPICE_EXTERNAL_DATA_PATH');
  });

  it('follows links that stay inside, and a folder that is a link itself', () => {
    symlinkSync('w.bin', join(folder, 'inside.bin'));
    linkSync(join(folder, 'w.bin'), join(folder, 'hard.bin'));
    symlinkSync(folder, join(top, 'alias'));
    expect(folderData(folder).size('inside.bin')).toBe(8);
    expect(folderData(folder).size('hard.bin')).toBe(8);
    expect(folderData(join(top, 'alias')).size('w.bin')).toBe(8);
  });

  it('refuses what is not a plain file', () => {
    refuses('inner', 'COPPICE_EXTERNAL_DATA_PATH');
    refuses('.', 'COPPICE_EXTERNAL_DATA_PATH');
  });

  it('says that a file is missing', () => {
    refuses('absent.bin', 'COPPICE_EXTERNAL_DATA_MISSING');
  });

  it.each([[9, undefined], [0, 9], [8, 1], [4, 2 ** 50]])('refuses the range from %i of length %s, which the file does not have', (offset, length) => {
    expect(() => folderData(folder).read('w.bin', offset, length)).toThrow(expect.objectContaining({ code: 'COPPICE_EXTERNAL_DATA_MISSING', message: expect.stringContaining('only 8') }));
  });
});
