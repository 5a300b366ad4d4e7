import { descriptionSchema } from '@coppice/speech';

const text = { type: 'string', minLength: 1 } as const;
const count = { type: 'integer', minimum: 0 } as const;
const amount = { type: 'number', minimum: 0 } as const;
const sha256 = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
/** Relative, with slashes, no part of which begins with a dot; so nothing leaves the folder. */
const path = { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.@+-]*(/[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*$', maxLength: 240 } as const;

const object = <P extends Readonly<Record<string, object>>>(properties: P, optional: readonly (keyof P & string)[] = []) =>
  ({ type: 'object', additionalProperties: false, required: Object.keys(properties).filter((key) => !optional.includes(key)), properties }) as const;
const list = <T extends object>(items: T) => ({ type: 'array', items }) as const;

const file = { path, bytes: count, sha256 };
const port = object({ name: text, dtype: text, dims: list({ type: ['integer', 'string', 'null'] }), axes: text });
const model = object({ ...file, opset: { type: 'object', additionalProperties: count }, parameters: count, operators: { type: 'object', additionalProperties: count }, input: port, output: port, quantisation: text });
const beforeAfter = object({ before: count, after: count });
const array = object({ path, dims: { type: 'array', items: count, minItems: 2, maxItems: 2 } });
const measurements = object({
  errors: object({
    unit: { enum: ['word', 'character', 'phone'] }, rate: amount, interval: object({ low: amount, high: amount, level: amount }), utterances: count, length: count, corpus: text, normaliser: text,
  }),
  latency: object({ backend: text, threads: count, seconds: amount, medianMs: amount, p10Ms: amount, p90Ms: amount, runs: count }),
}, ['errors', 'latency']);
const { $schema: _schema, title: _title, ...speech } = descriptionSchema;

/** JSON schema (2020-12) of `manifest.json`. */
export const manifestSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Coppice bundle',
  description: 'A recogniser that is ready for one runtime, and the proof that it works there.',
  ...object({
    format: { const: 'coppice-bundle' },
    version: { const: 1 },
    name: text,
    target: text,
    licence: { type: ['string', 'null'] },
    speech,
    decoder: { type: 'object', required: ['type'], discriminator: { propertyName: 'type' }, oneOf: [object({ type: { const: 'greedy' } }), object({ type: { const: 'beam' }, width: { type: 'integer', minimum: 1 } })] },
    model,
    original: model,
    pruned: object({
      original: object({ name: text, sha256, bytes: count }), scorer: text, macs: beforeAfter, parameters: beforeAfter, removed: list(object({ group: text, units: count })),
    }),
    measured: object({ machine: text, model: measurements, original: measurements }, ['machine', 'model', 'original']),
    golden: object({
      source: text, computedBy: text, tolerance: object({ features: amount, logProbs: amount }), alphabet: { type: 'string' },
      clips: list(object({ id: text, audio: path, seconds: amount, features: array, logProbs: array, text: { type: 'string' }, said: { type: 'string' } }, ['said'])),
    }),
    runtime: object({ name: text, version: text, bytes: count, note: text }),
    files: list(object(file)),
  }, ['original', 'pruned']),
} as const;
