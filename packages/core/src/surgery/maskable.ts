import { graphOf, makeInitializer, makeValueInfo, readTensor, withFields, type Model, type Tensor } from '@coppice/graph';
import type { Units } from '../analysis/units.ts';
import type { NamedTensors } from '../backend.ts';
import { GraphEdits } from './edits.ts';
import { Kept } from './kept.ts';
import { insertMasks, type Mask } from './mask.ts';

/** A model that is compiled once and run with whatever units masked. */
export interface MaskableModel {
  /** The model with further inputs, one for each mask. */
  readonly model: Model;
  /** Units that the inputs mask only in part: the recurrent matrix of DynamicQuantizeLSTM is a literal. Take `maskModel` for them. */
  readonly literal: ReadonlySet<number>;
  /**
   * What to give the mask inputs, by name, so that the model computes what `maskModel(units, removed)` does. Masks of which nothing is
   * removed are the same tensor each time.
   * @param removed ids of units
   */
  masks(removed: Iterable<number>): NamedTensors;
}

/** `maskModel` for all sets of units at once: the masks, also those of recurrent matrices, are inputs of the graph. */
export function maskableModel(units: Units): MaskableModel {
  const { model } = units.analysed.program;
  const edits = new GraphEdits(model);
  const unitOfSet = new Map(units.units.map(({ id, set }) => [set, id]));
  const masks: NamedMask[] = [];
  const literal = new Set<number>();
  insertMasks(units, new Kept(units, unitOfSet.values()), edits, {
    nameOf(mask) {
      const name = edits.fresh('coppice/mask');
      masks.push({ name, ...entriesOf(units, unitOfSet, mask) });
      return name;
    },
    onLiteral({ inputs }) {
      const axis = units.elements.table.axisOf(inputs[2], 1);
      for (let k = 0; k < units.elements.sizeOf(axis); k++) {
        const unit = unitOfSet.get(units.elements.setOf(axis, k));
        if (unit !== undefined) literal.add(unit);
      }
    },
  });
  const edited = edits.apply();
  const graph = graphOf(edited);
  const inputs = masks.map(({ name, whole }) => makeValueInfo(name, whole.dtype, whole.dims));
  return {
    model: { ...edited, proto: withFields(edited.proto, { graph: withFields(graph, { input: [...graph.input, ...inputs] }) }) },
    literal,
    masks: (removed) => {
      const gone = [...removed];
      return Object.fromEntries(masks.map((mask) => [mask.name, without(mask, gone)]));
    },
  };
}

interface NamedMask {
  readonly name: string;
  /** With no unit removed: ones. */
  readonly whole: Tensor;
  /** Where each unit lies in it. */
  readonly entries: ReadonlyMap<number, readonly number[]>;
}

function entriesOf({ elements, analysed }: Units, unitOfSet: ReadonlyMap<number, number>, mask: Mask): Omit<NamedMask, 'name'> {
  const entries = new Map<number, number[]>();
  mask.elements.forEach((element, entry) => {
    const unit = unitOfSet.get(elements.setOf(mask.axis, element));
    if (unit !== undefined) (entries.get(unit) ?? entries.set(unit, []).get(unit)!).push(entry);
  });
  const ones = makeInitializer('', mask.dtype, mask.dims, mask.elements.map(() => 1));
  return { whole: readTensor(analysed.program.model, ones), entries };
}

/** Zero is all bits zero in every type. */
function without({ whole, entries }: NamedMask, gone: readonly number[]): Tensor {
  const places = gone.flatMap((unit) => entries.get(unit) ?? []);
  if (places.length === 0) return whole;
  const data = (whole.data as Uint8Array).slice();
  const bytes = new Uint8Array(data.buffer);
  const size = data.BYTES_PER_ELEMENT;
  for (const place of places) bytes.fill(0, place * size, (place + 1) * size);
  return { ...whole, data };
}
