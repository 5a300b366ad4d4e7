import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { newFolder, removeFolders, run } from '../testing/command-line.ts';

afterAll(removeFolders);

describe('coppice demo', () => {
  it('prunes the recogniser that comes along, in a folder of its own, and says what came out', async () => {
    const folder = newFolder();
    // A demo that is done, and one with other shares that was stopped.
    for (const name of ['demo', 'demo-2']) mkdirSync(join(folder, 'runs', name), { recursive: true });
    writeFileSync(join(folder, 'runs/demo/slim.onnx'), '');
    writeFileSync(join(folder, 'runs/demo-2/recipe.json'), '{}\n');
    const { code, out } = await run(['demo', '--macs', '0.5', '--steps', '2'], { folder });
    expect(code).toBe(0);
    expect(out).toMatch(/^A CNN\+RNN recogniser .*\n.*easier than people/);
    expect(out).toMatch(/\noriginal +\d\.\d % .* 100\.0 % /);
    const [, rate, share] = /\nround-1 +(\d+\.\d) % .* (\d+\.\d) % .* m?s\n/.exec(out)!;
    expect(Number(share)).toBeLessThanOrEqual(50);
    expect(Number(rate)).toBeLessThan(15);
    const made = join(folder, 'runs/demo-3');
    for (const name of ['slim.onnx', 'slim.speech.json', 'trade-off.svg', 'report.json']) expect(readdirSync(made)).toContain(name);
    expect(readFileSync(join(made, 'slim.onnx')).equals(readFileSync(join(made, 'round-1.onnx')))).toBe(true);
    expect(out).toMatch(/\nAll of it took \d.* Open .*runs\/demo-3\/trade-off\.svg; try `npm run -s coppice -- inspect .*slim\.onnx`\.\n$/);
    expect(JSON.parse(readFileSync(join(made, 'recipe.json'), 'utf8')).recipe).toMatchObject({ macs: [0.5], roundSteps: 1, tune: { steps: 2 } });
  });

  it.each([['--macs', '2'], ['--steps', '0'], ['--backend', 'gpu']])('refuses %s %s', async (...flags) => {
    const folder = newFolder();
    const { code, out, err } = await run(['demo', ...flags, '--json'], { folder });
    expect(code).toBe(2);
    expect(JSON.parse(out).error.message).not.toBe('');
    expect(err).toMatch(/^error COPPICE_(ARGUMENT_INVALID|BACKEND_MISSING): /);
    expect(existsSync(join(folder, 'runs'))).toBe(false);
  });
});
