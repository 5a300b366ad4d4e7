import { findSites, movesOnly, Uses, weightParts, type Part, type ProgramValue, type Site, type Units, type Use, type WeightPart } from '@coppice/core';
import { dataTypes, graphOf } from '@coppice/graph';

/** An operator that reads units through a weight matrix, and its name in the specification for that operand. */
export interface ConsumerPlace {
  readonly node: string;
  readonly operator: string;
  readonly operand: string;
  /** Empty where units meet no weight. */
  readonly initializer: string;
}

/** A place where the model is linear in units: Σ over units of (what is shown of the unit · its slices), nothing in between. */
export interface LinearConsumer extends ConsumerPlace {
  /** Id of the value of the main graph that shows the units. */
  readonly value: number;
  /** Where each unit lies in that value, by unit id. */
  readonly shown: ReadonlyMap<number, readonly Part[]>;
  /** Where each unit lies in the initializer, by unit id. */
  readonly slices: ReadonlyMap<number, readonly Part[]>;
}

/** A consumer that is not known to be linear, or only in part, and why. */
export interface OtherConsumer extends ConsumerPlace {
  readonly units: readonly number[];
  readonly why: string;
}

/** Operators that are linear in what meets their weights. The last ones are ONNX Runtime's own forms of the first. */
const LINEAR: ReadonlySet<string> = new Set([
  'Conv', 'ConvTranspose', 'MatMul', 'Gemm', 'Einsum', 'LSTM', 'GRU', 'RNN', 'FusedConv', 'NhwcConv', 'NhwcFusedConv', 'FusedGemm', 'FusedMatMul', 'TransposeMatMul',
]);
const RECURRENT: ReadonlySet<string> = new Set(['LSTM', 'GRU', 'RNN']);

/**
 * Who reads units, and who of them linearly with weights that may be changed for that reader alone. Recurrent matrices are among them: a
 * layer reads in each step the state that it gave out in the step before.
 */
export function findConsumers(units: Units): { linear: LinearConsumer[]; others: OtherConsumer[] } {
  const uses = new Uses(units);
  const parts = weightParts(units, uses);
  const sites = findSites(units, uses, parts);
  const linear: LinearConsumer[] = [];
  const others: OtherConsumer[] = [];
  const placeOf = ({ step: { step }, operator, operand }: Use, initializer: string): ConsumerPlace => ({ node: step.node.name || step.node.outputs[0], operator, operand, initializer });

  for (const [use, value, slices] of readSlices(parts)) {
    const place = placeOf(use, units.analysed.program.values[value].name);
    const found = obstacleOf(units, use, value) ?? (readsBack(use) ? stateOf(units, use) : inputOf(units, use, sites));
    if (typeof found === 'string') {
      others.push({ ...place, units: [...slices.keys()], why: found });
      continue;
    }
    const behindReset = isBehindReset(use);
    linear.push({ ...place, ...found, slices: behindReset ? withoutLastGate(units, value, slices) : slices });
    if (behindReset) others.push({ ...place, units: [...slices.keys()], why: 'its rows of the hidden gate read the state behind the reset gate, which no run shows; only those of the other gates change' });
  }
  for (const { parts: shown, readers } of sites) {
    for (const { operator, operand, weights } of readers) {
      if (operator && weights.size === 0) others.push({ node: '', operator, operand, initializer: '', units: [...shown.keys()], why: 'the units meet no weight there that is not used elsewhere' });
    }
  }
  return { linear, others: [...others, ...normsOver(units)] };
}

/** Norms over the axis of units: what they make of the others changes when one goes. */
function normsOver({ analysed, elements, units }: Units): OtherConsumer[] {
  const unitOfSet = new Map(units.map(({ id, set }) => [set, id]));
  return analysed.steps.flatMap((step) => {
    const { signature, step: { node } } = step;
    if ('frozen' in signature) return [];
    // `c~`: the node mixes all elements of the axis. A norm without a mean does so too, but is as good as masked when elements leave.
    const mixed = [...signature.axes.matchAll(/(\w+)~/g)].map(([, label]) => label);
    if (node.op === 'LpNormalization') mixed.push(signature.axes.split(/ *[,-]/)[0].split(' ').at(Number(node.attributes.axis))!);
    const sets = [...new Set(mixed)].map((label) => elements.table.labelOf(step, label)).flatMap((id) => Array.from({ length: elements.sizeOf(id) }, (_, k) => elements.setOf(id, k)));
    const read = new Set(sets.flatMap((set) => unitOfSet.get(set) ?? []));
    return read.size === 0 ? [] : [{ node: node.name || node.outputs[0], operator: node.op, operand: '', initializer: '', units: [...read], why: 'it takes statistics over the units' }];
  });
}

const readsBack = ({ operator, operand }: Use): boolean => operand === 'R' && RECURRENT.has(operator);

