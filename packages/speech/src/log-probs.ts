import { CoppiceError, type Tensor } from '@coppice/graph';

/** What a CTC model says about one recording: natural logarithms of probabilities [time, token], row-major. */
export interface LogProbs {
  readonly data: Float32Array | Float64Array;
  readonly frames: number;
  readonly tokens: number;
}

/** Which axis of a model's output is which. */
export type CtcAxes = 'batch time token' | 'time batch token';

/**
 * The recordings of a batch, each with the frames that belong to it.
 * @param output float32 or float64, of three axes in the order of `axes`
 * @param inputLengths frames of each item; all when left out, and never more than there are
 * @throws CoppiceError `COPPICE_INPUT_MISMATCH` when the tensor is not of that kind
 */
export function splitBatch({ dtype, dims, data }: Tensor, inputLengths?: readonly number[], axes: CtcAxes = 'batch time token'): LogProbs[] {
  if ((!(data instanceof Float32Array) && !(data instanceof Float64Array)) || dims.length !== 3) {
    throw new CoppiceError('COPPICE_INPUT_MISMATCH', `Log-probabilities are float32 or float64 of the axes '${axes}', and this tensor is ${dtype} [${dims.join(', ')}]. Pass the output of the model as the runtime returns it.`);
  }
  const batchFirst = axes === 'batch time token';
  const [batch, time] = batchFirst ? dims : [dims[1], dims[0]];
  const tokens = dims[2];
  if (inputLengths !== undefined && inputLengths.length !== batch) {
    throw new CoppiceError('COPPICE_INPUT_MISMATCH', `There are lengths for ${inputLengths.length} recordings, and the batch has ${batch}. Give one length for each.`);
  }
  return Array.from({ length: batch }, (_, item) => {
    const frames = Math.min(time, inputLengths?.[item] ?? time);
    if (batchFirst) return { data: data.subarray(item * time * tokens, (item * time + frames) * tokens), frames, tokens };
    const own = data instanceof Float32Array ? new Float32Array(frames * tokens) : new Float64Array(frames * tokens);
    for (let t = 0; t < frames; t++) own.set(data.subarray((t * batch + item) * tokens, (t * batch + item + 1) * tokens), t * tokens);
    return { data: own, frames, tokens };
  });
}
