import { perAxis, productRule } from './contraction.ts';
import { broadcastAxes, explain, integer, notation, unevenBroadcast } from './node-view.ts';
import { concatOf } from './movement.ts';
import type { ContribRows, StandardRows } from './rows.ts';
import { axisOf, frozen, letters, type Frozen, type NodeView, type Signature, type StructureRule } from './signature.ts';

/**
 * Scale and zero point are one number, or one for each element of an axis, or one for each block of that axis; whole blocks may go.
 * Spec: QuantizeLinear-21.
 */
const scaled = (node: NodeView): Signature => {
  const x = node.inputs[0]!;
  const scale = node.inputs[1]!;
  const tokens = letters(x.length);
  const axis = Math.min(axisOf(integer(node, 'axis', 1), x.length), x.length - 1);
  const block = integer(node, 'block_size', 0);
  const entry = tokens.join(' ');
  if (block === 0 || scale.length < 2) {
    const vector = perAxis(scale, tokens[axis]);
    return { axes: notation(node, [entry, vector, vector], [entry]) };
  }
  if (scale[axis] * block !== x[axis]) {
    const whole = tokens.with(axis, 'Q').join(' ');
    const blocks = tokens.with(axis, 'B').join(' ');
    return { axes: notation(node, [whole, blocks, blocks], [whole]), because: { Q: 'its last quantisation block is not full', B: 'its last quantisation block is not full' } };
  }
  const whole = tokens.with(axis, '(q B)').join(' ');
  const blocks = tokens.with(axis, 'q').join(' ');
  return { axes: notation(node, [whole, blocks, blocks], [whole]), sizes: { B: block }, because: { B: 'the elements of a quantisation block share a scale' } };
};

/** Elementwise in some operands; the others are a scale and a zero point for each of them and for the result. */
const quantisedElementwise = (...values: readonly number[]): StructureRule => (node) => {
  const result = letters(node.outputs[0]!.length);
  const axes = notation(node, node.inputs.map((shape, k) => (values.includes(k) ? broadcastAxes(node, result, k) : perAxis(shape, '1'))), [result.join(' ')]);
  return { axes, because: explain(axes, { V: unevenBroadcast }) };
};

/** Weights of a few bits, packed along the contracted axis in blocks: that axis stays, the columns may go. */
const packedProduct = (node: NodeView): Signature | Frozen => {
  if (integer(node, 'weight_prepacked', 0) !== 0) return frozen('its weight is packed for one kind of processor');
  const rows = letters(node.inputs[0]!.length - 1).join(' ');
  const perBlock = (k: number, inner: string) => (node.inputs[k]?.length === 1 ? `(n ${inner})` : `n ${inner}`);
  const packed = 'weights are packed in blocks along this axis';
  return {
    axes: notation(node, [`${rows} K`, 'n B Z', perBlock(2, 'B'), perBlock(3, 'Z1'), 'K1', 'n'], [`${rows} n`]),
    macs: `${rows} K n`,
    restates: [{ attribute: 'N', is: 'n' }],
    because: { K: packed, K1: packed, B: packed, Z: packed, Z1: packed },
  };
};

export const quantise = {
  QuantizeLinear: scaled,
  DequantizeLinear: scaled,
  /** The range includes zero by definition, so an element that is zero does not move it. */
  DynamicQuantizeLinear: (node) => {
    const tokens = letters(node.inputs[0]!.length).join(' ');
    return { axes: notation(node, [tokens], [tokens, '', '']) };
  },
} satisfies StandardRows;

export const contribQuantise = {
  QuantizeLinear: scaled,
  DequantizeLinear: scaled,
  DynamicQuantizeMatMul: productRule(0, 1, { 2: 'n', 3: 'n', 4: 'n' }),
  MatMulIntegerToFloat: productRule(0, 1, { 2: 'm', 3: 'n', 4: 'm', 5: 'n', 6: 'n' }),
  MatMulNBits: packedProduct,
  QGemm: productRule(0, 3, { 1: 'm', 2: 'm', 4: 'n', 5: 'n', 6: 'y', 7: 'm', 8: 'm' }),
  QLinearAdd: quantisedElementwise(0, 3),
  QLinearConcat: (node) => concatOf(node, node.inputs.map((_, k) => k).filter((k) => k % 3 === 2)),
  QLinearLeakyRelu: quantisedElementwise(0),
  QLinearMul: quantisedElementwise(0, 3),
  QLinearSigmoid: quantisedElementwise(0),
  QLinearWhere: quantisedElementwise(0, 1, 4),
} satisfies ContribRows;
