import { CoppiceError, type Tensor } from '@coppice/graph';

/** Which axis of a model's input is which, in their order: `batch`, `time`, `feature`, each once, and `1` for axes of one element. */
export type InputAxes = string;

/**
 * The names of the axes.
 * @returns undefined unless `batch`, `time` and `feature` are there once each, and all the rest are `1`
 */
export function parseAxes(axes: InputAxes): string[] | undefined {
  const names = axes.trim().split(/\s+/);
  const named = names.filter((name) => name !== '1').sort().join(' ');
  return named === 'batch feature time' ? names : undefined;
}

/**
 * Lays features out as a model reads them.
 * @param data [batch, time, feature]
 * @param sizes of those axes
 * @returns float32, of the order of `axes`; `data` itself where that is the order already
 * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID` for axes that are not understood
 */
export function layOutFeatures(data: Float32Array, sizes: { readonly batch: number; readonly time: number; readonly feature: number }, axes: InputAxes): Tensor {
  const names = parseAxes(axes);
  if (names === undefined) throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `The axes '${axes}' of the input are not understood: name batch, time and feature once each, in the model's order, and 1 for axes of one element, e.g. 'batch 1 time feature'.`);
  const size = (name: string): number => (name === '1' ? 1 : sizes[name as keyof typeof sizes]);
  const dims = names.map(size);
  const order = names.filter((name) => name !== '1');
  if (order.join(' ') === 'batch time feature') return { dtype: 'float32', dims, data };
  const stride: Record<string, number> = {};
  order.reduceRight((step, name) => ((stride[name] = step), step * size(name)), 1);
  const laid = new Float32Array(data.length);
  let at = 0;
  for (let item = 0; item < sizes.batch; item++) {
    for (let frame = 0; frame < sizes.time; frame++) {
      const place = item * stride['batch'] + frame * stride['time'];
      for (let k = 0; k < sizes.feature; k++) laid[place + k * stride['feature']] = data[at++];
    }
  }
  return { dtype: 'float32', dims, data: laid };
}
