import { broadcastAxes, explain, integer, integers, legacyOf, notation, unevenBroadcast } from './node-view.ts';
import type { ContribRows, StandardRows } from './rows.ts';
import { axisOf, letters, type NodeView, type Restatement, type Signature, type StructureRule } from './signature.ts';

const compares = 'the softmax compares all elements of this axis, and a removed one would still count as e⁰';

/** Normalised over the axes from `axis` on: those are mixed wherever they occur, so that the node can run at their full width. */
const layerNorm = (node: NodeView, axis: number, vectors: readonly number[], sameAsData: readonly number[] = []): Signature => {
  const tokens = letters(node.inputs[0]!.length).map((l, a) => (a >= axis ? `${l}~` : l));
  const whole = tokens.join(' ');
  const statistics = tokens.map((l, a) => (a >= axis ? '1' : l)).join(' ');
  const axes = notation(
    node,
    node.inputs.map((_, k) => (k === 0 ? whole : vectors.includes(k) ? broadcastAxes(node, tokens, k) : undefined)),
    node.outputs.map((_, k) => (k === 0 || sameAsData.includes(k) ? whole : statistics)),
  );
  return { axes, because: explain(axes, { V: unevenBroadcast }) };
};

const normOverAxis = (vectors: readonly number[]): StructureRule => (node) =>
  layerNorm(node, axisOf(integer(node, 'axis', -1), node.inputs[0]!.length), vectors);

/** SkipLayerNormalization and its like: the last axis of a sum is normalised, and the sum is the last result. */
const skipNorm = (vectors: readonly number[]): StructureRule => (node) => layerNorm(node, node.inputs[0]!.length - 1, vectors, [3]);

/**
 * Channels are normalised within their group, spatial axes with them; one channel a group leaves the channels apart, one group mixes all.
 * Whole groups are independent of each other, so only those can go: the width of one group cannot be restored in the middle of an axis.
 */
const groupNorm = (node: NodeView, form: { readonly groups: string; readonly channelsLast: boolean; readonly scalePerGroup: boolean; readonly rest?: (x: string, c: string) => readonly string[] }): Signature => {
  const shape = node.inputs[0]!;
  const groups = integer(node, form.groups, 1);
  const channels = shape[form.channelsLast ? shape.length - 1 : 1];
  const c = groups === 1 ? 'c~' : groups === channels ? 'g' : '(g C)';
  const space = letters(shape.length - 2, 's').map((s) => `${s}~`);
  const x = (form.channelsLast ? ['n', ...space, c] : ['n', c, ...space]).join(' ');
  const scale = form.scalePerGroup ? (groups === 1 ? '1' : 'g') : c;
  const restates: Restatement[] | undefined = groups === 1 ? undefined : [{ attribute: form.groups, is: 'g' }];
  const rest = form.rest?.(x, c) ?? [];
  const axes = notation(node, [x, scale, scale, ...rest], [x, x]);
  return { axes, sizes: groups === 1 ? undefined : { g: groups }, restates, because: explain(axes, { C: 'the norm mixes the channels of a group' }) };
};

/** All elements of one axis, or of all axes from one on in the form of operator sets before 13, are compared; an element that is zero counts as e⁰. */
const softmaxRule: StructureRule = (node) => {
  const rank = node.inputs[0]!.length;
  const { flattenFrom } = legacyOf(node);
  const axis = axisOf(flattenFrom ?? integer(node, 'axis', -1), rank);
  const tokens = letters(rank).map((l, a) => (a === axis || (flattenFrom !== undefined && a >= axis) ? `${l}~` : l)).join(' ');
  return { axes: notation(node, [tokens], [tokens]) };
};

