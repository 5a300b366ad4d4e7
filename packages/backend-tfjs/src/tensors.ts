import { fromFloat32, toFloat32, type Tensor } from '@coppice/graph';
import type { Host } from './value.ts';

/** A tensor of a file or a caller as it is computed with: half floats as numbers. */
export const hostOf = (tensor: Tensor): Host => (tensor.dtype === 'float16' || tensor.dtype === 'bfloat16' ? { ...tensor, data: toFloat32(tensor) } : tensor);

/** A result as the caller gets it: half floats as their bits, rounded to nearest even. */
export const tensorOf = ({ dtype, dims, data }: Host): Tensor =>
  ({ dtype, dims: [...dims], data: dtype === 'float16' || dtype === 'bfloat16' ? fromFloat32(data as Float32Array, dtype) : data });
