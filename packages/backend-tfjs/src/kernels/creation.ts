import { dataTypeOf, readTensor } from '@coppice/graph';
import { elements, host, isBig, numbers, scalarOf, sizeOf, writable } from '../host/array.ts';
import { refused, type HostRow, type Rows } from '../row.ts';
import { hostOf } from '../tensors.ts';

/** Σ a_k·cos(2πk·n/N) over the length of a window. Spec: HannWindow-17. */
const cosineWindow = (factors: readonly number[]): HostRow<{ readonly output_datatype: number; readonly periodic: number }> => ({ inputs: [size], attributes: { output_datatype, periodic } }) => {
  const count = scalarOf(size);
  const period = periodic === 1 ? count : count - 1;
  return [host(dataTypeOf(output_datatype), [count], Array.from({ length: count }, (_, n) => factors.reduce((sum, a, k) => sum + a * Math.cos((2 * Math.PI * k * n) / period), 0)))];
};

const drawn = refused('its numbers are drawn at random, and every runtime draws others; draw them outside and make them an input');

export const creation = {
  Constant: refused('a sparse constant is not read'),
  ConstantOfShape: {
    host({ inputs: [shape], attributes: { value } }) {
      const dims = numbers(shape);
      if (value === undefined) return [{ dtype: 'float32', dims, data: new Float32Array(sizeOf(dims)) }];
      const filling = hostOf(readTensor({ proto: undefined as never }, value));
      const out = elements(filling.dtype, sizeOf(dims));
      (out as Float32Array).fill(filling.data[0] as number);
      return [{ dtype: filling.dtype, dims, data: out }];
    },
  },
  Range: {
    host({ inputs: [start, limit, delta] }) {
      const { dtype } = start;
      if (isBig(dtype)) {
        const [from, to, by] = [start.data[0] as bigint, limit.data[0] as bigint, delta.data[0] as bigint];
        const count = Math.max(0, Math.ceil(Number(to - from) / Number(by)));
        return [{ dtype, dims: [count], data: BigInt64Array.from({ length: count }, (_, k) => from + BigInt(k) * by) }];
      }
      const [from, to, by] = [start, limit, delta].map(scalarOf);
      const count = Math.max(0, Math.ceil((to - from) / by));
      return [host(dtype, [count], Array.from({ length: count }, (_, k) => from + k * by))];
    },
  },
  EyeLike: {
    host({ inputs: [x], attributes: { dtype, k } }) {
      const [rows, columns] = x.dims;
      const type = dtype === undefined ? x.dtype : dataTypeOf(dtype);
      return [host(type, x.dims, Array.from({ length: rows * columns }, (_, at) => ((at % columns) - Math.floor(at / columns) === k ? 1 : 0)))];
    },
  },
  HannWindow: { host: cosineWindow([0.5, -0.5]) },
  HammingWindow: { host: cosineWindow([25 / 46, -21 / 46]) },
  BlackmanWindow: { host: cosineWindow([0.42, -0.5, 0.08]) },
  /** Triangles between points that are evenly spaced in mel, on the bins of a transform. Spec: MelWeightMatrix-17. */
  MelWeightMatrix: {
    host({ inputs, attributes: { output_datatype } }) {
      const [bands, length, rate, low, high] = inputs.map(scalarOf);
      const bins = Math.floor(length / 2) + 1;
      const [from, to] = [low, high].map((hertz) => 2595 * Math.log10(1 + hertz / 700));
      const step = (to - from) / (bands + 2);
      const edges = Array.from({ length: bands + 2 }, (_, k) => Math.floor(((length + 1) * (700 * (10 ** ((k * step + from) / 2595) - 1))) / rate));
      const dtype = dataTypeOf(output_datatype);
      const out = elements(dtype, bins * bands);
      const weights = writable(out);
      for (let k = 0; k < bands; k++) {
        const [lower, center, upper] = [edges[k], edges[k + 1], edges[k + 2]];
        if (center === lower) weights[center * bands + k] = 1;
        else for (let j = lower; j <= center; j++) weights[j * bands + k] = (j - lower) / (center - lower);
        if (upper > center) for (let j = center; j < upper; j++) weights[j * bands + k] = (upper - j) / (upper - center);
      }
      return [{ dtype, dims: [bins, bands], data: out }];
    },
  },
  Bernoulli: drawn,
  Multinomial: drawn,
  RandomNormal: drawn,
  RandomNormalLike: drawn,
  RandomUniform: drawn,
  RandomUniformLike: drawn,
} satisfies Rows;
