import { broadcastAxes, explain, integer, notation, unevenBroadcast } from './node-view.ts';
import type { ContribRows, StandardRows } from './rows.ts';
import { frozen, letters, type NodeView, type Shape, type Signature } from './signature.ts';

const slides = 'the convolution slides along this axis';
const taps = 'a tap of the kernel';
const single = 'each group of the convolution makes one channel';

/** How the channels of a convolution meet: axes of data, weight and result, what one multiply–accumulate is, and what repeats a size. */
interface Channels extends Pick<Signature, 'sizes' | 'restates'> {
  readonly x: string;
  readonly w: string;
  readonly y: string;
  readonly macs: string;
}

/** W is [out, in/g]. With one input channel a group (depthwise) the groups are the channels and pass through. */
function convolved(groups: number, ins: number, outs: number): Channels {
  if (groups === 1) return { x: 'i', w: 'o i', y: 'o', macs: 'o i' };
  const stated: Pick<Channels, 'sizes' | 'restates'> = { sizes: { g: groups }, restates: [{ attribute: 'group', is: 'g' }] };
  if (groups !== ins && outs === groups) return { x: '(G i@G)', w: 'G i@G', y: 'G', macs: 'G i', sizes: { G: groups } };
  if (groups !== ins) return { x: '(g i@g)', w: '(g o@g) i@g', y: '(g o@g)', macs: 'g o i', ...stated };
  const y = outs === groups ? 'g' : '(g o)';
  return { x: 'g', w: `${y} 1`, y, macs: y.replace(/[()]/g, ''), ...stated };
}

/** W is [in, out/g], and a group has slots of its own among the outputs. */
function spread(groups: number, ins: number, outs: number): Channels {
  if (groups === 1) return { x: 'i', w: 'i o', y: 'o', macs: 'i o' };
  const stated: Pick<Channels, 'sizes' | 'restates'> = { sizes: { g: groups }, restates: [{ attribute: 'group', is: 'g' }] };
  if (groups !== ins && outs === groups) return { x: '(G i@G)', w: '(G i@G) 1', y: 'G', macs: 'G i', sizes: { G: groups } };
  if (groups !== ins) return { x: '(g i@g)', w: '(g i@g) o@g', y: '(g o@g)', macs: 'g i o', ...stated };
  const one = outs === groups;
  return { x: 'g', w: one ? 'g 1' : 'g o', y: one ? 'g' : '(g o)', macs: one ? 'g' : 'g o', ...stated };
}

/** A scale, zero point or bias: one for all, or one for each element of an axis. */
export const perAxis = (shape: Shape | undefined, axis: string): string => (!shape ? '.' : shape.length === 0 ? '' : shape.at(-1) === 1 ? shape.map(() => '1').join(' ') : axis);

/** Where a convolution has its operands; the others are listed by `rest`, given the channels. */
interface ConvolutionForm {
  readonly weight?: number;
  readonly channelsLast?: boolean;
  /** Entries by input position, besides data and weight. */
  readonly rest: (node: NodeView, out: string, y: string) => Readonly<Record<number, string>>;
}

const convolutionRule = ({ weight = 1, channelsLast = false, rest }: ConvolutionForm) => (node: NodeView): Signature => {
  const data = node.inputs[0]!;
  const last = channelsLast || integer(node, 'channels_last', 0) === 1;
  const [S, K, T] = ['S', 'K', 'T'].map((p) => letters(data.length - 2, p).join(' '));
  const channel = last ? data.length - 1 : 1;
  const c = convolved(integer(node, 'group', 1), data[channel], node.outputs[0]![channel]);
  const place = (axis: string, space: string) => (last ? `n ${space} ${axis}` : `n ${axis} ${space}`);
  const y = place(c.y, T);
  const operands: Record<number, string> = { 0: place(c.x, S), [weight]: `${c.w} ${K}`, ...rest(node, c.y, y) };
  const axes = notation(node, node.inputs.map((_, k) => operands[k]), [y]);
  return { axes, sizes: c.sizes, macs: `n ${c.macs} ${K} ${T}`, restates: c.restates, because: explain(axes, { S: slides, T: slides, K: taps, G: single }) };
};

