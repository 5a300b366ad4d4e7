import { dataTypes } from '@coppice/graph';
import type { Dims, Sample } from '../row-check.ts';

const x: Dims = ['batch', 4, 'time', 5];

const unary = (op: string): Sample => ({ op, inputs: [x] });
const binary = (op: string): Sample[] => [
  { op, inputs: [x, { weight: [4, 1, 5] }] },
  { op, inputs: [{ weight: [5] }, x] },
  { op, inputs: [x, ['batch', 1, 'time', 5]] },
];

/** Elementwise operators on data of rank 4, with constants that broadcast from both ends. */
export const elementwiseSamples: readonly Sample[] = [
  ...['Abs', 'Atan', 'Asinh', 'Ceil', 'Celu', 'Cos', 'Elu', 'Erf', 'Exp', 'Floor', 'Gelu', 'HardSigmoid', 'HardSwish', 'Identity', 'LeakyRelu', 'Mish', 'Neg', 'Relu', 'Round', 'Selu', 'Shrink', 'Sigmoid', 'Sign', 'Sin', 'Sinh',
    'Cosh', 'Softplus', 'Softsign', 'Tan', 'Tanh', 'ThresholdedRelu'].map(unary),
  ...['Acos', 'Asin', 'Atanh'].map((op): Sample => ({ op, inputs: [{ unit: x }] })),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op): Sample => ({ op, inputs: [{ positive: x }] })),
  { op: 'Swish', opset: 24, inputs: [x] },
  ...['Add', 'Sub', 'Mul', 'Max', 'Min', 'Mean', 'Sum', 'PRelu'].flatMap((op) => (op === 'PRelu' ? binary(op).slice(0, 1) : binary(op))),
  { op: 'Div', inputs: [x, { weight: [4, 1, 5], positive: true }] },
  { op: 'Pow', inputs: [{ positive: x }, { weight: [4, 1, 1] }] },
  { op: 'Mod', inputs: [x, { weight: [4, 1, 5], positive: true }], attributes: { fmod: 1 } },
  { op: 'Clip', inputs: [x, { scalar: -0.4 }, { scalar: 0.9 }] },
  { op: 'Cast', inputs: [x], attributes: { to: dataTypes.float64 }, outputs: ['float64'] },
  { op: 'CastLike', inputs: [x, { scalar: 1, dtype: 'float64' }], outputs: ['float64'] },
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map((op): Sample => ({ op, inputs: [x, { weight: [4, 1, 5] }], outputs: ['bool'] })),
  ...['And', 'Or', 'Xor'].map((op): Sample => ({ op, inputs: [{ bool: x }, { bool: ['batch', 1, 'time', 5] }], outputs: ['bool'] })),
  { op: 'Not', inputs: [{ bool: x }], outputs: ['bool'] },
  ...['IsNaN', 'IsInf'].map((op): Sample => ({ op, inputs: [x], outputs: ['bool'] })),
  { op: 'Where', inputs: [{ bool: ['batch', 1, 'time', 5] }, x, { weight: [4, 1, 5] }] },
  { op: 'Dropout', inputs: [x], outputs: ['float32', 'bool'] },
];
