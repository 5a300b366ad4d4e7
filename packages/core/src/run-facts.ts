import { dataTypeOf, elementCount, readTensor, type Constant, type Model, type Tensor, type TensorProto } from '@coppice/graph';
import type { NamedTensors } from './backend.ts';
import { contentsLimit, type Probe } from './probes.ts';
import type { Program } from './program.ts';
import { numbersOf, sameNumbers } from './tensor-numbers.ts';

/** What one run of a tracing model told, by value id. */
export interface RunFacts {
  readonly shapes: (readonly number[] | undefined)[];
  /** For values in Loops whose shape changed between iterations: a size for each axis, another one than in `shapes` where it changed. */
  readonly otherSizes: ReadonlyMap<number, readonly number[]>;
  readonly contents: ReadonlyMap<number, Constant>;
}

/**
 * Reads the outputs of a tracing model.
 * @param inputs what was fed, whose shapes are known without measuring
 */
export function readRun(program: Program, probes: readonly Probe[], inputs: NamedTensors, outputs: NamedTensors): RunFacts {
  const shapes: (readonly number[] | undefined)[] = program.values.map(({ tensor }) => tensor?.dims.map(Number));
  for (const id of program.inputs) shapes[id] = inputs[program.values[id].name]?.dims;
  const otherSizes = new Map<number, readonly number[]>();
  const contents = new Map<number, Constant>();
  for (const probe of probes) {
    const rows = rowsOf(outputs[probe.output], probe.depth);
    if (rows.length === 0) continue;
    const [first] = rows;
    if (probe.kind === 'shape') {
      shapes[probe.value] = first;
      if (probe.depth > 0) otherSizes.set(probe.value, first.map((size, axis) => rows.find((row) => row[axis] !== size)?.[axis] ?? size));
      continue;
    }
    // A value's shape is measured before its contents are.
    const dims = shapes[probe.value];
    if (dims && first.length <= probe.limit && first.length === elementCount(dims) && rows.every((row) => sameNumbers(row, first))) {
      contents.set(probe.value, { dtype: outputs[probe.output].dtype, dims, values: first });
    }
  }
  return { shapes, otherSizes, contents };
}

/** One row of numbers for each iteration of all Loops around; a single one outside of Loops. None where the numbers are not exact. */
function rowsOf(tensor: Tensor, depth: number): number[][] {
  const numbers = numbersOf(tensor);
  if (!numbers) return [];
  if (depth === 0) return [numbers];
  const iterations = elementCount(tensor.dims.slice(0, depth));
  const width = elementCount(tensor.dims.slice(depth));
  return Array.from({ length: iterations }, (_, k) => numbers.slice(k * width, (k + 1) * width));
}

/** Integers of these types are indices, sizes and masks; narrower ones are mostly quantised weights. */
const INDICES = new Set(['bool', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64']);
/** Up to this number of elements, contents of other types are read too. */
const FEW = 64;

/** Contents that the file states, up to 65,536 elements of integers of 16 bits and more and bools, and 64 of any other numbers. */
export function statedConstants({ model, values }: Program): Map<number, Constant> {
  const constants = new Map<number, Constant>();
  for (const { id, tensor } of values) {
    if (!tensor || elementCount(tensor.dims) > contentsLimit) continue;
    const constant = statedConstant(model, tensor);
    if (constant) constants.set(id, constant);
  }
  return constants;
}

function statedConstant(model: Model, tensor: TensorProto): Constant | undefined {
  const few = elementCount(tensor.dims) <= FEW;
  if (!few && !INDICES.has(dataTypeOf(tensor.dataType))) return undefined;
  const read = readTensor(model, tensor);
  const values = numbersOf(read);
  return values && { dtype: read.dtype, dims: read.dims, values };
}
