import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createContainer, scorerNamed } from './container.ts';
import { loadPlugins } from './plugins.ts';
import { folderWithModel, newFolder, removeFolders, run } from './testing/command-line.ts';

afterAll(removeFolders);

const CRITERION = "export default { name: 'first', score: (weights, unit) => 1 / (1 + unit.id) };";
const SCORER = "export default { name: 'ids', needs: [], start: () => undefined, add() {}, finish: (_, units) => units.map(({ id }) => id) };";

/** A folder with files; returns their paths. */
function files(contents: Readonly<Record<string, string>>): string {
  const folder = newFolder();
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text);
  return folder;
}

describe('plugins', () => {
  it('are criteria in short form or in full', async () => {
    const container = createContainer();
    expect(await loadPlugins(container, files({ 'a.ts': CRITERION, 'b.ts': SCORER }), { plugin: ['a.ts', 'b.ts'] })).toEqual(['first', 'ids']);
    expect(scorerNamed(container, 'first').needs).toEqual(['weights']);
    expect(scorerNamed(container, 'ids').needs).toEqual([]);
  });

  it('may come with coppice.config.ts, which is found in the folder', async () => {
    const folder = files({ 'coppice.config.ts': `${SCORER.replace('export default', 'const ids =')} export default { scorers: [ids], plugins: ['./a.ts'] };`, 'a.ts': CRITERION });
    const { out } = await run(['scorers', '--json'], { folder });
    expect(JSON.parse(out).filter(({ plugin }: { plugin: boolean }) => plugin)).toEqual([
      { name: 'ids', needs: [], comparable: false, plugin: true }, { name: 'first', needs: ['weights'], comparable: false, plugin: true },
    ]);
  });

  it('score units of a model', async () => {
    const { model, path } = folderWithModel();
    writeFileSync(path('my-scorer.ts'), CRITERION.replace('(weights, unit)', '(weights: Float32Array[], unit: { id: number })'));
    const { out, err } = await run(['prune', model, '--group', 'conv1=0.5', '--plugin', path('my-scorer.ts'), '--scorer', 'first', '--out', path('slim.onnx'), '--json']);
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({ request: { scorer: 'first' }, verdict: { equal: true } });
  });

  it.each([
    ['no default export', 'export const a = 1;', /no default export/],
    ['a number', 'export default 3;', /does not export a scorer/],
    ['no name', 'export default { score: () => 1 };', /without a 'name'/],
    ['a part missing', "export default { name: 'x', needs: [], start() {}, add() {} };", /without 'finish'/],
    ['strange needs', "export default { name: 'x', needs: ['hope'], start() {}, add() {}, finish() {} };", /'needs'/],
    ['a name that is taken', "export default { name: 'l2', score: () => 1 };", /there is one with that name already/],
    ['a syntax error', 'export default {', /cannot be loaded/],
    ['an error while loading', "throw new Error('no luck');", /no luck/],
  ])('with %s are refused', async (_, text, words) => {
    await expect(loadPlugins(createContainer(), files({ 'p.ts': text }), { plugin: ['p.ts'] })).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID', message: expect.stringMatching(words) }));
  });

  it.each([
    ['no object', 'export default 3;', /does not export an object/],
    ['an unknown entry', 'export default { scorer: [] };', /an entry 'scorer'/],
    ['scorers that are no list', 'export default { scorers: {} };', /'scorers' that are not a list/],
  ])('a configuration with %s is refused', async (_, text, words) => {
    await expect(loadPlugins(createContainer(), files({ 'c.ts': text }), { config: 'c.ts' })).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID', message: expect.stringMatching(words) }));
  });

  it('whose scores are no numbers are a fault of the user', async () => {
    const { model, path } = folderWithModel();
    writeFileSync(path('p.ts'), "export default { name: 'nan', score: () => NaN };");
    expect(await run(['prune', model, '--macs', '0.5', '--plugin', path('p.ts'), '--scorer', 'nan', '--out', path('slim.onnx')])).toMatchObject({ code: 2, err: expect.stringContaining('COPPICE_SCORER_INVALID') });
  });
});
