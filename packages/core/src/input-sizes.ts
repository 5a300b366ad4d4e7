import type { NamedTensors } from './backend.ts';
import { isFloat, isLength, sizeKey, type InputSpec } from './inputs.ts';

/** Sizes of one run for the open dimensions of the inputs, by `sizeKey`. */
export type RunSizes = Readonly<Record<string, number>>;

/** What an open dimension counts: items, steps of features or tokens, or audio samples. */
export type SizeKind = 'batch' | 'frames' | 'samples';

/** What the user fixes. */
export interface SizeOptions {
  /**
   * Sizes by the name of a dimension, or by `input:axis`. One number is the size in the first run, and in the second one too if
   * the model does not run with another; two numbers are those of the two runs.
   */
  readonly dims?: Readonly<Record<string, number | readonly [number, number]>>;
  /** Tensors that are used as they are, in both runs or one set for each; open dimensions they have take their sizes. */
  readonly inputs?: NamedTensors | readonly [NamedTensors, NamedTensors];
}

const BATCH = /^(b|n|bs|bsz|batch.*|.*_batch|.*batch_?size)$/i;
/** Names that exporters invent for a dimension nobody named. */
const INVENTED = /^(unk__\d+|s\d+|dim_?\d+|.*dynamic_axes_\d+|.*:\d+)$/;
const WAVE_INPUT = /wave|audio|samples|pcm|signal|^(input|speech|mix|mixture|noisy)$/i;
const WAVE_SIZE = /sample|wav|pcm/i;
const FRAMES_SIZE = /frame|token|seq/i;

/** What each open dimension counts, told from names, ranks and element types. Where inputs share one, the first float input with most axes tells. */
export function kindsOf(specs: readonly InputSpec[]): Map<string, SizeKind> {
  const kinds = new Map<string, SizeKind>();
  const telling = ({ dtype, dims = [] }: InputSpec): number => (isFloat(dtype) ? dims.length : -1);
  for (const spec of specs.toSorted((a, b) => telling(b) - telling(a))) {
    const { dims = [], dtype } = spec;
    dims.forEach((dim, axis) => {
      if (typeof dim === 'number') return;
      const key = sizeKey(spec, axis);
      const countsItems = BATCH.test(key) || (axis === 0 && INVENTED.test(key) && (dims.length >= 2 || isLength(spec)));
      if (countsItems) kinds.set(key, 'batch');
      else if (!kinds.has(key)) kinds.set(key, isFloat(dtype) && countsSamples(spec, key, axis) ? 'samples' : 'frames');
    });
  }
  return kinds;
}

/** A waveform has one long axis, the last; all before it are the batch or channels of one. */
function countsSamples({ name, dims = [] }: InputSpec, key: string, axis: number): boolean {
  if (axis !== dims.length - 1 || FRAMES_SIZE.test(key)) return false;
  const flat = dims.length <= 2 ? dims.slice(0, -1).every((dim) => typeof dim !== 'number' || dim <= 2) : dims.slice(1, -1).every((dim) => dim === 1);
  return flat || (WAVE_SIZE.test(key) || (WAVE_INPUT.test(name) && dims.length <= 2));
}

type Pair = readonly [number, number];

/** An input of more elements is not tried: it takes two long axes that are hardly meant together, and a runtime may run out of memory. */
const MOST_ELEMENTS = 2 ** 22;

/** Elements of an input in one run. */
const elementsOf = (spec: InputSpec, sizes: RunSizes): number =>
  (spec.dims ?? []).reduce<number>((product, dim, axis) => product * (typeof dim === 'number' ? dim : sizes[sizeKey(spec, axis)]), 1);

/** Sizes of the two runs, in the order in which they are tried. Odd and even, so that strides and paddings show. */
const pairs: Readonly<Record<Exclude<SizeKind, 'batch'>, readonly Pair[]>> = {
  frames: [[50, 83], [120, 201], [64, 96], [16, 29], [8, 13], [400, 633], [4000, 6543], [16000, 24321]],
  samples: [[4000, 6543], [16000, 24321], [4096, 6144], [512, 768], [120, 201], [50, 83], [16, 29], [8, 13]],
};

