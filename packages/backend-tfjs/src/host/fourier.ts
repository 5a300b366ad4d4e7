import type { Host } from '../value.ts';
import { around, axisOf, elements, expectThat, host, numbers, sizeOf } from './array.ts';

/** Σ_t x[t]·e^(∓2πi·t·f/n), by the definition: a list of real and imaginary parts for each frequency. */
function transform(real: ArrayLike<number>, imaginary: ArrayLike<number>, size: number, frequencies: number, inverse: boolean): [Float64Array, Float64Array] {
  const [outReal, outImaginary] = [new Float64Array(frequencies), new Float64Array(frequencies)];
  const cos = Float64Array.from({ length: size }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sin = Float64Array.from({ length: size }, (_, k) => Math.sin((2 * Math.PI * k) / size) * (inverse ? 1 : -1));
  for (let f = 0; f < frequencies; f++) {
    let [re, im] = [0, 0];
    for (let t = 0; t < size; t++) {
      const k = (t * f) % size;
      const [a, b] = [t < real.length ? real[t] : 0, t < imaginary.length ? imaginary[t] : 0];
      re += a * cos[k] - b * sin[k];
      im += a * sin[k] + b * cos[k];
    }
    outReal[f] = inverse ? re / size : re;
    outImaginary[f] = inverse ? im / size : im;
  }
  return [outReal, outImaginary];
}

/** Over one axis of [batch, …, 1 or 2]: real or complex numbers, zeros beyond the signal. Spec: DFT-20. */
export function dft(x: Host, length: Host | undefined, axisInput: Host | undefined, { inverse, onesided }: { readonly inverse: number; readonly onesided: number }): Host {
  const rank = x.dims.length;
  const axis = axisOf(axisInput ? Number(axisInput.data[0]) : -2, rank);
  const parts = x.dims[rank - 1];
  expectThat(parts === 1 || parts === 2, () => `the last axis has ${parts} parts, and a number has a real and an imaginary one`);
  const [outer, inside, rest] = around(x.dims.slice(0, -1), axis);
  const wanted = length ? Number(length.data[0]) : undefined;
  // The inverse of a one-sided spectrum is real: the other half is what mirrors this one.
  const mirrored = inverse === 1 && onesided === 1;
  const size = wanted ?? (mirrored ? (inside - 1) * 2 : inside);
  const frequencies = onesided === 1 && inverse === 0 ? Math.floor(size / 2) + 1 : size;
  const dims = [...x.dims.slice(0, -1).with(axis, frequencies), mirrored ? 1 : 2];
  const out = elements(x.dtype, sizeOf(dims)) as Float32Array;
  const last = dims[rank - 1];
  for (let o = 0; o < outer; o++) for (let k = 0; k < rest; k++) {
    const at = (t: number, part: number): number => Number(x.data[((o * inside + t) * rest + k) * parts + part]);
    const count = Math.min(inside, size);
    let real = Float64Array.from({ length: count }, (_, t) => at(t, 0));
    let imaginary = Float64Array.from({ length: count }, (_, t) => (parts === 2 ? at(t, 1) : 0));
    if (mirrored) {
      const [half, halfImaginary] = [real, imaginary];
      const middle = Math.floor(size / 2);
      real = Float64Array.from({ length: size }, (_, f) => half[f <= middle ? f : size - f] ?? 0);
      imaginary = Float64Array.from({ length: size }, (_, f) => (f <= middle ? halfImaginary[f] ?? 0 : -(halfImaginary[size - f] ?? 0)));
    }
    const [re, im] = transform(real, imaginary, size, frequencies, inverse === 1);
    for (let f = 0; f < frequencies; f++) {
      const to = ((o * frequencies + f) * rest + k) * last;
      out[to] = re[f];
      if (last === 2) out[to + 1] = im[f];
    }
  }
  return { dtype: x.dtype, dims, data: out };
}

/** Transforms of windows that move by a step: [batch, frames, frequencies, 2]. Spec: STFT-17. */
export function stft(x: Host, step: Host, window: Host | undefined, frameLength: Host | undefined, onesided: number): Host {
  const [batch, samples, parts = 1] = x.dims;
  const hop = Number(step.data[0]);
  const size = frameLength ? Number(frameLength.data[0]) : window!.data.length;
  const weights = window ? numbers(window) : Array<number>(size).fill(1);
  const frames = Math.floor((samples - size) / hop) + 1;
  const frequencies = onesided === 1 ? Math.floor(size / 2) + 1 : size;
  const values: number[] = [];
  for (let n = 0; n < batch; n++) for (let frame = 0; frame < frames; frame++) {
    const part = (which: number): Float64Array => Float64Array.from({ length: size }, (_, t) => (which < parts ? Number(x.data[(n * samples + frame * hop + t) * parts + which]) * weights[t] : 0));
    const [re, im] = transform(part(0), part(1), size, frequencies, false);
    for (let f = 0; f < frequencies; f++) values.push(re[f], im[f]);
  }
  return host(x.dtype, [batch, frames, frequencies, 2], values);
}
