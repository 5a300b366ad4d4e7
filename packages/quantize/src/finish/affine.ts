import type { Program } from '@coppice/core';
import { toFloat32, type Tensor } from '@coppice/graph';
import type { Sites } from '../site.ts';

type Step = Program['steps'][number];

/** y[n, c, …] = x[n, c, …] · scale[c] + shift[c], in float64. */
export interface Affine {
  /** The operand that is x. */
  readonly operand: number;
  /** One number for all channels, or one for each. */
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/**
 * What a node does to each channel (axis 1) when it is affine with constants: BatchNormalization outside training
 * (scale/√(var+ε), B − mean·scale/√(var+ε); Ioffe & Szegedy 2015), or arithmetic with one constant for each channel.
 * @param rank number of axes of x, which places the constants
 */
export function affineOf({ node, inputs }: Step, { contents }: Pick<Sites, 'contents'>, rank: number): Affine | string | undefined {
  if (node.domain !== '') return undefined;
  if (node.op === 'BatchNormalization') {
    if (node.attributes.training_mode === 1) return 'it is in training mode';
    if (node.legacy.spatial === false) return 'it has statistics for each element, not for each channel';
    const given = [1, 2, 3, 4].map((k) => contents(inputs[k] ?? -1));
    if (given.some((tensor) => !tensor)) return 'its parameters are not constants';
    const [gain, bias, mean, variance] = given.map((tensor) => toFloat32(tensor!));
    const epsilon = Number(node.attributes.epsilon);
    const scale = Float64Array.from(gain, (g, c) => g / Math.sqrt(variance[c] + epsilon));
    return { operand: 0, scale, shift: Float64Array.from(bias, (b, c) => b - mean[c] * scale[c]) };
  }
  if (!['Mul', 'Add', 'Sub', 'Div'].includes(node.op)) return undefined;
  const operand = contents(inputs[0]) ? 1 : 0;
  const constant = contents(inputs[1 - operand]);
  if (!constant || (operand === 1 && node.op === 'Div')) return undefined;
  const values = perChannel(constant, rank);
  if (!values) return undefined;
  const ones = new Float64Array(values.length).fill(1);
  const zeros = new Float64Array(values.length);
  switch (node.op) {
    case 'Mul': return { operand, scale: values, shift: zeros };
    case 'Div': return { operand, scale: values.map((v) => 1 / v), shift: zeros };
    case 'Add': return { operand, scale: ones, shift: values };
    default: return operand === 0 ? { operand, scale: ones, shift: values.map((v) => -v) } : { operand, scale: ones.map(() => -1), shift: values };
  }
}

/** The elements of a constant that broadcasts along axis 1 of `rank` axes only. */
function perChannel(constant: Tensor, rank: number): Float64Array | undefined {
  const { dims, dtype } = constant;
  if (!['float32', 'float16', 'float64', 'bfloat16'].includes(dtype) || dims.length > rank) return undefined;
  const axis = 1 - (rank - dims.length);
  if (dims.some((n, k) => n !== 1 && k !== axis)) return undefined;
  return Float64Array.from(toFloat32(constant));
}