export const normalisation = {
  /** (x − mean) / √(var + ε) · scale + B with stored statistics, one of each for a channel. Spec: BatchNormalization-15. */
  BatchNormalization: (node) => {
    const rank = node.inputs[0]!.length;
    const space = letters(Math.max(0, rank - 2), 's');
    const perElement = legacyOf(node).spatial === false;
    if (integer(node, 'training_mode', 0) === 1) {
      const x = ['N c', ...space.map((s) => s.toUpperCase())].join(' ');
      const axes = notation(node, [x, 'c', 'c', 'c', 'c'], [x, 'c', 'c']);
      return { axes, because: explain(axes, { N: 'statistics are taken over the batch', S: 'statistics are taken over this axis' }) };
    }
    // A tensor of rank one is a batch of one channel.
    const c = rank > 1 ? 'c' : '1';
    const x = (rank > 1 ? ['n', 'c', ...space] : ['n']).join(' ');
    const statistic = perElement ? [c, ...space].join(' ') : c;
    return { axes: notation(node, [x, statistic, statistic, statistic, statistic], [x]) };
  },
  /** Each channel over its spatial axes. */
  InstanceNormalization: (node) => {
    const x = ['n c', ...letters(node.inputs[0]!.length - 2, 's').map((s) => `${s}~`)].join(' ');
    return { axes: notation(node, [x, 'c', 'c'], [x]) };
  },
  /** Over all axes from `axis` on; mean and deviation keep those as ones. */
  LayerNormalization: normOverAxis([1, 2]),
  RMSNormalization: normOverAxis([1]),
  GroupNormalization: (node) => groupNorm(node, { groups: 'num_groups', channelsLast: false, scalePerGroup: legacyOf(node).scalePer === 'group' }),
  /** x / ‖x‖: an element that is zero adds nothing to the norm, so cutting it is exact. */
  LpNormalization: (node) => {
    const tokens = letters(node.inputs[0]!.length).join(' ');
    return { axes: notation(node, [tokens], [tokens]) };
  },
  MeanVarianceNormalization: (node) => {
    const rank = node.inputs[0]!.length;
    const over = (integers(node, 'axes') ?? [0, 2, 3]).map((a) => axisOf(a, rank));
    const tokens = letters(rank).map((l, a) => (over.includes(a) ? `${l}~` : l)).join(' ');
    return { axes: notation(node, [tokens], [tokens]) };
  },
  /** Neighbouring channels are summed, so their order is part of the function. */
  LRN: (node) => {
    const x = ['n C', ...letters(node.inputs[0]!.length - 2, 's')].join(' ');
    return { axes: notation(node, [x], [x]), because: { C: 'each channel is divided by its neighbours' } };
  },
  Hardmax: softmaxRule,
  LogSoftmax: softmaxRule,
  Softmax: softmaxRule,
} satisfies StandardRows;

export const contribNormalisation = {
  /** Softmax of a sum, over all axes from `axis` on. */
  BiasSoftmax: (node) => {
    const rank = node.inputs[0]!.length;
    const axis = axisOf(integer(node, 'axis', 1), rank);
    const tokens = letters(rank).map((l, a) => (a >= axis ? `C${a}` : l));
    // The bias is broadcast from the inside or from the outside, so only the compared axes are sure.
    const bias = node.inputs[1]!.map((_, a) => `B${a}`).join(' ');
    const x = tokens.map((l) => l.toUpperCase()).join(' ');
    const axes = notation(node, [x, bias], [x]);
    return { axes, because: explain(axes, { C: compares, A: 'the bias is repeated along this axis in blocks', B: 'the bias is repeated in blocks' }) };
  },
  GroupNorm: (node) => groupNorm(node, { groups: 'groups', channelsLast: integer(node, 'channels_last', 1) === 1, scalePerGroup: false }),
  /** The skip is added first; it may lack the spatial axes. */
  SkipGroupNorm: (node) => groupNorm(node, {
    groups: 'groups', channelsLast: integer(node, 'channels_last', 1) === 1, scalePerGroup: false,
    rest: (x, c) => {
      const skip = node.inputs[3]!;
      const [n, ...others] = x.split(/ (?![^(]*\))/);
      return [skip.length === 2 ? `${n} ${c}` : [n, ...others].map((token, a) => (skip[a] === 1 && node.inputs[0]![a] !== 1 ? '1' : token)).join(' '), c];
    },
  }),
  /** Its zero is a number of eight bits of its own, with which nothing can be padded. */
  QLinearSoftmax: (node) => {
    const tokens = letters(node.inputs[0]!.length);
    const axis = axisOf(integer(node, 'axis', -1), tokens.length);
    const flattens = integer(node, 'opset', 13) < 13;
    const entry = tokens.map((l, a) => (a === axis || (a > axis && flattens) ? `C${a}` : l)).join(' ');
    const axes = notation(node, [entry], [entry]);
    return { axes, because: explain(axes, { C: compares }) };
  },
  SimplifiedLayerNormalization: normOverAxis([1]),
  SkipLayerNormalization: skipNorm([1, 2, 3, 4]),
  SkipSimplifiedLayerNormalization: skipNorm([1, 2, 3]),
  /** Rows of up to three tables are added and normalised. */
  EmbedLayerNormalization: (node) => {
    const axes = notation(node, ['n T', 'n T', 'V c~', 'P c~', 'G c~', 'c~', 'c~', undefined, 'n T'], ['n T c~', 'n', 'n T c~']);
    return { axes, because: { V: 'rows of the table of words', P: 'rows of the table of positions', G: 'rows of the table of segments', T: 'positions in the sequence' } };
  },
} satisfies ContribRows;
