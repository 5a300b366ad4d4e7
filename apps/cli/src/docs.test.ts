import { errorCodes } from '@coppice/graph';
import { buildReferenceModel, defaultFeatures, describeReferenceModel, descriptionSchema, parseDescription, tokenizerOf } from '@coppice/speech';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planSchema } from './plan-schema.ts';

const docs = (name: string): string => readFileSync(join(import.meta.dirname, '../../../docs', name), 'utf8');

describe('the documentation', () => {
  it('lists every error code with its meaning, and no other', () => {
    const rows = [...docs('errors.md').matchAll(/^\| `(COPPICE_\w+)` \| (.+) \|$/gm)].map(([, code, meaning]) => [code, meaning]);
    expect(rows).toEqual(Object.entries(errorCodes));
  });

  it('has the schema of plan files that the program uses', () => {
    expect(JSON.parse(docs('plan.schema.json'))).toEqual(planSchema);
  });

  it('shows a plan that the schema accepts, but for what it leaves out', () => {
    const example = /```json\n([\s\S]*?)```/.exec(docs('plan-file.md'))![1]
      .replaceAll(/"[0-9a-f]{8}…"/g, JSON.stringify('0'.repeat(64))).replaceAll('{ … }', '{ "before": 1, "after": 1 }');
    const validate = new Ajv2020({ allowUnionTypes: true }).compile(planSchema);
    expect(validate(JSON.parse(example)), JSON.stringify(validate.errors)).toBe(true);
  });

  it('has the schema of speech descriptions that the program uses', () => {
    expect(JSON.parse(docs('speech-description.schema.json'))).toEqual(descriptionSchema);
  });

  it('shows the description that the reference model has, and another one that is accepted', () => {
    const [reference, other] = [...docs('speech-description.md').matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => parseDescription(JSON.parse(text), 'the documentation'));
    const tokenizer = tokenizerOf('words', ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']);
    expect(reference).toEqual(describeReferenceModel(buildReferenceModel({ tokens: 11 }), { features: defaultFeatures({ sampleRateHz: 8000 }), tokenizer }));
    expect(other).toMatchObject({ tokenizer: 'characters', blank: 28 });
  });

  it('explains every field of a speech description, and no other', () => {
    const explained = [...docs('speech-description.md').matchAll(/^\| (`.+?`) \|/gm)].flatMap(([, names]) => names.split(', ').map((name) => name.replaceAll('`', '')));
    const { features, ...model } = descriptionSchema.properties;
    const ofFeatures = features.oneOf.flatMap(({ properties }) => Object.keys(properties));
    expect(explained.toSorted()).toEqual([...new Set([...Object.keys(model), ...ofFeatures])].toSorted());
  });
});
