import { broadcastAxes, explain, integer, integers, legacyOf, notation, passes, sizesOf, unevenBroadcast, unknownOperand } from './node-view.ts';
import { reshapeSignature } from './reshape.ts';
import type { ContribRows, StandardRows } from './rows.ts';
import { axisOf, frozen, letters, type Frozen, type NodeView, type Signature, type StructureRule } from './signature.ts';

/** An axis that is the sum of the pieces' axes, all other axes shared. */
const joined = (rank: number, axis: number, pieces: readonly string[]) => {
  const shared = letters(rank);
  return { whole: shared.with(axis, pieces.length > 1 ? `(${pieces.join('+')})` : pieces[0]).join(' '), piece: (k: number) => shared.with(axis, pieces[k]).join(' ') };
};

/** Axes of one that the operand lists come or go; the others keep their order. */
const axesOfOne = (node: NodeView, wide: 'inputs' | 'outputs'): Signature | Frozen => {
  const wider = node[wide][0]!;
  const isOne = (a: number) => sizesOf(node, wide, 0, a).every((n) => n === 1);
  const listed = node.constants[1]?.map((a) => axisOf(a, wider.length));
  const ones = listed ?? wider.map((_, a) => a).filter(isOne);
  const narrow = node[wide === 'inputs' ? 'outputs' : 'inputs'][0]!;
  if (wider.length - ones.length !== narrow.length) return frozen('which axes of one it adds or drops is computed from data');
  const full = letters(wider.length).map((l, a) => (ones.includes(a) ? '1' : l));
  const rest = full.filter((_, a) => !ones.includes(a));
  const [before, after] = wide === 'inputs' ? [full, rest] : [rest, full];
  return { axes: notation(node, [before.join(' ')], [after.join(' ')]) };
};

/** DCR is depth (B0 B1 c), CRD is depth (c B0 B1). */
const depth = (node: NodeView): string => (node.attributes.mode === 'CRD' ? '(c B0 B1)' : '(B0 B1 c)');
const block = 'the offset within a block of pixels';

/** Concat of one value with itself a number of times: the copy is the outer factor. */
const tile = (node: NodeView): Signature => {
  const shape = node.inputs[0]!;
  const { tileAxis } = legacyOf(node);
  const counts = node.constants[1];
  const repeats = (a: number): number | undefined => (tileAxis === undefined ? counts?.[a] : a === tileAxis ? counts?.[0] : 1);
  const one = (a: number) => sizesOf(node, 'inputs', 0, a).every((n) => n === 1);
  const tokens = shape.map((_, a): readonly [string, string] => {
    const times = repeats(a);
    if (passes(node, a)) return [`a${a}`, `a${a}`];
    if (one(a)) return ['1', times === undefined || tileAxis !== undefined ? `R${a}` : `r${a}`];
    return times === undefined ? [`V${a}`, `W${a}`] : [`a${a}`, `(R${a} a${a})`];
  });
  const axes = notation(node, [tokens.map(([x]) => x).join(' ')], [tokens.map(([, y]) => y).join(' ')]);
  const unknown = 'how often it is repeated differs between the runs';
  return {
    axes,
    restates: tokens.some(([, y]) => y[0] === 'r') ? [{ operand: 1, are: tokens.map(([, y]) => (y[0] === 'r' ? y : undefined)) }] : undefined,
    because: explain(axes, { R: 'the number of copies', V: unknown, W: unknown }),
  };
};

/** The last two axes are a matrix whose triangle is kept. */
const triangle: StructureRule = (node) => {
  const tokens = letters(node.inputs[0]!.length).map((l, a, all) => (a < all.length - 2 ? l : l.toUpperCase())).join(' ');
  const axes = notation(node, [tokens], [tokens]);
  return { axes, because: explain(axes, { A: 'a triangle of the matrix is kept' }) };
};

/** The values lie end to end along `axis`; operands between them have no axes of interest. */
export const concatOf = (node: NodeView, values: readonly number[]): Signature => {
  const rank = node.inputs[values[0]]!.length;
  const { whole, piece } = joined(rank, axisOf(integer(node, 'axis', 0), rank), values.map((_, k) => `c${k}`));
  return { axes: notation(node, node.inputs.map((_, k) => (values.includes(k) ? piece(values.indexOf(k)) : undefined)), [whole]) };
};