/**
 * Sizes for the two tracing runs, best first: batches of 2 and 3, lengths as in `pairs`, a little different for each of several
 * lengths and then equal; at last batches of 1, and lengths where a batch was only guessed. One candidate when nothing is open.
 */
export function* candidateSizes(specs: readonly InputSpec[], options: SizeOptions = {}): Generator<readonly [RunSizes, RunSizes]> {
  const { fixed, wished } = statedSizes(specs, options);
  const kinds = kindsOf(specs);
  const keys = [...kinds.keys()].filter((key) => !fixed.has(key));
  const lengths = keys.filter((key) => kinds.get(key) !== 'batch');
  const guessed = keys.filter((key) => kinds.get(key) === 'batch' && INVENTED.test(key));

  const candidate = (row: number, batch: Pair, apart: boolean, guessedAre: 'batch' | 'lengths', same: boolean): readonly [RunSizes, RunSizes] => {
    const run = (r: 0 | 1): RunSizes => {
      const sizes: Record<string, number> = {};
      for (const key of kinds.keys()) {
        const stated = fixed.get(key);
        const kind = kinds.get(key)!;
        if (stated) sizes[key] = stated[r];
        else if (kind === 'batch' && !(guessedAre === 'lengths' && guessed.includes(key))) sizes[key] = batch[r];
        else sizes[key] = pairs[kind === 'batch' ? 'frames' : kind][row][r] + (apart ? [6, 10][r] * Math.max(lengths.indexOf(key), 0) : 0);
      }
      for (const [key, size] of wished) sizes[key] = same || r === 0 ? size : secondSize(size, kinds.get(key));
      for (const [key, stated] of fixed) sizes[key] = stated[r];
      return sizes;
    };
    return [run(0), run(1)];
  };

  for (const same of wished.size > 0 ? [false, true] : [false]) {
    for (const [guessedAre, batch] of [['batch', [2, 3]], ['batch', [1, 1]], ['lengths', [2, 3]]] as const) {
      if (guessedAre === 'lengths' && guessed.length === 0) continue;
      if (batch[1] === 1 && !keys.some((key) => kinds.get(key) === 'batch')) continue;
      const rows = lengths.length === 0 && guessedAre === 'batch' ? 1 : pairs.frames.length;
      for (let row = 0; row < rows; row++) {
        for (const apart of lengths.length > 1 ? [true, false] : [false]) {
          const sizes = candidate(row, batch, apart, guessedAre, same);
          if (row === 0 || sizes.every((run) => specs.every((spec) => elementsOf(spec, run) <= MOST_ELEMENTS))) yield sizes;
        }
      }
    }
  }
}

/** A size that differs from the one the user named, so that what depends on it can be told from what does not. */
const secondSize = (first: number, kind: SizeKind | undefined): number => (kind === 'batch' ? first + 1 : Math.ceil(first * 1.6) + 1);

/** Sizes that the user's tensors and pairs settle for both runs, and those he wished for the first. */
function statedSizes(specs: readonly InputSpec[], { dims = {}, inputs }: SizeOptions): { fixed: Map<string, Pair>; wished: Map<string, number> } {
  const fixed = new Map<string, Pair>();
  const wished = new Map<string, number>();
  const [first, second] = tensorsOfRuns(inputs);
  for (const spec of specs) {
    const [a, b] = [first[spec.name], second[spec.name]];
    spec.dims?.forEach((dim, axis) => {
      if (typeof dim !== 'number' && a && b) fixed.set(sizeKey(spec, axis), [a.dims[axis], b.dims[axis]]);
    });
  }
  for (const [key, size] of Object.entries(dims)) {
    if (typeof size !== 'number') fixed.set(key, size);
    else if (!fixed.has(key)) wished.set(key, size);
  }
  for (const key of wished.keys()) fixed.delete(key);
  return { fixed, wished };
}

/** The tensors that the user gave for each of the two runs. */
export function tensorsOfRuns(inputs: SizeOptions['inputs']): readonly [NamedTensors, NamedTensors] {
  if (inputs === undefined) return [{}, {}];
  return Array.isArray(inputs) ? (inputs as unknown as readonly [NamedTensors, NamedTensors]) : [inputs as NamedTensors, inputs as NamedTensors];
}
