import { dataTypes, type OperatorName } from '@coppice/graph';
import { below, floats, ints, positive, reals, small, truths, type Draw, type OperatorCase } from '../operator-case.ts';

/** Functions of one float, over the part of the line where they are defined. */
const unary: Partial<Record<OperatorName, (...shape: number[]) => Draw>> = {
  Abs: reals, Neg: reals, Sign: reals, Floor: reals, Ceil: reals, Exp: reals, Erf: reals, Sin: reals, Cos: reals, Tan: small, Asin: small, Acos: small, Atan: reals,
  Sinh: reals, Cosh: reals, Tanh: reals, Asinh: reals, Atanh: small, Sigmoid: reals, Relu: reals, Softplus: reals, Softsign: reals, HardSwish: reals, Mish: reals,
  Identity: reals, Selu: reals, Gelu: reals, Sqrt: positive, Log: positive, Reciprocal: positive,
};

const plain: readonly OperatorCase[] = (Object.entries(unary) as [OperatorName, (...shape: number[]) => Draw][])
  .map(([op, draw]) => ({ op, title: 'of each element', operands: (n) => [draw(2, n, 3)] }));

/** Two operands that broadcast in both directions. */
const twoWays = (op: OperatorName, draw: (...shape: number[]) => Draw = reals, rest: Partial<OperatorCase> = {}): OperatorCase =>
  ({ op, title: 'broadcasts both operands', operands: (n) => [draw(2, n, 1), draw(n, 4)], stated: [], ...rest });

const special = [NaN, Infinity, -Infinity, 0, -1.5];