export const movement = {
  Transpose: (node) => {
    const axes = letters(node.inputs[0]!.length);
    const permutation = integers(node, 'perm') ?? axes.map((_, a) => axes.length - 1 - a);
    return { axes: notation(node, [axes.join(' ')], [permutation.map((a) => axes[a]).join(' ')]) };
  },
  /** The inputs lie end to end along `axis`; every other axis is shared by all of them. */
  Concat: (node) => concatOf(node, node.inputs.map((_, k) => k)),
  /** Concat backwards. Equal parts are written out, because they need not stay equal. */
  Split: (node) => {
    const rank = node.inputs[0]!.length;
    const axis = axisOf(integer(node, 'axis', 0), rank);
    const pieces = node.outputs.map((_, k) => `c${k}`);
    const { whole, piece } = joined(rank, axis, pieces);
    const unread = node.outputs.flatMap((shape, k) => (shape ? [] : [[pieces[k], node.constants[1]?.[k]] as const]));
    if (unread.some(([, size]) => size === undefined)) return frozen('nobody reads one of its parts, and the size of that part is not stated');
    return {
      axes: notation(node, [whole], pieces.map((_, k) => piece(k))),
      sizes: unread.length > 0 ? (Object.fromEntries(unread) as Record<string, number>) : undefined,
      restates: [{ operand: 1, are: pieces }],
    };
  },
  Squeeze: (node) => axesOfOne(node, 'inputs'),
  Unsqueeze: (node) => axesOfOne(node, 'outputs'),
  /** Two axes: all before `axis`, and the rest. */
  Flatten: reshapeSignature,
  Reshape: (node) => ({ ...reshapeSignature(node), restates: [{ operand: 1, shapeOfOutput: 0 }] }),
  /** Broadcasting without arithmetic: axes that the input lacks are new. */
  Expand: (node) => {
    const result = letters(node.outputs[0]!.length);
    const axes = notation(node, [broadcastAxes(node, result, 0)], [result.join(' ')]);
    return { axes, restates: [{ operand: 1, shapeOfOutput: 0 }], because: explain(axes, { V: unevenBroadcast }) };
  },
  Tile: tile,
  /** Blocks of channels become pixels: x[n, b0, b1, c, h, w] → y[n, c, (h b0), (w b1)]. Spec: DepthToSpace-13. */
  DepthToSpace: (node) => {
    const size = integer(node, 'blocksize', 1);
    const axes = notation(node, [`n ${depth(node)} h w`], ['n c (h B0) (w B1)']);
    return { axes, sizes: { B0: size, B1: size }, because: explain(axes, { B: block }) };
  },
  /** DepthToSpace backwards. */
  SpaceToDepth: (node) => {
    const size = integer(node, 'blocksize', 1);
    const axes = notation(node, ['n c (h B0) (w B1)'], [`n ${depth(node)} h w`]);
    return { axes, sizes: { B0: size, B1: size }, because: explain(axes, { B: block }) };
  },
  Trilu: triangle,
  /** Each sequence is reversed up to its own length. */
  ReverseSequence: (node) => {
    const tokens = letters(node.inputs[0]!.length);
    const [time, batch] = [axisOf(integer(node, 'time_axis', 0), tokens.length), axisOf(integer(node, 'batch_axis', 1), tokens.length)];
    const entry = tokens.with(time, 'T').join(' ');
    return { axes: notation(node, [entry, tokens[batch]], [entry]), because: { T: 'sequences are reversed along this axis' } };
  },
  /** Crops or pads around the centre; axes that keep their size are left alone. */
  CenterCropPad: (node) => {
    const rank = node.inputs[0]!.length;
    const listed = integers(node, 'axes')?.map((a) => axisOf(a, rank)) ?? letters(rank).map((_, a) => a);
    const kept = (a: number) => passes(node, a);
    const axes = notation(node, [letters(rank).map((l, a) => (kept(a) ? l : `S${a}`)).join(' ')], [letters(rank).map((l, a) => (kept(a) ? l : `T${a}`)).join(' ')]);
    const sentence = 'it is cropped or padded around its centre';
    return { axes, restates: [{ operand: 1, are: listed.map((a) => (kept(a) ? `a${a}` : undefined)) }], because: explain(axes, { S: sentence, T: sentence }) };
  },
  /** Blocks of a column, channel outermost, are added into an image. Spec: Col2Im-18. */
  Col2Im: (node) => {
    if (unknownOperand(node, 2) || !node.constants[2]) return frozen('the size of its blocks is not known before it runs');
    const taps = node.constants[2].reduce((product, n) => product * n, 1);
    const image = letters(node.outputs[0]!.length - 2, 'T').join(' ');
    const axes = notation(node, ['n (c K) L'], [`n c ${image}`]);
    return { axes, sizes: { K: taps }, because: explain(axes, { K: 'the offset within a block', L: 'blocks of the image', T: 'the image is put together along this axis' }) };
  },
} satisfies StandardRows;

export const contribMovement = {
  ExpandDims: (node) => axesOfOne(node, 'outputs'),
  Trilu: triangle,
} satisfies ContribRows;
