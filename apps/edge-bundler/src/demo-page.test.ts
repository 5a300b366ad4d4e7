import type { BundleDraft } from '@coppice/exporter-edge';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { demoPage } from './demo-page.ts';
import { makeBundles } from './make-bundles.ts';

const base = mkdtempSync(join(tmpdir(), 'coppice-page-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

async function filesFor(manifest: object): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { path, bytes } of demoPage.files({ manifest: { name: 'x', speech: { tokenizer: 'words' }, ...manifest }, options: {}, files: [] } as unknown as BundleDraft)) files[path] = String(bytes);
  return files;
}

describe('demoPage', () => {
  it('has names of others in its HTML as text alone', async () => {
    const { 'index.html': html } = await filesFor({ name: '$& {{compare}} "><script>alert(1)</script>\'' });
    expect(html).toContain('$&amp; {{compare}} &quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;');
    expect(html.match(/<script/g)).toEqual(['<script']);
  });

  it('has nothing inline, and no code that makes HTML or code out of text', async () => {
    const files = await filesFor({});
    expect(Object.keys(files).sort()).toEqual(['index.html', 'page.css', 'page.js']);
    expect(files['index.html']).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|https?:/);
    expect(files['page.js']).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?:\/\/(?!git-lfs)/);
    expect(files['page.css']).not.toMatch(/url\(|@import/);
  });

  it('shows a second model only where there is one', async () => {
    expect((await filesFor({}))['index.html']).toContain('<article id="original" class="model" hidden>');
    expect((await filesFor({ original: {} }))['index.html']).toContain('<article id="original" class="model">');
  });

  it('has an element for every id that the code looks for', async () => {
    const { 'index.html': html } = await filesFor({});
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const code = readFileSync(join(import.meta.dirname, '../browser/page.ts'), 'utf8');
    const wanted = [...code.matchAll(/element(?:<\w+>)?\('([\w-]+)'\)/g)].map(([, id]) => id);
    expect(wanted.length).toBeGreaterThan(12);
    expect(wanted.filter((id) => !ids.has(id))).toEqual([]);
  });
});

describe('makeBundles', () => {
  it('refuses, before anything is computed, a folder with something else in it, a file, and a place that there is not', () => {
    const mine = join(base, 'mine');
    mkdirSync(mine);
    writeFileSync(join(mine, 'thesis.txt'), '');
    for (const folder of [mine, join(mine, 'thesis.txt'), join(base, 'no', 'such')]) expect(() => makeBundles(folder, { force: true })).toThrow(expect.objectContaining({ code: expect.stringMatching(/COPPICE_FILE_(EXISTS|WRITE)/) }));
    expect(readdirSync(base)).toEqual(['mine']);
  });
});
