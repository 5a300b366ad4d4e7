import type { NamedTensors } from '@coppice/core';
import type { Tensor } from '@coppice/graph';

/** Tensors that nothing else shares: a bad backend may write to what it is given. */
export const copied = (tensors: NamedTensors): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, data: (tensor.data as Float32Array).slice() }]));