/** Data, scale, zero point; weight, scale, zero point; scale and zero point of the result; bias. */
const quantisedConvolution: ConvolutionForm = {
  weight: 3,
  rest: ({ inputs }, out) => ({ ...Object.fromEntries([1, 2, 6, 7].map((k) => [k, perAxis(inputs[k], '')])), 4: perAxis(inputs[4], out), 5: perAxis(inputs[5], out), 8: out }),
};

/** Conv, and Conv with an activation and an addend fused into it. */
const floatConvolution: ConvolutionForm = { rest: (_, out, y) => ({ 2: out, 3: y }) };

/** The axes of a matrix product of two operands with broadcast batch axes; a vector lacks its free axis, and the result lacks it too. */
interface Product { readonly a: string; readonly b: string; readonly y: readonly string[]; readonly macs: string }

function productOf(node: NodeView, left: number, right: number, transposed: { readonly a?: boolean; readonly b?: boolean } = {}): Product {
  const rows = node.inputs[left]!.length > 1 ? ['m'] : [];
  const columns = node.inputs[right]!.length > 1 ? ['n'] : [];
  const batch = letters(node.outputs[0]!.length - rows.length - columns.length, 'b');
  const operand = (input: number, matrix: readonly string[]) =>
    [broadcastAxes(node, batch, input, Math.max(0, node.inputs[input]!.length - 2)), ...matrix].filter((t) => t !== '').join(' ');
  return {
    a: operand(left, transposed.a ? ['k', ...rows] : [...rows, 'k']),
    b: operand(right, transposed.b ? [...columns, 'k'] : ['k', ...columns]),
    y: [...batch, ...rows, ...columns],
    macs: [...batch, ...rows, ...columns, 'k'].join(' '),
  };
}

/** A product whose further operands broadcast to a row of columns, or belong to rows or columns. */
export const productRule = (left: number, right: number, rest: Readonly<Record<number, 'm' | 'n' | 'y'>> = {}) => (node: NodeView): Signature => {
  const product = productOf(node, left, right, { a: integer(node, 'transA', 0) === 1, b: integer(node, 'transB', 0) === 1 });
  const other = (k: number): string => {
    const of = rest[k];
    const shape = node.inputs[k];
    if (!of || !shape) return '.';
    // A zero point of several rows may be spelt with the full rank, [D1, D2, M, 1].
    if (of === 'm' && shape.length > 1) return shape.map((n, a) => (a === shape.length - 2 && n > 1 ? 'm' : n === 1 ? '1' : product.y[a])).join(' ');
    if (of === 'm') return perAxis(shape, 'm');
    return broadcastAxes(node, product.y, k);
  };
  const axes = notation(node, node.inputs.map((_, k) => (k === left ? product.a : k === right ? product.b : other(k))), [product.y.join(' ')]);
  return { axes, macs: product.macs, because: explain(axes, { V: unevenBroadcast }) };
};

/** The letters of an Einsum equation, operand by operand; `…` stands for the axes of an ellipsis. */
function readEquation(equation: string): { readonly operands: string[][]; readonly result: string[] } {
  const [left, right] = equation.replace(/\s+/g, '').replaceAll('...', '…').split('->');
  const operands = left.split(',').map((term) => [...term]);
  if (right !== undefined) return { operands, result: [...right] };
  const all = operands.flat();
  const once = [...new Set(all)].filter((l) => l !== '…' && all.indexOf(l) === all.lastIndexOf(l)).sort();
  return { operands, result: all.includes('…') ? ['…', ...once] : once };
}