export const elementwise: readonly OperatorCase[] = [
  ...plain,
  { op: 'Acosh', title: 'of each element', operands: (n) => [(random) => { const x = positive(n, 3)(random); return { ...x, data: x.data.map((v) => Math.fround(v + 1)) }; }] },
  ...(['Add', 'Sub', 'Mul', 'Max', 'Min', 'Mean', 'Sum', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'] as const).map((op) => twoWays(op)),
  twoWays('Div', positive),
  twoWays('Pow', positive),
  ...(['And', 'Or', 'Xor'] as const).map((op) => twoWays(op, truths)),
  twoWays('Equal', (...shape) => below(3, ...shape)),
  { op: 'Equal', title: 'of truth values', operands: (n) => [truths(n, 4), truths(4)] },
  { op: 'Not', title: 'of truth values', operands: (n) => [truths(n, 3)] },
  ...(['Max', 'Min', 'Sum', 'Mean'] as const).map((op): OperatorCase => ({ op, title: 'takes three operands', operands: (n) => [reals(n, 3), reals(3), reals(1, 1)] })),
  { op: 'Add', title: 'a scalar to a scalar', operands: () => [reals(), reals()] },
  { op: 'Mul', title: 'a matrix by its own rows', operands: (n) => [reals(n, n), reals(1, n)], stated: [] },

  { op: 'Div', title: 'of int64 cuts towards zero', operands: () => [ints([7, -7, 7, -7, 0]), ints([2, 2, -2, -2, 3])] },
  { op: 'Div', title: 'of int32 cuts towards zero', operands: () => [ints([7, -7, 7, -7, 0]), ints([2, 2, -2, -2, 3])], types: { 0: 'int32', 1: 'int32' } },
  { op: 'Mod', title: 'has the sign of the divisor', operands: () => [ints([7, -7, 7, -7]), ints([3, 3, -3, -3])] },
  { op: 'Mod', title: 'with fmod has the sign of the dividend', operands: () => [floats([7.5, -7.5, 7.5, -7.5]), floats([3, 3, -3, -3])], attributes: { fmod: 1 } },
  { op: 'Pow', title: 'of negative numbers to whole powers', operands: () => [floats([-2, -1, 3, -0.5]), floats([3, 2, 0, 1])] },
  { op: 'Pow', title: 'of a float to an int64', operands: (n) => [reals(n), ints([2])], },
  { op: 'Round', title: 'takes halves to the even number', operands: () => [floats([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.4, -0.6])] },
  { op: 'Sign', title: 'of zero is zero', operands: () => [floats([0, -3, 2])] },
  { op: 'Abs', title: 'of int64', operands: () => [ints([-3, 0, 4])] },
  { op: 'Neg', title: 'of int32', operands: () => [ints([-3, 0, 4])], types: { 0: 'int32' } },

  { op: 'LeakyRelu', title: 'with its slope', operands: (n) => [reals(n, 3)], attributes: { alpha: { float: 0.2 } } },
  { op: 'Elu', title: 'with its scale', operands: (n) => [reals(n, 3)], attributes: { alpha: { float: 0.7 } } },
  { op: 'Celu', title: 'with its scale', operands: (n) => [reals(n, 3)], attributes: { alpha: { float: 0.7 } } },
  { op: 'ThresholdedRelu', title: 'with its threshold', operands: (n) => [reals(n, 3)], attributes: { alpha: { float: 0.5 } } },
  { op: 'HardSigmoid', title: 'with its line', operands: (n) => [reals(n, 3)], attributes: { alpha: { float: 0.4 }, beta: { float: 0.3 } } },
  { op: 'Shrink', title: 'with bias and threshold', operands: (n) => [reals(n, 3)], attributes: { bias: { float: 0.2 }, lambd: { float: 0.6 } } },
  { op: 'Gelu', title: 'by tanh', operands: (n) => [reals(n, 3)], attributes: { approximate: 'tanh' } },
  { op: 'PRelu', title: 'with a slope for each channel', operands: (n) => [reals(2, 3, n), reals(3, 1)] },
  { op: 'Clip', title: 'between two bounds', operands: (n) => [reals(n, 3), floats([-0.5], []), floats([1.25], [])] },
  { op: 'Clip', title: 'from below alone', operands: (n) => [reals(n, 3), floats([-0.5], [])] },
  { op: 'Clip', title: 'from above alone', operands: (n) => [reals(n, 3), undefined, floats([0.5], [])] },
  { op: 'Clip', title: 'of int32', operands: () => [ints([-9, -2, 3, 9]), ints([-3], []), ints([4], [])], types: { 0: 'int32', 1: 'int32', 2: 'int32' } },
  { op: 'Clip', title: 'of int64', operands: () => [ints([-9, -2, 3, 9]), ints([-3], []), ints([4], [])] },
  { op: 'Dropout', title: 'outside training keeps everything', operands: (n) => [reals(n, 3), floats([0.5], [])] },

  { op: 'Cast', title: 'from float to int64 cuts towards zero', operands: () => [floats([2.7, -2.7, 0.9, -0.9, 3])], attributes: { to: dataTypes.int64 }, resultType: 'int64' },
  { op: 'Cast', title: 'from float to int32 cuts towards zero', operands: () => [floats([2.7, -2.7, 0.9, -0.9, 3])], attributes: { to: dataTypes.int32 }, resultType: 'int32' },
  { op: 'Cast', title: 'from float to truth: all but zero', operands: () => [floats([0.3, -0.3, 0, -0, 256, 2])], attributes: { to: dataTypes.bool }, resultType: 'bool' },
  { op: 'Cast', title: 'from int64 to truth: all but zero', operands: () => [ints([0, 1, 2, -1, 256])], attributes: { to: dataTypes.bool }, resultType: 'bool' },
  { op: 'Cast', title: 'from truth to float', operands: (n) => [truths(n, 3)], attributes: { to: dataTypes.float32 }, resultType: 'float32' },
  { op: 'Cast', title: 'from int64 to float', operands: () => [ints([-3, 0, 16777216])], attributes: { to: dataTypes.float32 }, resultType: 'float32' },
  { op: 'Cast', title: 'from int32 to int64', operands: () => [ints([-3, 0, 2 ** 31 - 1])], types: { 0: 'int32' }, attributes: { to: dataTypes.int64 }, resultType: 'int64' },
  { op: 'CastLike', title: 'takes the type of another value', operands: (n) => [below(9, n), floats([0])], resultType: 'float32' },
  { op: 'Where', title: 'broadcasts all three', operands: (n) => [truths(n, 1), reals(1, 4), reals(2, 1, 1)], stated: [], resultType: 'float32' },
  { op: 'Where', title: 'chooses among int64', operands: (n) => [truths(n), ints([3], []), ints([-4], [])], resultType: 'int64' },
  { op: 'Where', title: 'keeps what is not a number out of what it does not choose', operands: () => [() => ({ shape: [5], type: 'bool', data: Float64Array.of(0, 0, 0, 1, 1) }), floats(special), floats([1, 2, 3, 4, 5])], resultType: 'float32' },

  { op: 'IsNaN', title: 'finds what is not a number', operands: () => [floats(special)] },
  { op: 'IsInf', title: 'finds both infinities', operands: () => [floats(special)] },
  { op: 'IsInf', title: 'finds one of them', operands: () => [floats(special)], attributes: { detect_negative: 0 } },
  { op: 'Exp', title: 'of infinities and large numbers', operands: () => [floats([-Infinity, Infinity, -200, 200])] },
  { op: 'Log', title: 'of zero and negative numbers', operands: () => [floats([0, -1, 1, Infinity])] },
  { op: 'Div', title: 'by zero', operands: () => [floats([1, -1, 0]), floats([0, 0, 0])] },
  { op: 'Tanh', title: 'of large numbers', operands: () => [floats([-200, 200, -30, 30])] },
  { op: 'Softplus', title: 'of large numbers', operands: () => [floats([-80, 80, 20, -20])] },
];
