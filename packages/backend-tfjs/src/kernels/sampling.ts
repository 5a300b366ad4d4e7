import { dataTypeOf } from '@coppice/graph';
import { axisOf, elements, expectThat, host, numbers, sameDims, scalarOf, sizeOf, vector } from '../host/array.ts';
import { dft, stft } from '../host/fourier.ts';
import { padded, sliced } from '../host/movement.ts';
import { resize } from '../host/resize.ts';
import { axesOfWindows, windows } from '../host/windows.ts';
import { refused, type Rows } from '../row.ts';

const picture = refused('it is an operator of image models and is not interpreted here');
const renamed = refused('it bears another name in today’s operator set');

/** The determinant by elimination with the largest pivot. */
function determinant(data: ArrayLike<number>, start: number, size: number): number {
  const rows = Array.from({ length: size }, (_, r) => Float64Array.from({ length: size }, (_, c) => data[start + r * size + c]));
  let result = 1;
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let r = k + 1; r < size; r++) if (Math.abs(rows[r][k]) > Math.abs(rows[pivot][k])) pivot = r;
    if (rows[pivot][k] === 0) return 0;
    if (pivot !== k) {
      [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
      result = -result;
    }
    result *= rows[k][k];
    for (let r = k + 1; r < size; r++) {
      const factor = rows[r][k] / rows[k][k];
      for (let c = k; c < size; c++) rows[r][c] -= factor * rows[k][c];
    }
  }
  return result;
}

/** Overlap of two boxes over their union. */
function overlap(a: readonly number[], b: readonly number[]): number {
  const side = (k: number): number => Math.max(0, Math.min(a[k + 2], b[k + 2]) - Math.max(a[k], b[k]));
  const area = (box: readonly number[]): number => (box[2] - box[0]) * (box[3] - box[1]);
  const shared = side(0) * side(1);
  return shared <= 0 ? 0 : shared / (area(a) + area(b) - shared);
}

export const sampling = {
  Resize: { host: ({ inputs: [x, roi, scales, sizes], attributes }) => [resize(x, roi, scales, sizes, attributes)] },
  Upsample: renamed,
  Scatter: renamed,
  DFT: { host: ({ inputs: [x, length, axis], attributes }) => [dft(x, length, axis, attributes)] },
  STFT: { host: ({ inputs: [x, step, window, length], attributes: { onesided } }) => [stft(x, step, window, length, onesided)] },
  Det: {
    host({ inputs: [x] }) {
      const size = x.dims.at(-1)!;
      expectThat(x.dims.at(-2) === size, () => `[${x.dims.join(', ')}] holds no square matrices`);
      const dims = x.dims.slice(0, -2);
      return [host(x.dtype, dims, Array.from({ length: sizeOf(dims) }, (_, k) => determinant(x.data as Float32Array, k * size * size, size)))];
    },
  },
  /** Columns of windows added up where they overlap. Spec: Col2Im-18. */
  Col2Im: {
    host({ inputs: [x, image, block], attributes: { dilations, pads, strides } }) {
      const [space, kernel] = [numbers(image), numbers(block)];
      const [batch, rows, columns] = x.dims;
      const [taps, plane] = [sizeOf(kernel), sizeOf(space)];
      const channels = rows / taps;
      const axes = axesOfWindows(space, kernel, { auto_pad: 'NOTSET', dilations, pads, strides });
      const places = axes.reduce((product, { count }) => product * count, 1);
      expectThat(Number.isInteger(channels) && columns === places, () => `[${x.dims.join(', ')}] is not ${taps} taps at ${places} places`);
      const out = elements(x.dtype, batch * channels * plane) as Float32Array;
      let place = 0;
      for (const { offsets, taps: seen } of windows(space, axes)) {
        for (let c = 0; c < batch * channels; c++) for (let k = 0; k < offsets.length; k++) out[c * plane + offsets[k]] += x.data[(c * taps + seen[k]) * columns + place] as number;
        place++;
      }
      return [{ dtype: x.dtype, dims: [batch, channels, ...space], data: out }];
    },
  },
  /** Cut or padded evenly to a size. Spec: CenterCropPad-18. */
  CenterCropPad: {
    host({ inputs: [x, shape], attributes: { axes } }) {
      const targets = numbers(shape);
      const along = axes?.map((axis) => axisOf(axis, x.dims.length)) ?? targets.map((_, axis) => axis);
      return [along.reduce((value, axis, k) => {
        const missing = targets[k] - value.dims[axis];
        if (missing <= 0) return sliced(value, axis, Math.floor(-missing / 2), targets[k]);
        const before = value.dims.map((_, a) => (a === axis ? Math.floor(missing / 2) : 0));
        return padded(value, before, value.dims.map((_, a) => (a === axis ? missing - before[a] : 0)), 'constant', 0);
      }, x)];
    },
  },
  /** The same bits as another type of the same width. Spec: BitCast-26. */
  BitCast: {
    host({ inputs: [x], attributes: { to } }) {
      const dtype = dataTypeOf(to);
      const data = x.data as Float32Array;
      const target = elements(dtype, 0) as Float32Array;
      const view = new (target.constructor as Float32ArrayConstructor)(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / target.BYTES_PER_ELEMENT);
      return [{ dtype, dims: x.dims, data: view.slice() }];
    },
    hostTakes: ['float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'],
    refuse: ({ attributes: { to } }) => (['float16', 'bfloat16', 'bool', 'string'].includes(dataTypeOf(to)) ? `it is not computed to ${dataTypeOf(to)}` : undefined),
  },
  /** Boxes in the order of their scores, without those that overlap a better one. Spec: NonMaxSuppression-11. */
  NonMaxSuppression: {
    host({ inputs: [boxes, scores, most, threshold, least], attributes: { center_point_box } }) {
      const [batch, classes, count] = scores.dims;
      expectThat(sameDims(boxes.dims, [batch, count, 4]), () => `boxes [${boxes.dims.join(', ')}] for scores [${scores.dims.join(', ')}]`);
      const limit = most ? scalarOf(most) : 0;
      const [iou, lowest] = [threshold ? scalarOf(threshold) : 0, least ? scalarOf(least) : -Infinity];
      const cornersOf = (n: number, k: number): number[] => {
        const [a, b, c, d] = Array.from({ length: 4 }, (_, j) => boxes.data[(n * count + k) * 4 + j] as number);
        if (center_point_box === 1) return [b - d / 2, a - c / 2, b + d / 2, a + c / 2];
        return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
      };
      const chosen: number[] = [];
      for (let n = 0; n < batch; n++) for (let c = 0; c < classes; c++) {
        const score = (k: number): number => scores.data[(n * classes + c) * count + k] as number;
        const kept: number[] = [];
        const order = Array.from({ length: count }, (_, k) => k).filter((k) => score(k) > lowest).sort((a, b) => score(b) - score(a) || a - b);
        for (const k of order) {
          if (kept.length >= limit) break;
          if (kept.every((other) => overlap(cornersOf(n, other), cornersOf(n, k)) <= iou)) kept.push(k);
        }
        for (const k of kept) chosen.push(n, c, k);
      }
      return [{ ...vector(chosen), dims: [chosen.length / 3, 3] }];
    },
  },
  AffineGrid: picture,
  DeformConv: picture,
  GridSample: picture,
  MaxRoiPool: picture,
  RoiAlign: picture,
} satisfies Rows;

