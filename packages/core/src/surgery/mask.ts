import { dataTypeOf, dataTypes, makeNode, tensorBytes, withFields, type DataType, type Model, type NodeProto } from '@coppice/graph';
import { mixedLabels } from '../analysis/freeze.ts';
import { isFrozen, type AnalysedStep } from '../analysis/steps.ts';
import type { Units } from '../analysis/units.ts';
import { hasPlainZero, zeroPointOf } from '../element-type.ts';
import type { Step } from '../program.ts';
import { GraphEdits } from './edits.ts';
import { Kept } from './kept.ts';

const BYTES = new Set<number>([dataTypes.uint8, dataTypes.int8]);
const isNumber = (elementType: number): boolean => elementType !== 0 && hasPlainZero(elementType);
const RECURRENT = new Set(['LSTM', 'GRU', 'RNN']);

/** A mask along one axis of some values. It broadcasts against them: all sizes are 1 but those of the axis and of the axis that names its lanes. */
export interface Mask {
  /** `bool` where the graph selects, the type of the values where it multiplies. */
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly axis: number;
  /** The element of `axis` that each entry stands for, row-major. */
  readonly elements: readonly number[];
}

/** How a graph comes by its masks. */
export interface MaskSource {
  /** The name under which nodes find a mask. Asked for once for each different mask. */
  readonly nameOf: (mask: Mask) => string;
  /** Takes each quantised recurrent layer of which units go: its recurrent matrix is a literal that no node can mask. */
  readonly onLiteral: (step: AnalysedStep) => void;
}

/**
 * The original graph with every activation element of the removed units forced to zero (`Where(mask, v, 0)`), and the columns of
 * recurrent matrices through which a removed unit would act inside the recurrence. No weight is cut and no shape changes: this is what
 * a slim model must compute.
 */
export function maskModel(units: Units, removed: Iterable<number>): Model {
  const kept = new Kept(units, removed);
  const edits = new GraphEdits(units.analysed.program.model);
  insertMasks(units, kept, edits, {
    nameOf: ({ dtype, dims, axis, elements }) => edits.addConstant('coppice/mask', dtype, dims, elements.map((element) => (kept.has(axis, element) ? 1 : 0))),
    onLiteral: (step) => maskQuantisedRecurrence(units, step, kept, edits),
  });
  return edits.apply();
}

