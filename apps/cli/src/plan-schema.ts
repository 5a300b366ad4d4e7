const index = { type: 'integer', minimum: 0 } as const;
const share = { type: 'number', exclusiveMinimum: 0, maximum: 1 } as const;
const strings = { type: 'array', items: { type: 'string' } } as const;
const beforeAfter = { type: 'object', required: ['before', 'after'], additionalProperties: false, properties: { before: { type: 'number', minimum: 0 }, after: { type: 'number', minimum: 0 } } } as const;
/** JSON has no infinity: a difference that is not finite is null. */
const difference = { type: ['number', 'null'], minimum: 0 } as const;

const file = {
  type: 'object',
  description: 'A model: SHA-256 of the .onnx file followed by its external data files in the order in which the model first names them.',
  required: ['name', 'sha256', 'bytes'],
  additionalProperties: false,
  properties: { name: { type: 'string' }, sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' }, bytes: index },
} as const;

const slice = {
  type: 'object',
  description: 'Elements of one axis of one initializer of the original; `at` narrows them to one index of other axes.',
  required: ['initializer', 'axis', 'indices'],
  additionalProperties: false,
  properties: {
    initializer: { type: 'string' },
    axis: index,
    indices: { type: 'array', items: index, minItems: 1, uniqueItems: true },
    at: { type: 'object', propertyNames: { pattern: '^(0|[1-9][0-9]*)$' }, additionalProperties: index },
  },
} as const;

/** JSON schema (2020-12) of plan files; `docs/plan.schema.json` is a copy for programs that are not ours. */
export const planSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Coppice plan',
  description: 'Which units were removed from a model, and what came of it.',
  type: 'object',
  required: ['format', 'version', 'original', 'slim', 'request', 'got', 'verdict', 'baked', 'removed'],
  additionalProperties: false,
  properties: {
    format: { const: 'coppice-plan' },
    version: { const: 1 },
    original: file,
    slim: file,
    request: {
      type: 'object',
      required: ['scorer', 'seed', 'norm', 'factors', 'release'],
      properties: {
        scorer: { type: 'string' },
        seed: { type: 'integer' },
        macs: share,
        params: share,
        bytes: share,
        groups: { type: 'object', additionalProperties: share },
        roundTo: { type: 'integer', minimum: 1 },
        minWidth: { type: 'integer', minimum: 1 },
        comparable: { type: 'boolean' },
        only: strings,
        skip: strings,
        ranking: { enum: ['uniform', 'global'] },
        norm: { enum: ['exact', 'shrink', 'freeze'] },
        factors: { enum: ['heads', 'head-dim'] },
        release: strings,
        dims: { type: 'object', additionalProperties: { type: 'integer', minimum: 1 } },
      },
    },
    got: {
      type: 'object',
      required: ['macs', 'params', 'bytes'],
      additionalProperties: false,
      properties: { macs: beforeAfter, params: beforeAfter, bytes: beforeAfter, latencyMs: beforeAfter },
    },
    verdict: {
      type: 'object',
      required: ['equal', 'kind', 'runs', 'output', 'absolute', 'relative', 'tolerance'],
      additionalProperties: false,
      properties: {
        equal: { type: 'boolean' }, kind: { enum: ['exact', 'to a norm'] }, runs: index,
        output: { type: 'string' }, absolute: difference, relative: difference, tolerance: { type: 'number', minimum: 0 },
      },
    },
    baked: strings,
    removed: {
      type: 'array',
      items: {
        type: 'object',
        required: ['group', 'lane', 'unit', 'score', 'slices'],
        additionalProperties: false,
        properties: { group: { type: 'string' }, lane: index, unit: index, score: { type: 'number', minimum: 0 }, slices: { type: 'array', items: slice, minItems: 1 } },
      },
    },
  },
} as const;
