/**
 * Models of a wanted size for benchmarks, with random weights.
 * Usage: node tools/models/generate.ts crnn|transformer PARAMETERS FILE [SEED], e.g. transformer 95e6 /tmp/base.onnx
 */
import type { Model } from '../../packages/graph/src/index.ts';
import { writeModel } from '../../packages/graph/src/node/index.ts';
import { buildReferenceModel, countReferenceParameters, type ReferenceOptions } from '../../packages/speech/src/index.ts';
import { buildTransformer, countTransformerParameters, type TransformerSizes } from './transformer.ts';

/** What to generate. */
export interface GenerateOptions {
  readonly kind: 'crnn' | 'transformer';
  /** Wanted; what comes is within 2 %. From 1e6 to 300e6. */
  readonly parameters: number;
  /** Default 0. */
  readonly seed?: number | string;
  /** For a transformer; default `decomposed`. */
  readonly attention?: TransformerSizes['attention'];
}

/** A model of about so many parameters: the reference CRNN widened and deepened, or an encoder like wav2vec 2.0. */
export function generateModel({ kind, parameters, seed = 0, attention = 'decomposed' }: GenerateOptions): Model {
  if (kind === 'transformer') return buildTransformer(transformerSizes(parameters, attention), seed);
  return buildReferenceModel({ ...crnnSizes(parameters), seed });
}

/** Deeper from 5 M on; then the width whose count is nearest. */
export function crnnSizes(parameters: number): ReferenceOptions {
  const sizes = (hidden: number): ReferenceOptions => ({ mels: 80, layers: parameters < 5e6 ? 3 : 5, hidden, channels: [Math.ceil(hidden / 8), Math.ceil(hidden / 4)] });
  let [low, high] = [8, 8192];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (countReferenceParameters(sizes(middle)) <= parameters) low = middle;
    else high = middle;
  }
  return sizes(low);
}

/**
 * Of all widths the one whose feed-forward blocks are nearest to the usual four times as wide, once these are set to meet
 * the count. 95e6 gives wav2vec 2.0's base model but for a few feed-forward units, 300e6 nearly the large one.
 */
export function transformerSizes(parameters: number, attention: TransformerSizes['attention'] = 'decomposed'): TransformerSizes {
  const layers = parameters < 5e6 ? 4 : parameters < 30e6 ? 6 : parameters < 200e6 ? 12 : 24;
  const candidates = Array.from({ length: 24 }, (_, k): TransformerSizes => {
    const width = 64 * (k + 1);
    const plain = { layers, width, heads: width / (width < 512 ? 32 : 64), inner: 4 * width, channels: 8 * Math.round(width / 12), tokens: 32, attention };
    return { ...plain, inner: plain.inner + Math.round((parameters - countTransformerParameters(plain)) / (layers * (2 * width + 1))) };
  });
  const distance = ({ width, inner }: TransformerSizes): number => Math.abs(inner / width - 4);
  return candidates.reduce((best, next) => (distance(next) < distance(best) ? next : best));
}

if (process.argv[1] === import.meta.filename) {
  const [kind, parameters, file, seed] = process.argv.slice(2);
  if ((kind !== 'crnn' && kind !== 'transformer') || !(Number(parameters) >= 1e5) || file === undefined) {
    console.error('Usage: node tools/models/generate.ts crnn|transformer PARAMETERS FILE [SEED]');
    process.exit(2);
  }
  console.log(writeModel(generateModel({ kind, parameters: Number(parameters), seed }), file).join('\n'));
}
