import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manifestSchema } from './manifest-schema.ts';
import { targets } from './targets/index.ts';

const docs = (name: string): string => readFileSync(join(import.meta.dirname, '../../../docs', name), 'utf8');

describe('docs/bundle.md', () => {
  it('comes with the schema that the program uses', () => {
    expect(JSON.parse(docs('bundle.schema.json'))).toEqual(JSON.parse(JSON.stringify(manifestSchema)));
  });

  it('explains every field of a manifest, and no other', () => {
    const table = docs('bundle.md').split('## The manifest')[1].split('##')[0];
    const explained = [...table.matchAll(/^\| (`.+?`) \|/gm)].flatMap(([, names]) => names.split(', ').map((name) => name.replaceAll('`', '')));
    expect(explained.toSorted()).toEqual(Object.keys(manifestSchema.properties).toSorted());
  });

  it('names every target that is there', () => {
    for (const { name } of targets) expect(docs('bundle.md')).toContain(`\`${name}\``);
  });
});
