import { dataTypes, tensorByteLength, type TensorProto } from '@coppice/graph';
import { isFrozen, type AnalysedStep } from './analysis/steps.ts';
import type { Units } from './analysis/units.ts';
import { Kept } from './surgery/kept.ts';
import { isPosition, parseProduct } from './structure/signature.ts';

/** What a model costs. */
export interface Cost {
  /** Multiply–accumulates of one run at the traced input sizes of the first run. */
  readonly macs: number;
  /** Elements of all weights: initializers and constants of floating or quantised type. */
  readonly params: number;
  /** Bytes of those weights in the file. */
  readonly bytes: number;
}

const WEIGHT_TYPES = new Set<number>([dataTypes.float32, dataTypes.float16, dataTypes.bfloat16, dataTypes.float64, dataTypes.int8, dataTypes.uint8, dataTypes.int4, dataTypes.uint4]);

/** A tensor that counts as parameters. */
export const isWeight = (tensor: TensorProto): boolean => WEIGHT_TYPES.has(tensor.dataType);

/** Terms of a step's multiply–accumulates, each a list of labels whose sizes are multiplied. */
export const macTerms = (step: AnalysedStep): string[][] =>
  isFrozen(step.signature) || !step.signature.macs ? [] : step.signature.macs.split('+').map((term) => parseProduct(term.replace(/[()]/g, '')).map((f) => f.label));

/** Cost of a model, whole or with some units removed. A closed form over kept counts: nothing is cut or run. */
export function costOf(units: Units, removed: Iterable<number> = []): Cost {
  const kept = new Kept(units, removed);
  let macs = 0;
  for (const step of units.analysed.steps) macs += macsOf(step, kept);
  let params = 0;
  let bytes = 0;
  const { program } = units.analysed;
  const counted = new Set<TensorProto>();
  for (const { id, tensor } of program.values) {
    if (!tensor || !isWeight(tensor) || counted.has(tensor)) continue;
    counted.add(tensor);
    const dims = tensor.dims.map(Number);
    const axes = units.elements.table.axesOf(id);
    const whole = dims.reduce((p, n) => p * n, 1);
    const left = dims.reduce((p, n, a) => p * (axes[a] === undefined ? n : kept.length(axes[a])), 1);
    params += left;
    if (whole > 0) bytes += (tensorByteLength(program.model, tensor) / whole) * left;
  }
  return { macs, params, bytes: Math.round(bytes) };
}

/** Multiply–accumulates of one step after a cut. */
export const macsOf = (step: AnalysedStep, kept: Kept): number =>
  macTerms(step).reduce((sum, term) => sum + term.reduce((p, label) => p * (isPosition(label) ? step.sizes.get(label)! : kept.label(step, label)), 1), 0);


/** How much each unit costs while everything else is there, so that budgets can be reached by the cheapest removals first. Linear: products of two pruned widths count on both sides. */
export function unitCosts(units: Units): { macs: Float64Array; params: Float64Array; bytes: Float64Array } {
  const macs = new Float64Array(units.units.length);
  const params = new Float64Array(units.units.length);
  const bytes = new Float64Array(units.units.length);
  const unitOfSet = new Int32Array(units.elements.count).fill(-1);
  for (const { set, id } of units.units) unitOfSet[set] = id;
  for (const step of units.analysed.steps) {
    for (const term of macTerms(step)) {
      const whole = term.reduce((p, label) => p * step.sizes.get(label)!, 1);
      for (const label of new Set(term)) {
        if (isPosition(label)) continue;
        const axis = units.elements.table.labelOf(step, label);
        const size = units.elements.sizeOf(axis);
        for (let k = 0; k < size; k++) {
          const set = units.elements.setOf(axis, k);
          if (set >= 0 && unitOfSet[set] >= 0) macs[unitOfSet[set]] += whole / size;
        }
      }
    }
  }
  const { program } = units.analysed;
  const tensors = new Map(program.values.flatMap((v) => (v.tensor ? [[v.name, v.tensor] as const] : [])));
  for (const { id, slices } of units.units) {
    for (const { initializer, axis, indices, at } of slices) {
      const tensor = tensors.get(initializer)!;
      if (!isWeight(tensor)) continue;
      const dims = tensor.dims.map(Number);
      const elements = (dims.reduce((p, n) => p * n, 1) / dims[axis]) * indices.length / Object.keys(at ?? {}).reduce((p, a) => p * dims[Number(a)], 1);
      params[id] += elements;
      bytes[id] += elements * (tensorByteLength(program.model, tensor) / Math.max(1, dims.reduce((p, n) => p * n, 1)));
    }
  }
  return { macs, params, bytes };
}
