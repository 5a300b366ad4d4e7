import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../testing/command-line.ts';
import { recipeEntries, settleRecipe, type Recipe } from './recipe.ts';

const root = join(import.meta.dirname, '../../../..');
const page = readFileSync(join(root, 'docs/recipe.md'), 'utf8');
const rows = [...page.slice(page.indexOf('## Entries'), page.indexOf('## What happens')).matchAll(/^\| `([\w.]+)` \|(?: `([^`]*)`|[^|`]*) ?\|/gm)].map(([, entry, value]) => ({ entry, value }));
const blocks = (language: string): string[] => [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text]) => text);

describe('docs/recipe.md', () => {
  it('explains every entry, and no other', () => {
    const { recipe, ...parts } = recipeEntries;
    const known = [...recipe.filter((name) => !['splits', 'plan', 'units'].includes(name)), ...Object.entries(parts).flatMap(([part, names]) => names.map((name) => `${part}.${name}`))];
    expect(rows.map(({ entry }) => entry).toSorted()).toEqual(known.toSorted());
  });

  it('tells the defaults', () => {
    const settled = settleRecipe({ dataset: 'x:y', macs: [0.5] });
    const told = rows.filter(({ entry, value }) => value !== undefined && entry !== 'roundSteps' && !/^(plan|units)\./.test(entry));
    expect(told.length).toBeGreaterThan(15);
    for (const { entry, value } of told) {
      const got = entry.split('.').reduce<unknown>((object, name) => (object as Record<string, unknown>)[name], settled);
      expect({ entry, value: JSON.parse(value!) }).toEqual({ entry, value: got });
    }
    expect(settled.roundSteps).toBe(settled.tune && settled.tune.steps);
  });

  it('names flags that there are', async () => {
    const { out } = await run(['prune', '--help']);
    const flags = new Set([...out.matchAll(/--[\w-]+/g)].map(([flag]) => flag));
    const named = [...page.matchAll(/(?<![\w-])--[a-z][\w-]+/g)].map(([flag]) => flag);
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((flag) => !flags.has(flag))).toEqual([]);
  });

  it('shows the example as it is, and recipes that can be used', () => {
    const [example] = blocks('ts');
    expect(example).toBe(readFileSync(join(root, 'examples/recipe.ts'), 'utf8'));
    const shown = blocks('json').map((text) => settleRecipe(JSON.parse(text) as Recipe));
    expect(shown).toMatchObject([{ scorer: 'wanda', tune: false }]);
  });
});
