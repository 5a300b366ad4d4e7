import { TensorProto_DataType } from './gen/onnx_pb.js';
import type { NodeProto } from './gen/onnx_pb.js';
import type { AttributeValue } from './operator-schema.ts';
import { domainOf, isOperatorName, newestOpset, operators, schemaOf } from './operators.ts';
import type { OperatorName } from './operators.ts';
import { readAttributes } from './typed-attributes.ts';

/** Where a node states an operand, so that surgery can rewrite it at that place. */
export type OperandSource = { readonly kind: 'input'; readonly index: number } | { readonly kind: 'attribute'; readonly name: string };

/** What a node reads: a value, or numbers that an old form of the operator holds in an attribute. */
export type Operand =
  | { readonly value: string; readonly constant?: readonly number[]; readonly source: OperandSource & { readonly kind: 'input' } }
  | { readonly value?: undefined; readonly constant: readonly number[]; readonly source: OperandSource & { readonly kind: 'attribute' } };

/** A small tensor whose contents do not depend on the input, row-major. */
export interface Constant {
  readonly dtype: string;
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

/** What an old form means that the newest form cannot say without knowing a rank. Empty for most nodes. */
export interface LegacyMeaning {
  /** Softmax, LogSoftmax, Hardmax before opset 13: all axes from this one on are one axis. */
  readonly flattenFrom?: number;
  /** Arithmetic, logic, PRelu before opset 7: the axis of the first operand where the axes of the second one begin. */
  readonly alignAt?: number;
  /** BatchNormalization before opset 9 with `spatial = 0`: statistics for each element, not for each channel. */
  readonly spatial?: false;
  /** GroupNormalization before opset 21: scale and bias have one element for each group, not for each channel. */
  readonly scalePer?: 'group';
  /** Tile before opset 6: the one axis that is repeated; the operand `repeats` is a single number. */
  readonly tileAxis?: number;
  /** Scan before opset 9: a batch axis comes before the scanned one and is not seen by the body; lengths of sequences are left out here. */
  readonly batched?: true;
}

/** A node as the newest operator set says it. */
export interface NormalNode {
  readonly op: string;
  /** Empty for the default domain. */
  readonly domain: string;
  readonly name: string;
  /** Defaults of the newest form filled in. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** In the order of the newest form's inputs; undefined where absent. */
  readonly operands: readonly (Operand | undefined)[];
  /** Names of the results; empty where absent. */
  readonly outputs: readonly string[];
  readonly legacy: LegacyMeaning;
}

/** Contents of a value where they are known and worth reading (shapes, axes, limits); undefined for weights and activations. */
export type ConstantOf = (value: string) => Constant | undefined;

type Writable<T> = { -readonly [K in keyof T]: T[K] };
interface Draft extends Writable<Omit<NormalNode, 'operands' | 'legacy' | 'attributes'>> {
  readonly attributes: Record<string, AttributeValue | undefined>;
  operands: (Operand | undefined)[];
  legacy: Writable<LegacyMeaning>;
}

type ByOperator<T> = { readonly [N in OperatorName]?: T };

/** Inputs that were attributes: the opset that made them inputs, and the attribute's name where it differs. */
const movedAttributes: ByOperator<Readonly<Record<string, number | readonly [number, string]>>> = {
  Clip: { min: 11, max: 11 },
  DFT: { axis: 20 },
  Dropout: { ratio: 12 },
  Pad: { pads: 11, constant_value: [11, 'value'] },
  ReduceL1: { axes: 18 }, ReduceL2: { axes: 18 }, ReduceLogSum: { axes: 18 }, ReduceLogSumExp: { axes: 18 }, ReduceMax: { axes: 18 },
  ReduceMean: { axes: 18 }, ReduceMin: { axes: 18 }, ReduceProd: { axes: 18 }, ReduceSum: { axes: 13 }, ReduceSumSquare: { axes: 18 },
  Reshape: { shape: 5 },
  Resize: { scales: 9 },
  Slice: { starts: 10, ends: 10, axes: 10 },
  Split: { split: 13 },
  Squeeze: { axes: 13 },
  TopK: { K: [10, 'k'] },
  Unsqueeze: { axes: 13 },
};

/** Attributes that had another default before an opset, or none that is still right: what an absent one meant. */
const formerDefaults: ByOperator<Readonly<Record<string, readonly [number, AttributeValue]>>> = {
  Concat: { axis: [4, 1] },
  DFT: { axis: [20, 1] },
  Hardmax: { axis: [13, 1] },
  LogSoftmax: { axis: [13, 1] },
  Resize: { coordinate_transformation_mode: [11, 'asymmetric'], nearest_mode: [11, 'floor'] },
  RoiAlign: { coordinate_transformation_mode: [16, 'output_half_pixel'] },
  Selu: { alpha: [6, 1.6732], gamma: [6, 1.0507] },
  Softmax: { axis: [13, 1] },
};

/** Operators that another one replaced: the same thing under its new name. */
const renamed: ReadonlyMap<string, OperatorName> = new Map([['Scatter', 'ScatterElements'], ['Upsample', 'Resize']]);

/** The operand that an attribute states. */
const stated = (name: string, value: AttributeValue): Operand => ({ constant: [value].flat() as number[], source: { kind: 'attribute', name } });

const broadcastAt = (draft: Draft, opset: number): void => {
  const { axis, broadcast } = draft.attributes;
  if (opset < 7 && broadcast === 1 && axis !== undefined) draft.legacy.alignAt = Number(axis);
};
const flattenFrom = (draft: Draft, opset: number): void => {
  const { axis } = draft.attributes;
  if (opset < 13 && axis !== -1) draft.legacy.flattenFrom = Number(axis);
};

/** What neither table above can say, an operator a row. */
const rewrites: ByOperator<(draft: Draft, opset: number) => void> = {
  Add: broadcastAt, Sub: broadcastAt, Mul: broadcastAt, Div: broadcastAt, Pow: broadcastAt,
  And: broadcastAt, Or: broadcastAt, Xor: broadcastAt, Equal: broadcastAt, Less: broadcastAt, Greater: broadcastAt,
  /** Running statistics as outputs meant training before there was an attribute for it. */
  BatchNormalization({ attributes, outputs, legacy }, opset) {
    if (opset >= 14) return;
    attributes.training_mode = outputs.slice(1).some((name) => name !== '') ? 1 : 0;
    if (opset < 9 && attributes.spatial === 0) legacy.spatial = false;
  },
  /** Data types were written as in `FLOAT16`. */
  Cast({ attributes }, opset) {
    if (opset < 6 && typeof attributes.to === 'string') attributes.to = TensorProto_DataType[attributes.to as keyof typeof TensorProto_DataType];
  },
  GridSample({ attributes }, opset) {
    if (opset < 20 && typeof attributes.mode === 'string') attributes.mode = attributes.mode.replace(/^bi/, '');
  },
  GroupNormalization({ legacy }, opset) {
    if (opset < 21) legacy.scalePer = 'group';
  },
  Hardmax: flattenFrom,
  LogSoftmax: flattenFrom,
  Pad({ attributes, operands }, opset) {
    if (opset < 2 && attributes.paddings !== undefined) operands[1] = stated('paddings', attributes.paddings);
  },
  PRelu({ legacy }, opset) {
    if (opset < 7) legacy.alignAt = 1;
  },
  /** Opset 10 had no region of interest; Upsample of opset 1 had two attributes for the scales of an image, of which the operand names the first. */
  Resize(draft, opset) {
    const { attributes, operands } = draft;
    if (opset < 11 && operands.length > 1) draft.operands = [operands[0], undefined, operands[1]];
    if (opset < 7 && attributes.height_scale !== undefined) operands[2] = stated('height_scale', [1, 1, Number(attributes.height_scale), Number(attributes.width_scale)]);
    if (attributes.mode === 'bilinear') attributes.mode = 'linear';
  },
  Scan({ operands, attributes, legacy }, opset) {
    if (opset >= 9) return;
    operands.shift();
    attributes.scan_input_directions = attributes.directions;
    legacy.batched = true;
  },
  Softmax: flattenFrom,
  /** Equal parts were as many as there are outputs. */
  Split({ attributes, operands, outputs }, opset) {
    if (opset < 18 && !operands[1] && !attributes.split) attributes.num_outputs = outputs.length;
  },
  Tile({ operands, legacy }, opset) {
    if (opset < 6 && operands.length > 2) legacy.tileAxis = operands.pop()?.constant?.[0];
  },
};

/**
 * A node of any operator set in the operator's newest form, for analysis: attributes that became inputs are operands, defaults are
 * filled in, replaced operators bear their new names. Negative axes stay negative. Unknown operators come back as they are.
 * @param opset version of the node's own domain that the model imports
 */
export function normaliseNode(node: NodeProto, opset: number, constantOf: ConstantOf): NormalNode {
  const domain = domainOf(node);
  const draft: Draft = {
    op: (domain === '' && renamed.get(node.opType)) || node.opType,
    domain,
    name: node.name,
    attributes: readAttributes(node),
    operands: node.input.map((value, index) => (value === '' ? undefined : { value, constant: constantOf(value)?.values, source: { kind: 'input', index } })),
    outputs: node.output,
    legacy: {},
  };
  if (domain === '' && isOperatorName(draft.op)) modernise(draft, draft.op, opset);

  const schema = schemaOf(domain, draft.op);
  const attributes: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(draft.attributes)) {
    // Withdrawn attributes (`consumed_inputs`, `is_test`, …) say nothing; an attribute newer than the table may.
    if (value !== undefined && (!schema || Object.hasOwn(schema.attributes, name) || opset > newestOpset)) attributes[name] = value;
  }
  for (const [name, form] of Object.entries(schema?.attributes ?? {})) {
    if (typeof form !== 'string') attributes[name] ??= form[1];
  }
  return { ...draft, attributes };
}

/** Applies to a draft, in this order: what absent attributes meant, what is peculiar to the operator, which attributes are inputs now. */
function modernise(draft: Draft, op: OperatorName, opset: number): void {
  const { attributes } = draft;
  for (const [name, [before, value]] of Object.entries(formerDefaults[op] ?? {})) {
    if (opset < before) attributes[name] ??= value;
  }
  rewrites[op]?.(draft, opset);

  const inputs = operators[op].inputs.map((input) => input.replace('?', ''));
  for (const [input, move] of Object.entries(movedAttributes[op] ?? {})) {
    const [before, name] = typeof move === 'number' ? [move, input] : move;
    const value = attributes[name];
    if (opset >= before || value === undefined) continue;
    draft.operands[inputs.indexOf(input)] = stated(name, value);
    delete attributes[name];
  }
  // Assigning past the end leaves holes, which `for … of` and `map` treat differently from undefined.
  draft.operands = Array.from(draft.operands);
}
