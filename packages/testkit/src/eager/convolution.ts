import { at, build, indices, offset, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

/** Attributes of Conv and ConvTranspose that say where a kernel lies. */
interface Placed {
  readonly auto_pad: string;
  readonly dilations: readonly number[] | undefined;
  readonly pads: readonly number[] | undefined;
  readonly strides: readonly number[] | undefined;
}

/** Elements that a kernel covers along an axis, and what it takes to place it. */
const kernelOf = (taps: readonly number[], { dilations, strides }: Placed) => taps.map((count, axis) => {
  const dilation = dilations?.[axis] ?? 1;
  return { stride: strides?.[axis] ?? 1, dilation, span: dilation * (count - 1) + 1 };
});

/** How a total of padding lies before and after. */
const halves = (total: number, oddBefore: boolean): readonly [number, number] => {
  const small = Math.floor(total / 2);
  return oddBefore ? [total - small, small] : [small, total - small];
};

/** Pads before and after an axis, as stated. */
const statedPads = ({ pads, auto_pad }: Placed, axis: number, rank: number): readonly [number, number] =>
  (pads && auto_pad === 'NOTSET' ? [pads[axis], pads[axis + rank]] : [0, 0]);

export const convolution = {
  /** y[n,o,T] = b[o] + Σ_{i,K} x[n,i,s·T + d·K − p] · w[o,i,K], o and i of the same group. Spec: Conv-22. */
  Conv([x, w, b], attributes) {
    const { group, auto_pad } = attributes;
    const [batch, , ...space] = x.shape;
    const [outs, ins, ...taps] = w.shape;
    const kernel = kernelOf(taps, attributes);
    const pads = kernel.map(({ stride, span }, axis) => (auto_pad.startsWith('SAME')
      ? halves(Math.max(0, (Math.ceil(space[axis] / stride) - 1) * stride + span - space[axis]), auto_pad === 'SAME_LOWER')
      : statedPads(attributes, axis, space.length)));
    const size = kernel.map(({ stride, span }, axis) => Math.floor((space[axis] + pads[axis][0] + pads[axis][1] - span) / stride) + 1);
    return [build([batch, outs, ...size], ([n, o, ...place]) => {
      const first = Math.floor(o / (outs / group)) * ins;
      let sum = b ? b.data[o] : 0;
      for (const [i, ...tap] of indices([ins, ...taps])) {
        const read = place.map((t, axis) => kernel[axis].stride * t + kernel[axis].dilation * tap[axis] - pads[axis][0]);
        if (read.every((t, axis) => t >= 0 && t < space[axis])) sum += at(x, [n, first + i, ...read]) * at(w, [o, i, ...tap]);
      }
      return sum;
    })];
  },

  /** Every element of x adds a kernel to y: y[n,o,s·T + d·K − p] += x[n,i,T] · w[i,o,K]. Spec: ConvTranspose-22. */
  ConvTranspose([x, w, b], attributes) {
    const { group, auto_pad, output_padding, output_shape } = attributes;
    const [batch, ins, ...space] = x.shape;
    const [, outs, ...taps] = w.shape;
    const kernel = kernelOf(taps, attributes);
    const axes = kernel.map(({ stride, span }, axis) => {
      const whole = stride * (space[axis] - 1) + span + (output_padding?.[axis] ?? 0);
      const wanted = output_shape?.[axis] ?? (auto_pad.startsWith('SAME') ? space[axis] * stride : undefined);
      // Where a SAME result would be larger than all that is written, ONNX Runtime leaves it at that.
      const [before, after] = wanted === undefined ? statedPads(attributes, axis, space.length) : halves(Math.max(0, whole - wanted), auto_pad !== 'SAME_UPPER');
      // A stated size may also be larger than all that is written; what is left over stays empty at the end.
      return { size: output_shape?.[axis] ?? whole - before - after, before };
    });
    const y: Array64 = build([batch, outs * group, ...axes.map(({ size }) => size)], ([, o]) => (b ? b.data[o] : 0));
    for (const [n, i, ...place] of indices(x.shape)) {
      const first = Math.floor(i / (ins / group)) * outs;
      for (const [o, ...tap] of indices([outs, ...taps])) {
        const written = place.map((t, axis) => kernel[axis].stride * t + kernel[axis].dilation * tap[axis] - axes[axis].before);
        if (written.every((t, axis) => t >= 0 && t < axes[axis].size)) y.data[offset(y.shape, [n, first + o, ...written])] += at(x, [n, i, ...place]) * at(w, [i, o, ...tap]);
      }
    }
    return [y];
  },
} satisfies EagerRows;
