import { expectThat, indices } from './array.ts';

/** How a kernel moves along one axis. */
export interface Axis {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Elements from the first to the last that the kernel covers. */
  readonly span: number;
  readonly before: number;
  readonly after: number;
  /** Places of the kernel. */
  readonly count: number;
}

/** Attributes that say where a kernel lies. */
export interface Placed {
  readonly auto_pad: string;
  readonly dilations?: readonly number[] | undefined;
  readonly pads?: readonly number[] | undefined;
  readonly strides?: readonly number[] | undefined;
  readonly ceil_mode?: number;
}

/** Spec: Conv-22, MaxPool-22: "output_spatial_shape". @throws Error when the kernel does not fit */
export function axesOfWindows(space: readonly number[], kernel: readonly number[], { auto_pad, dilations, pads, strides, ceil_mode = 0 }: Placed): Axis[] {
  expectThat(space.length === kernel.length, () => `a kernel [${kernel.join(', ')}] does not fit the space [${space.join(', ')}]`);
  return space.map((size, a) => {
    const [stride, dilation] = [strides?.[a] ?? 1, dilations?.[a] ?? 1];
    const span = dilation * (kernel[a] - 1) + 1;
    const base = { kernel: kernel[a], stride, dilation, span };
    if (auto_pad.startsWith('SAME')) {
      const count = Math.ceil(size / stride);
      const missing = Math.max(0, (count - 1) * stride + span - size);
      const before = auto_pad === 'SAME_UPPER' ? Math.floor(missing / 2) : Math.ceil(missing / 2);
      return { ...base, before, after: missing - before, count };
    }
    const stated = auto_pad === 'NOTSET' && pads !== undefined;
    const [before, after] = stated ? [pads[a], pads[a + space.length]] : [0, 0];
    const room = (size + before + after - span) / stride;
    let count = (ceil_mode === 1 ? Math.ceil(room) : Math.floor(room)) + 1;
    // A window that would begin in the padding at the end is left out.
    if (ceil_mode === 1 && (count - 1) * stride >= size + before) count--;
    expectThat(count > 0, () => `a kernel that covers ${span} elements does not fit into ${size + before + after}`);
    return { ...base, before, after, count };
  });
}

/** Where ConvTranspose writes along one axis. Spec: ConvTranspose-22. */
export interface TransposedAxis {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Elements that are written: (size − 1)·stride + span. */
  readonly whole: number;
  /** Cut off before; after, negative where zeros are added. */
  readonly before: number;
  readonly after: number;
}

export function axesOfTransposed(space: readonly number[], kernel: readonly number[], { auto_pad, dilations, pads, strides, output_padding, output_shape }: Placed & { readonly output_padding?: readonly number[] | undefined; readonly output_shape?: readonly number[] | undefined }): TransposedAxis[] {
  expectThat(space.length === kernel.length, () => `a kernel [${kernel.join(', ')}] does not fit the space [${space.join(', ')}]`);
  return space.map((size, a) => {
    const [stride, dilation, extra] = [strides?.[a] ?? 1, dilations?.[a] ?? 1, output_padding?.[a] ?? 0];
    const whole = (size - 1) * stride + dilation * (kernel[a] - 1) + 1;
    const base = { kernel: kernel[a], stride, dilation, whole };
    const wanted = output_shape?.[a] ?? (auto_pad.startsWith('SAME') ? size * stride : undefined);
    if (wanted === undefined) {
      const stated = auto_pad === 'NOTSET' && pads !== undefined;
      return { ...base, before: stated ? pads[a] : 0, after: (stated ? pads[a + space.length] : 0) - extra };
    }
    const total = whole + extra - wanted;
    // More than is written: a stated shape gets zeros behind, and SAME stays at what is written, as ONNX Runtime has it.
    if (total < 0) return { ...base, before: 0, after: (output_shape ? total : 0) - extra };
    const small = Math.floor(total / 2);
    const before = auto_pad === 'SAME_UPPER' ? small : total - small;
    return { ...base, before, after: total - before - extra };
  });
}

/** For each place of a kernel the elements it covers, by their offset in a tensor [space…]; `tap` is the position in the kernel. */
export function* windows(space: readonly number[], axes: readonly Axis[]): Generator<{ readonly place: readonly number[]; readonly offsets: readonly number[]; readonly taps: readonly number[] }> {
  const kernel = axes.map((axis) => axis.kernel);
  for (const place of indices(axes.map(({ count }) => count))) {
    const [offsets, seen]: [number[], number[]] = [[], []];
    let t = 0;
    for (const tap of indices(kernel)) {
      let [offset, inside] = [0, true];
      for (let a = 0; a < axes.length; a++) {
        const at = place[a] * axes[a].stride + tap[a] * axes[a].dilation - axes[a].before;
        inside &&= at >= 0 && at < space[a];
        offset = offset * space[a] + at;
      }
      if (inside) {
        offsets.push(offset);
        seen.push(t);
      }
      t++;
    }
    yield { place, offsets, taps: seen };
  }
}
