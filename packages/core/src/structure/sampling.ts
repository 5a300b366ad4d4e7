import { explain, integers, notation, passes } from './node-view.ts';
import type { StandardRows } from './rows.ts';
import { axisOf, frozen, letters, type NodeView, type Signature } from './signature.ts';

const resampled = 'it is resampled along this axis';
const transformed = 'it is transformed along this axis';
const parts = 'the parts of a number';

/** Axes that keep their size at scale one pass, whatever the interpolation; all others are resampled. */
const resize = (node: NodeView, scales: number, sizes?: number): Signature => {
  const rank = node.inputs[0]!.length;
  const listed = integers(node, 'axes')?.map((a) => axisOf(a, rank)) ?? letters(rank).map((_, a) => a);
  const crops = node.attributes.coordinate_transformation_mode === 'tf_crop_and_resize';
  const scale = (a: number) => (listed.includes(a) ? (node.constants[scales]?.[listed.indexOf(a)] ?? 1) : 1);
  const kept = (a: number) => !listed.includes(a) || (!crops && passes(node, a) && scale(a) === 1);
  const entry = (position: string) => letters(rank).map((l, a) => (kept(a) ? l : `${position}${a}`)).join(' ');
  const axes = notation(node, [entry('S')], [entry('T')]);
  const stated = sizes !== undefined && (node.inputs[sizes] || node.constants[sizes]);
  return {
    axes,
    restates: stated && listed.some(kept) ? [{ operand: sizes, are: listed.map((a) => (kept(a) ? `a${a}` : undefined)) }] : undefined,
    because: explain(axes, { S: resampled, T: resampled }),
  };
};

/** Regions of interest are cut out of each image and brought to one size; the regions are the batch of the result. */
const regions = (node: NodeView): Signature => {
  const axes = notation(node, ['N c S0 S1', 'r K', 'r'], ['r c T0 T1']);
  return { axes, because: explain(axes, { N: 'a region names its image by number', S: resampled, T: resampled, K: 'the corners of a region' }) };
};

export const sampling = {
  Resize: (node) => resize(node, 2, 3),
  Upsample: (node) => resize(node, 1),
  /** Each pixel of the result is read somewhere in the data, the same place in all channels. Spec: GridSample-20. */
  GridSample: (node) => {
    const [S, T] = ['S', 'T'].map((p) => letters(node.inputs[0]!.length - 2, p).join(' '));
    const axes = notation(node, [`n c ${S}`, `n ${T} K`], [`n c ${T}`]);
    return { axes, because: explain(axes, { S: resampled, T: resampled, K: 'the coordinates of a pixel' }) };
  },
  AffineGrid: () => frozen('all its axes are coordinates'),
  RoiAlign: regions,
  MaxRoiPool: regions,
  Det: (node) => {
    const tokens = letters(node.inputs[0]!.length - 2);
    return { axes: notation(node, [[...tokens, 'R', 'S'].join(' ')], [tokens.join(' ')]), because: { R: 'a determinant depends on the whole matrix', S: 'a determinant depends on the whole matrix' } };
  },
  /** The last axis holds the real and the imaginary part. Spec: DFT-20. */
  DFT: (node) => {
    const rank = node.inputs[0]!.length;
    if (node.inputs[2] && !node.constants[2]) return frozen('the axis of this transform is computed from data');
    const axis = axisOf(node.constants[2]?.[0] ?? -2, rank);
    const entry = (position: string, part: string) => letters(rank).map((l, a) => (a === axis ? position : a === rank - 1 ? part : l)).join(' ');
    return { axes: notation(node, [entry('S', 'I')], [entry('T', 'K')]), because: { S: transformed, T: transformed, I: parts, K: parts } };
  },
  /** Frames of a signal, transformed. Spec: STFT-17. */
  STFT: (node) => {
    const signal = node.inputs[0]!.length === 3 ? 'n S I' : 'n S';
    return { axes: notation(node, [signal, undefined, 'W'], ['n T F K']), because: { S: transformed, T: 'frames of the signal', F: 'frequencies', W: 'the window of a frame', I: parts, K: parts } };
  },
} satisfies StandardRows;
