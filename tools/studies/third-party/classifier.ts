import type { Backend, NamedTensors } from '@coppice/core';
import type { Model, Tensor } from '@coppice/graph';
import type { Audio } from '@coppice/speech';

/** A classifier of one-second clips that somebody else trained. Plain data; the model changes, the rest stays. */
export interface Classifier {
  readonly model: Model;
  readonly input: string;
  /** Logits [batch, class]. */
  readonly output: string;
  /** Shape of one clip's features, without the batch. */
  readonly dims: readonly number[];
  readonly classes: readonly string[];
  /** The class of each digit, 0 to 9; absent where the model has none for them. */
  readonly digits?: readonly number[];
  /** Where a word shorter than a second lies in the clips that it was trained on. */
  readonly place: 'start' | 'middle';
  /** Features of a clip as the authors compute them. */
  readonly features: (audio: Audio) => Float32Array;
}

/** A recording as features. */
export interface Clip {
  readonly id: string;
  readonly speaker: string;
  readonly digit: number;
  readonly features: Float32Array;
}

/** What a classifier says of clips, row by row. */
export interface Logits {
  readonly classes: number;
  /** [clip, class] */
  readonly data: Float32Array;
}

/** Clips as one batch. */
export function batchOf({ input, dims }: Pick<Classifier, 'input' | 'dims'>, clips: readonly Clip[]): Record<string, Tensor> {
  const size = dims.reduce((product, n) => product * n, 1);
  const data = new Float32Array(clips.length * size);
  clips.forEach(({ features }, k) => data.set(features, k * size));
  return { [input]: { dtype: 'float32', dims: [clips.length, ...dims], data } };
}

/** Clips in batches of at most `size`, in order. */
export const batchesOf = (classifier: Pick<Classifier, 'input' | 'dims'>, clips: readonly Clip[], size: number): NamedTensors[] =>
  Array.from({ length: Math.ceil(clips.length / size) }, (_, k) => batchOf(classifier, clips.slice(k * size, (k + 1) * size)));

/** Runs a classifier over clips. */
export async function classify(classifier: Pick<Classifier, 'model' | 'input' | 'output' | 'dims'>, clips: readonly Clip[], backend: Backend, threads: number): Promise<Logits> {
  const executable = await backend.compile(classifier.model, { optimise: 'all', threads });
  try {
    const parts: Float32Array[] = [];
    for (const batch of batchesOf(classifier, clips, 32)) parts.push((await executable.run(batch, [classifier.output]))[classifier.output].data as Float32Array);
    const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    return { classes: data.length / clips.length, data };
  } finally {
    await executable.dispose();
  }
}

/** The class with the highest logit of each clip; of several, the first. `among`: only these classes count. */
export function decisions({ classes, data }: Logits, among: readonly number[] = Array.from({ length: classes }, (_, c) => c)): number[] {
  return Array.from({ length: data.length / classes }, (_, clip) => among.reduce((best, c) => (data[clip * classes + c] > data[clip * classes + best] ? c : best), among[0]));
}

/** The mean over clips of KL(reference ‖ other), both as softmax of logits, in nats. */
export function meanDivergence(reference: Logits, other: Logits): number {
  const { classes } = reference;
  const clips = reference.data.length / classes;
  let total = 0;
  for (let clip = 0; clip < clips; clip++) {
    const [p, q] = [reference, other].map(({ data }) => logSoftmax(data.subarray(clip * classes, (clip + 1) * classes)));
    for (let c = 0; c < classes; c++) total += Math.exp(p[c]) * (p[c] - q[c]);
  }
  return total / clips;
}

function logSoftmax(row: Float32Array): Float64Array {
  const top = row.reduce((most, value) => Math.max(most, value), -Infinity);
  const norm = top + Math.log(row.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return Float64Array.from(row, (value) => value - norm);
}