/** Puts masks behind whatever has elements of the axes that are cut. */
export function insertMasks(units: Units, kept: Kept, edits: GraphEdits, source: MaskSource): void {
  const { program, trace, steps } = units.analysed;
  const { table } = units.elements;
  const masks = new Map<string, string>();
  const zeros = new Map<number, string>();
  // Where came with opset 9; files older than what runtimes take are upgraded to that.
  const selects = program.opset >= 9 || program.opset < 7;

  /** Wraps a value: the nodes that force its removed elements to zero, one for each cut axis. */
  const wrap = (value: number, elementType: number, axes: readonly number[], from: string, to: string, only?: number, zero = zeroOf(elementType)) => {
    const cut = axes.flatMap((axis, a) => (kept.isCut(axis) && (only === undefined || only === a) ? [a] : []));
    return cut.map((a, k) => {
      const input = k === 0 ? from : `${to}/masking_${k - 1}`;
      const output = k === cut.length - 1 ? to : `${to}/masking_${k}`;
      const name = edits.fresh(`${program.values[value].name}/mask`);
      return selects
        ? makeNode({ op: 'Where', name, inputs: [maskOf(axes, a, 'bool'), input, zero], outputs: [output] })
        : makeNode({ op: 'Mul', name, inputs: [maskOf(axes, a, dataTypeOf(elementType)), input], outputs: [output] });
    });
  };
  const zeroOf = (elementType: number): string =>
    zeros.get(elementType) ?? zeros.set(elementType, edits.addConstant('coppice/zero', dataTypeOf(elementType), [], [0])).get(elementType)!;
  /** Axes of one class have one mask, if it broadcasts alike. */
  const maskOf = (axes: readonly number[], position: number, dtype: DataType): string => {
    const axis = axes[position];
    const spec = table.laneSpecs.get(axis);
    const n = table.lengths[axis];
    const dims = axes.map((_, a) => (a === position ? n : a === spec?.by ? spec.lanes * spec.block : 1));
    const key = [units.elements.classOf(axis), dtype, position, spec?.by, spec?.block, ...dims].join('/');
    const known = masks.get(key);
    if (known !== undefined) return known;
    const elements = Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, flat) => {
      if (!spec) return flat;
      const inner = spec.by < position ? n : spec.lanes * spec.block;
      const [outerIndex, innerIndex] = [Math.floor(flat / inner), flat % inner];
      const [lane, k] = spec.by < position ? [outerIndex, innerIndex] : [innerIndex, outerIndex];
      return Math.floor(lane / spec.block) * n + k;
    });
    const name = source.nameOf({ dtype, dims, axis, elements });
    masks.set(key, name);
    return name;
  };

  /** The name of the number that stands for zero in a quantised result: its maker states it or, for rows of a quantised table, a reader. */
  const zeroPointName = (step: AnalysedStep, value: number): string | undefined => {
    const nameAt = ({ node, proto }: Step, at: number | undefined) => {
      const source = at === undefined ? undefined : node.operands[at]?.source;
      return source?.kind === 'input' ? edits.inputOf(proto, source.index) : undefined;
    };
    const made = nameAt(step.step, zeroPointOf(step.step.node));
    if (made !== undefined || step.inputs.some((id) => id >= 0 && program.values[id].tainted && BYTES.has(program.values[id].elementType))) return made;
    for (const reader of program.steps) {
      const at = zeroPointOf(reader.node, 'inputs', reader.inputs.indexOf(value));
      if (at !== undefined && program.values[reader.inputs[at]]?.tensor) return nameAt(reader, at);
    }
    return undefined;
  };

  /** A quantised result. What only moves quantised data is masked already, and so is what quantises masked numbers. */
  const wrapBytes = (step: AnalysedStep, value: number, axes: readonly number[], from: string, to: string): readonly NodeProto[] => {
    const zeroPoint = step.step.node.op === 'QuantizeLinear' ? undefined : zeroPointName(step, value);
    if (zeroPoint === undefined) return [];
    const [wide, flat, masked] = ['wide', 'zero', 'masked'].map((what) => edits.fresh(`${to}/${what}`));
    const cast = (input: string, output: string, type: number) => makeNode({ op: 'Cast', name: edits.fresh(`${to}/cast`), inputs: [input], outputs: [output], attributes: { to: type } });
    // One for each element of an axis broadcasts from that axis on.
    const axis = Number(step.step.node.attributes.axis ?? axes.length - 1);
    const behind = axes.length - 1 - (axis < 0 ? axis + axes.length : axis);
    const count = trace.runs[0].shapes[program.values.findIndex(({ name }) => name === zeroPoint)]?.[0] ?? 1;
    const zero = count > 1 && behind > 0 ? edits.fresh(`${to}/zeros`) : flat;
    const shape = () => edits.addConstant(`${zero}/shape`, 'int64', [1 + behind], [count, ...Array.from({ length: behind }, () => 1)]);
    return [
      cast(from, wide, dataTypes.int32),
      cast(zeroPoint, flat, dataTypes.int32),
      ...(zero === flat ? [] : [makeNode({ op: 'Reshape', name: zero, inputs: [flat, shape()], outputs: [zero] })]),
      ...wrap(value, dataTypes.int32, axes, wide, masked, undefined, zero),
      cast(masked, to, program.values[value].elementType),
    ];
  };

  /** What a norm adds or looks up before it takes its statistics must not enter them through a removed element. */
  const maskParameters = (step: AnalysedStep): void => {
    if (isFrozen(step.signature) || step.region || mixedLabels(step.signature.axes).size === 0) return;
    const { proto, node } = step.step;
    step.inputs.forEach((id, k) => {
      const source = node.operands[k]?.source;
      if (id < 0 || source?.kind !== 'input' || program.values[id].tainted || !isNumber(program.values[id].elementType)) return;
      const axes = table.axesOfUse(step, k);
      if (!axes.some((axis) => kept.isCut(axis))) return;
      const name = edits.fresh(`${program.values[id].name}/masked`);
      for (const masking of wrap(id, program.values[id].elementType, axes, edits.inputOf(proto, source.index), name)) edits.insertBefore(proto, masking);
      edits.setInput(proto, source.index, name);
    });
  };

  for (const step of steps) {
    if (isFrozen(step.signature)) continue;
    const { proto } = step.step;
    // Of a node with bodies, the step without operands stands for its results; the others are borders within it.
    const border = step.step.link !== undefined && !step.region;
    for (const id of border ? (step.inputs.length === 0 ? step.step.outputs : []) : step.outputs) {
      const value = program.values[id];
      if (id < 0 || !value.tainted) continue;
      const axes = table.axesOf(id);
      if (!axes.some((axis) => kept.isCut(axis))) continue;
      const index = step.step.outputs.indexOf(id);
      const name = proto.output[index];
      const whole = edits.fresh(`${name}/whole`);
      const nodes = isNumber(value.elementType) ? wrap(id, value.elementType, axes, whole, name) : BYTES.has(value.elementType) ? wrapBytes(step, id, axes, whole, name) : [];
      if (nodes.length === 0) continue;
      edits.setOutput(proto, index, whole);
      for (const node of nodes.toReversed()) edits.insertAfter(proto, node);
    }
    maskParameters(step);
    if (RECURRENT.has(step.step.node.op)) {
      const axes = table.axesOf(step.inputs[2]);
      if (axes.length === 3 && kept.isCut(axes[2])) {
        const name = edits.fresh(`${proto.input[2]}/masked`);
        for (const node of wrap(step.inputs[2], program.values[step.inputs[2]].elementType, axes, proto.input[2], name, 2)) edits.insertBefore(proto, node);
        edits.setInput(proto, 2, name);
      }
    }
    if (step.step.node.op === 'DynamicQuantizeLSTM' && kept.isCut(table.axisOf(step.inputs[2], 1))) source.onLiteral(step);
  }
  maskInputs(units, kept, edits, wrap);
}