/** A GRU that resets the state before its recurrent matrix, and not behind it. */
const isBehindReset = (use: Use): boolean => readsBack(use) && use.operator === 'GRU' && use.step.step.node.attributes.linear_before_reset !== 1;

/** Slices that read units, by the step and label that reads them and by initializer. */
function readSlices(parts: readonly WeightPart[]): (readonly [use: Use, value: number, slices: Map<number, Part[]>])[] {
  const found = new Map<Use['step'], Map<string, { use: Use; value: number; slices: Map<number, Part[]> }>>();
  for (const { unit, value, use, axis, indices, within } of parts) {
    if (use?.role !== 'in') continue;
    const byLabel = found.get(use.step) ?? found.set(use.step, new Map()).get(use.step)!;
    const key = `${value}/${use.label}`;
    const { slices } = byLabel.get(key) ?? byLabel.set(key, { use, value, slices: new Map() }).get(key)!;
    (slices.get(unit) ?? slices.set(unit, []).get(unit)!).push({ axis, indices, within });
  }
  return [...found.values()].flatMap((byLabel) => [...byLabel.values()].map(({ use, value, slices }) => [use, value, slices] as const));
}

/** Why other weights would not do what is wanted, or would do something else too. */
function obstacleOf({ analysed: { program } }: Units, use: Use, value: number): string | undefined {
  const { step: { step }, operator } = use;
  const { tensor, elementType } = program.values[value];
  if (!LINEAR.has(operator)) return 'the operator is not known to be linear in them';
  if (operator === 'Einsum' && step.inputs.filter((id) => program.values[id].tainted).length > 1) return 'it multiplies them with other activations';
  if (!tensor || !graphOf(program.model).initializer.includes(tensor)) return 'its weights are not an initializer of the main graph';
  if (elementType !== dataTypes.float32) return 'its weights are not float32';
  const leadsThere = (id: number): boolean => program.steps.filter(({ inputs }) => inputs.includes(id)).every((reader) => reader === step || (movesOnly(reader.node) && reader.outputs.every((made) => made < 0 || leadsThere(made))));
  const apart = leadsThere(value) && !program.outputs.includes(value) && (!isBehindReset(use) || step.inputs[2] === value);
  return apart ? undefined : 'its weights are computed with on the way, or used elsewhere too';
}

type Shown = Pick<LinearConsumer, 'value' | 'shown'>;

/** The value itself that a step reads units from. */
function inputOf({ analysed: { program } }: Units, { step, label }: Use, sites: readonly Site[]): Shown | string {
  const reads = ({ readers }: Site) => readers.some(({ weights }) => [...weights.values()].some(([{ use }]) => use?.step === step && use.label === label));
  const found = sites.filter(reads);
  if (found.length !== 1) return found.length === 0 ? 'what it reads cannot be seen in a run' : 'it reads them from several inputs';
  const [{ value, parts }] = found;
  // Where what is read cannot be seen, a site shows a relative of it: good enough to score by, not to rebuild from.
  if (step.inputs.filter((id) => id === value).length !== 1 || !isFloat(program.values[value])) return 'what it reads cannot be seen in a run';
  return { value, shown: parts };
}

/** The states of a recurrent layer, [time, direction, batch, hidden] or [batch, time, direction, hidden]: those it reads are those it gave out, but for the initial ones. */
function stateOf({ analysed: { program }, elements, units }: Units, { step }: Use): Shown | string {
  const value = program.values[step.outputs[0]];
  if (!value || value.scope.parent !== undefined || !isFloat(value)) return 'its states cannot be seen in a run';
  const axis = elements.table.axisOf(value.id, 3);
  const length = elements.table.lengths[axis];
  const unitOfSet = new Map(units.map(({ id, set }) => [set, id]));
  const shown = new Map<number, Part[]>();
  const directionAxis = step.step.node.attributes.layout === 1 ? 2 : 1;
  for (let k = 0; k < elements.sizeOf(axis); k++) {
    const unit = unitOfSet.get(elements.setOf(axis, k));
    const direction = Math.floor(k / length);
    if (unit !== undefined) (shown.get(unit) ?? shown.set(unit, []).get(unit)!).push({ axis: 3, indices: [k % length], within: new Map([[directionAxis, [direction, direction + 1]]]) });
  }
  return { value: value.id, shown };
}

const isFloat = ({ elementType }: ProgramValue): boolean => elementType === dataTypes.float32;

/** The rows of the update and reset gates of a GRU, which come first. */
function withoutLastGate({ analysed: { program } }: Units, value: number, slices: ReadonlyMap<number, readonly Part[]>): Map<number, Part[]> {
  const rows = (2 * Number(program.values[value].tensor!.dims[1])) / 3;
  return new Map([...slices].map(([unit, parts]) => [unit, parts.map((part) => ({ ...part, within: new Map([...(part.within ?? []), [1, [0, rows] as const]]) }))]));
}
