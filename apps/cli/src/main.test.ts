import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { folderWithModel, removeFolders, run } from './testing/command-line.ts';

afterAll(removeFolders);

const main = join(import.meta.dirname, 'main.ts');
const coppice = (...words: string[]) => spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' });

describe('the coppice program', () => {
  it('ends with 0 and prints results on stdout only', () => {
    const { model } = folderWithModel();
    const { status, stdout, stderr } = coppice('inspect', model, '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout).groups).toHaveLength(3);
  });

  it('ends with 2 and one line on stderr for a fault of the user', () => {
    const { status, stdout, stderr } = coppice('inspect', 'none.onnx');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^error COPPICE_FILE_NOT_FOUND: .*\n$/);
  });

  it('says nothing more when nobody reads any more', () => {
    const { stdout, stderr } = spawnSync('sh', ['-c', `"${process.execPath}" "${main}" prune --help | head -1`], { encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: 'Usage: coppice prune [options] <model>\n', stderr: '' });
  });

  it('has help with an example for every command', async () => {
    const help = (await run(['--help'])).out;
    const commands = [...help.matchAll(/^ {2}([\w-]+) .*\[options\]/gm)].map(([, name]) => name);
    expect(commands).toEqual(['inspect', 'prune', 'verify', 'bench', 'train', 'finetune', 'eval', 'sensitivity', 'compare-scorers', 'export', 'bundle', 'reference', 'demo', 'scorers', 'doctor']);
    for (const name of commands) expect((await run([name, '--help'])).out).toMatch(new RegExp(`Examples?:\\n  coppice ${name}`));
    expect((await run(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([300, 700, 1100, 1500])('leaves both files or none when it is interrupted after %i ms', async (delay) => {
    const { model, folder, path } = folderWithModel({ hidden: 48, layers: 2 });
    const child = spawn(process.execPath, [main, 'prune', model, '--macs', '0.5', '--out', path('slim.onnx')], { stdio: 'ignore' });
    const ended = new Promise((done) => child.on('exit', done));
    setTimeout(() => child.kill('SIGINT'), delay);
    await ended;
    const left = readdirSync(folder).filter((name) => name !== 'model.onnx').toSorted();
    expect([[], ['plan.json', 'slim.onnx']]).toContainEqual(left);
  });
});