/** The recurrent matrix [direction, hidden, 4·hidden] in 8 bits: rows of removed units become the zero point. The runtime wants it as a literal. */
function maskQuantisedRecurrence(units: Units, step: AnalysedStep, kept: Kept, edits: GraphEdits): void {
  const { program } = units.analysed;
  const { table } = units.elements;
  const [r, zeroPoint] = [program.values[step.inputs[2]], program.values[step.inputs[11]]];
  const axis = table.axisOf(r.id, 1);
  if (!r.tensor) return;
  const zero = zeroPoint?.tensor ? tensorBytes(program.model, zeroPoint.tensor)[0] : 0;
  const [directions, hidden, width] = r.tensor.dims.map(Number);
  const bytes = new Uint8Array(tensorBytes(program.model, r.tensor));
  const laned = table.laneSpecs.has(axis);
  for (let row = 0; row < directions * hidden; row++) {
    if (!kept.has(axis, laned ? row : row % hidden)) bytes.fill(zero, row * width, (row + 1) * width);
  }
  const name = edits.fresh(`${r.name}/masked`);
  edits.addTensor(withFields(r.tensor, { name, rawData: bytes, int32Data: [] }));
  edits.setInput(step.step.proto, 2, name);
}

/** A released graph input, or what a body is given: whoever reads it sees the removed elements as zero. */
function maskInputs(units: Units, kept: Kept, edits: GraphEdits, wrap: (value: number, elementType: number, axes: readonly number[], from: string, to: string) => readonly ReturnType<typeof makeNode>[]): void {
  const { program } = units.analysed;
  const given = program.values.filter(({ id, name, scope }) =>
    program.inputs.includes(id) || (scope.parent !== undefined && scope.graph.input.some((info) => scope.path + info.name === name)));
  for (const { id, name, scope, elementType } of given) {
    const axes = units.elements.table.axesOf(id);
    if (!isNumber(elementType) || !axes.some((axis) => kept.isCut(axis))) continue;
    const local = name.slice(scope.path.length);
    for (const { proto, inputs } of program.steps) {
      if (!inputs.includes(id)) continue;
      const masked = edits.fresh(`${local}/masked`);
      for (const node of wrap(id, elementType, axes, local, masked)) edits.insertBefore(proto, node);
      proto.input.forEach((read, k) => {
        if (read === local) edits.setInput(proto, k, masked);
      });
    }
  }
}
