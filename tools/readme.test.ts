import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const files = globSync('{packages,apps,tools,examples,docs}/**', { cwd: root, exclude: (path) => /(^|[\\/])node_modules$/.test(String(path)) }).map((path) => path.replaceAll('\\', '/'));

describe('the README', () => {
  it('names only files and folders that exist in its tour', () => {
    const tour = /## One-screen tour\n+```\n([\s\S]*?)```/.exec(readme)![1];
    const names = [...tour.matchAll(/[\w-]+\.(?:ts|mjs)\b/g)].map(([name]) => name);
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !files.some((file) => file.endsWith(`/${name}`)))).toEqual([]);
    const folders = [...tour.matchAll(/([\w-]+)\/\*/g)].map(([, name]) => name);
    expect(folders.filter((name) => !files.some((file) => file.includes(`/${name}/`)))).toEqual([]);
    const packages = [...tour.matchAll(/([\w/-]+)\/src\b/g)].map(([, name]) => name);
    expect(packages.filter((name) => !files.some((file) => file.includes(`${name}/src/`)))).toEqual([]);
  });

  it('shows every package in its tour', () => {
    const missing = readdirSync(join(root, 'packages')).filter((name) => !readme.includes(`${name}/src`));
    expect(missing).toEqual([]);
  });

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, path]) => path);
    expect(links.filter((path) => !files.includes(path) && !files.some((file) => file.startsWith(`${path}/`)))).toEqual([]);
  });
});
