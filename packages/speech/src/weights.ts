import { elementCount, makeInitializer, type TensorProto } from '@coppice/graph';
import { uniformFrom } from './random.ts';

/** Puts numbers into `data`; `next` gives uniform ones in [−1, 1). */
export type Fill = (data: Float32Array, next: () => number) => void;

/** A weight of a model still to be made: what it is called, its shape, and how its first values are drawn. */
export interface Weight {
  readonly name: string;
  readonly dims: readonly number[];
  readonly fill: Fill;
}

/**
 * A weight as a float32 initializer. Its numbers depend on the seed and its own name and shape alone, so that changing one
 * layer leaves all others as they were.
 */
export const drawWeight = (weight: Weight, seed: number | string): TensorProto => makeInitializer(weight.name, 'float32', weight.dims, drawNumbers(weight, seed));

/** The numbers of `drawWeight`. */
export function drawNumbers({ name, dims, fill }: Weight, seed: number | string): Float32Array {
  const data = new Float32Array(elementCount(dims));
  fill(data, uniformFrom(`${seed}/${name}`));
  return data;
}

/** How many numbers the weights hold together. */
export const countParameters = (weights: readonly Weight[]): number => weights.reduce((sum, { dims }) => sum + elementCount(dims), 0);

/** Uniform in [low, high). */
export const between = (low: number, high: number): Fill => (data, next) => {
  const [centre, half] = [(low + high) / 2, (high - low) / 2];
  for (let k = 0; k < data.length; k++) data[k] = centre + half * next();
};

/** Uniform with variance 2/fanIn, which keeps the size of activations across a ReLU. He et al. 2015, eq. 10. */
export const kaiming = (fanIn: number): Fill => between(-Math.sqrt(6 / fanIn), Math.sqrt(6 / fanIn));

/** Uniform with variance 1/fanIn, which keeps the size of activations across a linear layer. LeCun et al. 1998, eq. 16. */
export const lecun = (fanIn: number): Fill => between(-Math.sqrt(3 / fanIn), Math.sqrt(3 / fanIn));

/** Uniform within ±1/√fanIn: small and not zero, so that a bias cut at the wrong place shows. PyTorch's choice. */
export const smallBias = (fanIn: number): Fill => between(-1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));

/** `smallBias` for an LSTM [directions, 8·hidden], the forget gate's higher by one, so that an untrained layer remembers. Jozefowicz et al. 2015, 3.1. */
export const rememberingBias = (hidden: number): Fill => (data, next) => {
  smallBias(hidden)(data, next);
  for (let start = 2 * hidden; start < data.length; start += 8 * hidden) for (let k = 0; k < hidden; k++) data[start + k] += 1;
};

/**
 * Square blocks [size, size], one after the other, each orthogonal, which keeps the state of a recurrent layer from growing
 * or vanishing (Saxe et al. 2014). Each is a product of plane rotations of random pairs of rows: Kac's walk, which spreads
 * a vector evenly within about size·log(size) rotations (Pillai & Smith 2017).
 */
export const orthogonal = (size: number): Fill => (data, next) => {
  for (let start = 0; start < data.length; start += size * size) data.set(randomRotation(size, next), start);
};

/** [size, size], row-major. */
function randomRotation(size: number, next: () => number): Float64Array {
  const matrix = new Float64Array(size * size);
  for (let k = 0; k < size; k++) matrix[k * size + k] = 1;
  const rows = Uint32Array.from({ length: size }, (_, k) => k);
  for (let round = 2 * Math.ceil(Math.log2(size)); round > 0; round--) {
    shuffle(rows, next);
    for (let k = 0; k + 1 < size; k += 2) rotateRows(matrix, rows[k] * size, rows[k + 1] * size, size, next);
  }
  return matrix;
}

/** Turns two rows, given by where they begin, by a random angle. */
function rotateRows(matrix: Float64Array, first: number, second: number, length: number, next: () => number): void {
  const [cosine, sine] = direction(next);
  for (let k = 0; k < length; k++) {
    const [a, b] = [matrix[first + k], matrix[second + k]];
    matrix[first + k] = cosine * a - sine * b;
    matrix[second + k] = sine * a + cosine * b;
  }
}

/** A random point of the unit circle. Not by Math.cos, whose last bit may differ between engines; √ is exact. */
function direction(next: () => number): readonly [number, number] {
  for (;;) {
    const [x, y] = [next(), next()];
    const square = x * x + y * y;
    if (square > 1e-6 && square <= 1) return [x / Math.sqrt(square), y / Math.sqrt(square)];
  }
}

/** Fisher and Yates. */
function shuffle(items: Uint32Array, next: () => number): void {
  for (let k = items.length - 1; k > 0; k--) {
    const other = Math.floor(((next() + 1) / 2) * (k + 1));
    [items[k], items[other]] = [items[other], items[k]];
  }
}