export const contraction = {
  /** y[n,(g o),T] = Σ_{i,K} x[n,(g i),S] · w[(g o),i,K] + b[(g o)]. Spec: Conv-11. */
  Conv: convolutionRule(floatConvolution),
  /** The zero point of the weight may be one for each output channel. Spec: ConvInteger-10. */
  ConvInteger: convolutionRule({ rest: (node, out) => ({ 2: perAxis(node.inputs[2], ''), 3: perAxis(node.inputs[3], out) }) }),
  /** Scale and zero point of the weight may be one for each output channel. Spec: QLinearConv-10. */
  QLinearConv: convolutionRule(quantisedConvolution),
  /** y[n,(g o),s·S+d·K−p] += x[n,(g i),S] · w[(g i),o,K]: every input position meets every tap. Spec: ConvTranspose-11. */
  ConvTranspose: (node) => {
    const x = node.inputs[0]!;
    const [S, K, T] = ['S', 'K', 'T'].map((p) => letters(x.length - 2, p).join(' '));
    const c = spread(integer(node, 'group', 1), x[1], node.outputs[0]![1]);
    const axes = notation(node, [`n ${c.x} ${S}`, `${c.w} ${K}`, c.y], [`n ${c.y} ${T}`]);
    return { axes, sizes: c.sizes, macs: `n ${c.macs} ${K} ${S}`, restates: c.restates, because: explain(axes, { S: slides, T: slides, K: taps, G: single }) };
  },
  /** A depthwise convolution that carries the last K−1 positions on. Spec: CausalConvWithState-27. */
  CausalConvWithState: (node) => {
    const axes = notation(node, ['n c T', 'c 1 K', 'c', 'n c P'], ['n c T', 'n c P']);
    return { axes, macs: 'n c K T', because: explain(axes, { T: slides, K: taps, P: 'the positions that are carried on' }) };
  },
  DeformConv: () => frozen('its offsets are data that say where each channel is read'),
  /** y[b,m,n] = Σ_k a[b,m,k] · b[b,k,n] with broadcast batch axes; vectors lose their free axis. */
  MatMul: productRule(0, 1),
  /** Zero points are one number, or one for each row of A and each column of B. */
  MatMulInteger: productRule(0, 1, { 2: 'm', 3: 'n' }),
  QLinearMatMul: productRule(0, 3, { 1: 'm', 2: 'm', 4: 'n', 5: 'n', 6: 'm', 7: 'm' }),
  /** y[m,n] = Σ_k A[m,k] · B[k,n] + C, either matrix transposed, C broadcast. */
  Gemm: productRule(0, 1, { 2: 'y' }),
  /** Each letter is a label; a letter that the result lacks is summed over, one that an operand repeats is its diagonal. */
  Einsum: (node) => {
    const { operands, result } = readEquation(node.attributes.equation as string);
    const ellipsis = Math.max(0, ...operands.map((term, k) => (term.includes('…') ? node.inputs[k]!.length - term.length + 1 : 0)));
    // Upper-case letters of the equation must not become positions.
    const label = (letter: string) => (letter === letter.toLowerCase() ? letter : `${letter.toLowerCase()}_`);
    const expanded = (term: readonly string[], rank: number) => term.flatMap((l) => (l === '…' ? letters(ellipsis, 'e').slice(ellipsis - (rank - term.length + 1)) : [label(l)]));
    const entries = operands.map((term, k) => expanded(term, node.inputs[k]!.length));
    const widest = new Map<string, number>();
    entries.forEach((entry, k) => entry.forEach((l, a) => widest.set(l, Math.max(widest.get(l) ?? 1, ...node.runs.map((run) => run.inputs[k]![a])))));
    const broadcast = (l: string, k: number, a: number) => (widest.get(l)! > 1 && node.runs.every((run) => run.inputs[k]![a] === 1) ? '1' : l);
    const axes = notation(node, entries.map((entry, k) => entry.map((l, a) => broadcast(l, k, a)).join(' ')), [expanded(result, node.outputs[0]!.length).join(' ')]);
    return { axes, macs: operands.length > 1 ? [...new Set(entries.flat())].join(' ') : undefined };
  },
} satisfies StandardRows;

export const contribContraction = {
  FusedConv: convolutionRule(floatConvolution),
  NhwcConv: convolutionRule({ ...floatConvolution, channelsLast: true }),
  NhwcFusedConv: convolutionRule({ ...floatConvolution, channelsLast: true }),
  QLinearConv: convolutionRule(quantisedConvolution),
  FusedGemm: productRule(0, 1, { 2: 'y' }),
  FusedMatMul: (node) => (integer(node, 'transBatchA', 0) || integer(node, 'transBatchB', 0)
    ? frozen('it moves batch axes into the matrix')
    : productRule(0, 1)(node)),
  TransposeMatMul: productRule(0, 1),
  MatMulInteger16: productRule(0, 1),
  /** y[m,n] = Σ_k (a[m,k] − b[n,k])², which an element that is zero on both sides does not change. */
  CDist: (node) => ({ axes: notation(node, ['m k', 'n k'], ['m n']), macs: 'm n k' }),
  Inverse: () => frozen('every element of an inverse depends on the whole matrix'),
} satisfies ContribRows;
