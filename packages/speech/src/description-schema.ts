const positive = { type: 'integer', minimum: 1 } as const;
const number = { type: 'number' } as const;
const numbers = { type: 'array', items: number, minItems: 1 } as const;
const name = { type: 'string', minLength: 1 } as const;

const normalisation = {
  type: 'object',
  required: ['type'],
  discriminator: { propertyName: 'type' },
  oneOf: [
    { additionalProperties: false, properties: { type: { const: 'none' } } },
    { additionalProperties: false, required: ['deviation', 'epsilon'], properties: { type: { const: 'utterance' }, deviation: { enum: ['population', 'sample', 'none'] }, epsilon: { type: 'number', minimum: 0 } } },
    { additionalProperties: false, required: ['mean', 'deviation'], properties: { type: { const: 'global' }, mean: numbers, deviation: numbers } },
  ],
} as const;

const ofEveryType = {
  sampleRateHz: positive, windowMs: number, hopMs: number, fftSize: positive,
  window: { enum: ['hann', 'hamming', 'povey', 'rectangular'] },
  windowForm: { enum: ['periodic', 'symmetric'] },
  framing: { enum: ['snip-edges', 'mirror-edges', 'center-zeros', 'center-reflect'] },
  scale: number, dither: number, seed: { type: ['number', 'string'] }, removeMean: { type: 'boolean' },
  preemphasis: number, preemphasisOver: { enum: ['clip', 'frame'] },
  spectrum: { enum: ['power', 'magnitude'] },
  mels: positive, lowHz: number, highHz: number,
  melScale: { enum: ['htk', 'slaney'] },
  triangles: { enum: ['hz', 'mel'] },
  area: { enum: ['none', 'slaney'] },
  log: { enum: ['ln', 'log10', 'db'] },
  floor: number, floorBy: { enum: ['max', 'add'] },
  dynamicRange: number,
  normalisation,
} as const;
const required = Object.keys(ofEveryType).filter((key) => key !== 'dynamicRange');
const cepstrum = { coefficients: positive, dct: { enum: ['ortho', 'none'] }, lifter: number, lifterFrom: { enum: [0, 1] } } as const;

const features = {
  type: 'object',
  required: ['type'],
  discriminator: { propertyName: 'type' },
  oneOf: [
    ...['log-mel', 'fbank'].map((type) => ({ additionalProperties: false, required, properties: { type: { const: type }, ...ofEveryType } })),
    { additionalProperties: false, required: [...required, ...Object.keys(cepstrum)], properties: { type: { const: 'mfcc' }, ...ofEveryType, ...cepstrum } },
  ],
} as const;

/** JSON schema (2020-12) of the description of a CTC model; what must fit together is checked beyond it. */
export const descriptionSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Coppice speech description',
  description: 'The features, the alphabet and the axes of a CTC acoustic model.',
  type: 'object',
  required: ['format', 'version', 'features', 'tokenizer', 'tokens', 'blank', 'input', 'inputAxes', 'output', 'outputAxes', 'frameStride'],
  additionalProperties: false,
  properties: {
    format: { const: 'coppice-speech' },
    version: { const: 1 },
    features,
    tokenizer: { enum: ['characters', 'words', 'phones'] },
    tokens: { type: 'array', items: { type: 'string' }, minItems: 2 },
    blank: { type: 'integer', minimum: 0 },
    wordSeparator: name,
    input: name,
    inputAxes: name,
    output: name,
    outputAxes: { enum: ['batch time token', 'time batch token'] },
    frameStride: positive,
    clip: { type: 'object', required: ['seconds', 'frames'], additionalProperties: false, properties: { seconds: { type: 'number', exclusiveMinimum: 0 }, frames: positive } },
  },
} as const;
