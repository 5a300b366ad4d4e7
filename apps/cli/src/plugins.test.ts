import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { backendNamed, createContainer, namesAdded, namesOf, scorerNamed } from './container.ts';
import { loadPlugins } from './plugins.ts';
import { openCorpus } from './speech/corpus.ts';
import { folderWithModel, newFolder, removeFolders, run } from './testing/command-line.ts';

afterAll(removeFolders);

const CRITERION = "export default { name: 'first', score: (weights, unit) => 1 / (1 + unit.id) };";
const DATASET = "export default { name: 'tones', open: async (folder, options) => ({ name: folder, splits: [String(options?.loud)], utterances: async () => [] }) };";
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
    await loadPlugins(container, files({ 'a.ts': CRITERION, 'b.ts': SCORER }), { plugin: ['a.ts', 'b.ts'] });
    expect(namesAdded(container, 'Scorer')).toEqual(['first', 'ids']);
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

  it('may need the measured loss', async () => {
    const container = createContainer();
    await loadPlugins(container, files({ 'p.ts': SCORER.replace('needs: []', "needs: ['loss']") }), { plugin: ['p.ts'] });
    expect(scorerNamed(container, 'ids').needs).toEqual(['loss']);
  });

  it('may be kinds of corpora, which are opened under their name', async () => {
    const container = createContainer();
    await loadPlugins(container, files({ 'd.ts': DATASET }), { plugin: ['d.ts'] });
    expect(namesAdded(container, 'Scorer')).toEqual([]);
    expect(namesOf(container, 'Dataset')).toEqual(['digits', 'librispeech', 'timit', 'manifest', 'tones']);
    expect(await openCorpus(container, { dataset: 'tones:some/folder', options: { loud: 1 } }, '/data')).toMatchObject({ name: '/data/some/folder', splits: ['1'] });
  });

  it('may list corpora in a configuration', async () => {
    const container = createContainer();
    await loadPlugins(container, files({ 'c.ts': DATASET.replace('export default', 'const tones =').replace(/;$/, "; export default { datasets: [tones], plugins: ['./p.ts'] };"), 'p.ts': DATASET.replace("'tones'", "'songs'") }), { config: 'c.ts' });
    expect(namesOf(container, 'Dataset')).toEqual(['digits', 'librispeech', 'timit', 'manifest', 'tones', 'songs']);
    await expect(openCorpus(container, { dataset: 'noise:x' }, '.')).rejects.toThrow(/There is no dataset format 'noise'. Choose one of digits, librispeech, timit, manifest, tones, songs,/);
  });

  it('may be backends, which commands use where the configuration names one and no flag does', async () => {
    const { model, path, folder } = folderWithModel();
    const backend = "const abacus = { name: 'abacus', info: async () => ({ version: '1', device: 'beads', threads: 1 }), compile: async () => { throw new Error('too slow'); } };";
    writeFileSync(path('abacus.ts'), `${backend} export default abacus;`);
    const container = createContainer();
    await loadPlugins(container, folder, { plugin: ['abacus.ts'] });
    expect(backendNamed(container, 'abacus').name).toBe('abacus');
    expect((await run(['inspect', model, '--plugin', path('abacus.ts'), '--backend', 'abacus'], { folder })).err).toContain('too slow');
    writeFileSync(path('coppice.config.ts'), `${backend} export default { backends: [abacus], backend: 'abacus' };`);
    expect((await run(['inspect', model], { folder })).err).toContain('too slow');
    expect(await run(['inspect', model, '--backend', 'onnx'], { folder })).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse((await run(['doctor', '--json'], { folder })).out).backends).toContainEqual({ name: 'abacus', version: '1', device: 'beads', threads: 1 });
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
    ['a corpus without a name', 'export default { open: async () => ({}) };', /dataset format whose 'name'/],
    ['a corpus whose name cannot be written', "export default { name: 'a:b', open: async () => ({}) };", /dataset format whose 'name'/],
    ['a corpus that cannot be opened', "export default { name: 'x', open: 3 };", /does not export a dataset format/],
    ['a corpus whose name is taken', "export default { name: 'digits', open: async () => ({}) };", /a dataset format 'digits', and there is one/],
    ['a backend that cannot compile', "export default { name: 'x', compile: 3 };", /does not export a backend/],
    ['a backend without a name', 'export default { compile() {}, info() {} };', /a backend without a 'name'/],
    ['a backend whose name is taken', "export default { name: 'onnx', compile() {}, info() {} };", /a backend 'onnx', and there is one/],
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
    ['datasets that are no list', 'export default { datasets: {} };', /'datasets' that are not a list/],
    ['a scorer among datasets', "export default { datasets: [{ name: 'x', score: () => 1 }] };", /does not export a dataset format/],
    ['a backend that is no name', 'export default { backend: 3 };', /'backend' that is no name/],
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
