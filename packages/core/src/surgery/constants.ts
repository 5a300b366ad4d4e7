import { dataTypeOf, type DataType } from '@coppice/graph';
import type { Units } from '../analysis/units.ts';
import { axisCuts } from './axis-cuts.ts';
import { compress } from './compress.ts';
import type { Kept } from './kept.ts';

/** What stays of a small constant that the graph computes; undefined where its contents are not known. */
export function keptConstant(units: Units, id: number, kept: Kept): { readonly dims: readonly number[]; readonly values: readonly number[] } | undefined {
  const constant = units.analysed.trace.constants.get(id);
  if (!constant) return undefined;
  const cuts = axisCuts(units, id, kept);
  const dims = constant.dims.map((n, a) => cuts.find(({ axis }) => axis === a)?.indices[0].length ?? n);
  const bytes = compress(new Uint8Array(Float64Array.from(constant.values).buffer), constant.dims, 8, cuts);
  return { dims, values: Array.from(new Float64Array(bytes.buffer as ArrayBuffer)) };
}

/** The element type that a literal in place of a computed constant must have. */
export function constantType({ analysed: { program, trace } }: Units, id: number): DataType {
  const { elementType } = program.values[id];
  return elementType ? dataTypeOf(elementType) : (trace.constants.get(id)!.dtype as DataType);
}
