import { macTerms } from '../cost.ts';
import { isPosition } from '../structure/signature.ts';
import type { Reason } from './elements.ts';
import { contractedLabels } from './freeze.ts';
import { nameOf } from './names.ts';
import { isFrozen } from './steps.ts';
import type { Units } from './units.ts';

/** One width of one layer that may not be pruned, wholly or in part. */
export interface FrozenPlace {
  /** Name of the layer. */
  readonly layer: string;
  readonly operator: string;
  /** Whether the layer makes this width or reads it. */
  readonly side: 'output' | 'input';
  readonly size: number;
  readonly frozen: number;
  readonly reasons: readonly Reason[];
}

/** Every width of every layer with multiply–accumulates that is frozen, each with the reasons; batch, time and kernel taps are no widths. */
export function frozenPlaces(units: Units): FrozenPlace[] {
  const { elements, analysed } = units;
  const { values } = analysed.program;
  const places: FrozenPlace[] = [];
  for (const step of analysed.steps) {
    if (isFrozen(step.signature) || !step.signature.macs) continue;
    const contracted = contractedLabels(step);
    const weights = new Set(elements.table.occurrences(step).filter((o) => o.entry < step.inputs.length && !values[step.inputs[o.entry]].tainted).flatMap((o) => o.factors.map((f) => f.label)));
    for (const [label, size] of step.sizes) {
      if (isPosition(label) || size < 2 || !weights.has(label)) continue;
      const id = elements.table.labelOf(step, label);
      const why = new Set<number>();
      let frozen = 0;
      for (let k = 0; k < elements.sizeOf(id); k++) {
        if (!elements.isFrozen(id, k)) continue;
        frozen++;
        for (const reason of elements.reasonsOf(id, k)) why.add(reason);
      }
      if (frozen === 0) continue;
      places.push({ layer: nameOf(step, values), operator: step.step.node.op, side: contracted.has(label) ? 'input' : 'output', size, frozen, reasons: [...why].map((r) => elements.reasons[r]) });
    }
  }
  return places;
}

/** How much of a model can be pruned: the share of its multiply–accumulates in nodes of which some width is prunable. */
export function prunableShare(units: Units): { macs: number; params: number } {
  const { elements, analysed } = units;
  const prunable = new Uint8Array(elements.count);
  for (const group of units.groups) for (const id of group.lanes.flat()) prunable[units.units[id].set] = 1;
  const has = (axis: number) => {
    const size = elements.sizeOf(axis);
    for (let k = 0; k < size; k++) {
      const set = elements.setOf(axis, k);
      if (set < 0) return false;
      if (prunable[set]) return true;
    }
    return false;
  };
  let [macs, all] = [0, 0];
  for (const step of analysed.steps) {
    for (const term of macTerms(step)) {
      const product = term.reduce((p, label) => p * step.sizes.get(label)!, 1);
      all += product;
      if (term.some((label) => !isPosition(label) && has(elements.table.labelOf(step, label)))) macs += product;
    }
  }
  let [params, total] = [0, 0];
  for (const { id, tensor } of analysed.program.values) {
    if (!tensor) continue;
    const count = tensor.dims.reduce((p, d) => p * Number(d), 1);
    total += count;
    if (elements.table.axesOf(id).some((axis) => has(axis))) params += count;
  }
  return { macs: all === 0 ? 0 : macs / all, params: total === 0 ? 0 : params / total };
}
