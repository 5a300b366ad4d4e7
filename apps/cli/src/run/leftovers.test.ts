import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { RunDirectory } from './run-directory.ts';

const folder = mkdtempSync(join(tmpdir(), 'coppice-leftovers-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('removes what a killed process left unfinished, and nothing else', () => {
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  mkdirSync(join(folder, 'stages'));
  const kept = [`.model.onnx.${process.pid}.abc12.tmp`, 'notes.4711.abc.tmp', '.hidden', join('stages', 'a.json')];
  for (const name of [...kept, `.model.onnx.${gone}.abc12.tmp`, join('stages', `.a.json.${gone}.x9.tmp`)]) writeFileSync(join(folder, name), '');
  expect(new RunDirectory(folder, {}).path).toBe(folder);
  expect(readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([...kept, 'recipe.json', 'stages'].toSorted());
});
