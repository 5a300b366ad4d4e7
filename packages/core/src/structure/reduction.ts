import { explain, integer, notation, unknownOperand } from './node-view.ts';
import type { ContribRows, StandardRows } from './rows.ts';
import { axisOf, frozen, letters, type NodeView, type Signature, type StructureRule } from './signature.ts';

/** Axes that a reduction takes away; undefined where they are computed from data. */
function reducedAxes(node: NodeView): readonly number[] | undefined {
  const rank = node.inputs[0]!.length;
  if (unknownOperand(node, 1)) return undefined;
  const listed = node.constants[1] ?? [];
  if (listed.length > 0) return listed.map((a) => axisOf(a, rank));
  return integer(node, 'noop_with_empty_axes', 0) === 1 ? [] : letters(rank).map((_, a) => a);
}

/** All axes but the reduced ones pass; those become `token` on the way in, and 1 or nothing on the way out. */
const reduceOver = (node: NodeView, reduced: readonly number[], token: (axis: number) => string, because: string): Signature => {
  const tokens = letters(node.inputs[0]!.length);
  const before = tokens.map((l, a) => (reduced.includes(a) ? token(a) : l));
  const after = integer(node, 'keepdims', 1) === 1
    ? tokens.map((l, a) => (reduced.includes(a) ? '1' : l))
    : tokens.filter((_, a) => !reduced.includes(a));
  const axes = notation(node, [before.join(' ')], node.outputs.map(() => after.join(' ')));
  return { axes, because: explain(axes, { R: because }) };
};

const unknownAxes = 'which axes it reduces is computed from data';

/** A sum of terms that are zero for a removed element: the axis is contracted, and cutting it is exact. */
const sumRule: StructureRule = (node) => {
  const reduced = reducedAxes(node);
  return reduced ? reduceOver(node, reduced, (a) => `a${a}`, '') : frozen(unknownAxes);
};

/** A zero counts too (in the number of elements, as a candidate, as e⁰): the result is the same only while the node sees the full width. */
const mixRule: StructureRule = (node) => {
  const reduced = reducedAxes(node);
  return reduced ? reduceOver(node, reduced, (a) => `a${a}~`, '') : frozen(unknownAxes);
};

/** What a zero destroys: the axis is a position. */
const readsAll = (because: string): StructureRule => (node) => {
  const reduced = reducedAxes(node);
  return reduced ? reduceOver(node, reduced, (a) => `R${a}`, because) : frozen(unknownAxes);
};

/** The winner's number along one axis. */
const winnerRule: StructureRule = (node) =>
  reduceOver(node, [axisOf(integer(node, 'axis', 0), node.inputs[0]!.length)], (a) => `R${a}`, 'the result is a number of an element of this axis');

const pooled = 'the pooling window slides along this axis';

/** Spatial axes are pooled, batch and channels pass. Numbers of winners count through the whole tensor, so they freeze the channels too. */
const poolRule = (channelsLast: boolean): StructureRule => (node) => {
  const [S, T] = ['S', 'T'].map((p) => letters(node.inputs[0]!.length - 2, p));
  const [n, c] = node.outputs[1] ? ['N', 'C'] : ['n', 'c'];
  const place = (space: readonly string[]) => (channelsLast ? [n, ...space, c] : [n, c, ...space]).join(' ');
  const axes = notation(node, [place(S)], [place(T), place(T)]);
  const counted = 'the indices of the winners count through all channels';
  return { axes, because: explain(axes, { S: pooled, T: pooled, N: counted, C: counted }) };
};

/** One number for each channel is left of all spatial axes. */
const globalPoolRule = (token: string): StructureRule => (node) => {
  const space = letters(node.inputs[0]!.length - 2, token);
  const place = (axes: readonly string[]) => (integer(node, 'channels_last', 0) === 1 ? ['n', ...axes, 'c'] : ['n', 'c', ...axes]).join(' ');
  const axes = notation(node, [place(space)], [place(space.map(() => '1'))]);
  return { axes, because: explain(axes, { S: 'the pool takes all positions of this axis together' }) };
};

export const reduction = {
  ReduceL1: sumRule,
  ReduceL2: sumRule,
  ReduceLogSum: sumRule,
  ReduceLogSumExp: mixRule,
  ReduceMax: mixRule,
  ReduceMean: mixRule,
  ReduceMin: mixRule,
  ReduceProd: readsAll('a removed element would make this product zero'),
  ReduceSum: sumRule,
  ReduceSumSquare: sumRule,
  ArgMax: winnerRule,
  ArgMin: winnerRule,
  /** The largest elements along one axis, and their numbers. */
  TopK: (node) => {
    const tokens = letters(node.inputs[0]!.length);
    const axis = axisOf(integer(node, 'axis', -1), tokens.length);
    const after = tokens.with(axis, 'K').join(' ');
    const axes = notation(node, [tokens.with(axis, 'R').join(' ')], [after, after]);
    return { axes, because: { R: 'the largest elements of this axis are picked', K: 'the largest elements, in order' } };
  },
  /** y[k] = Σ_{j≤k} x[j]: an element that is zero changes no other sum. */
  CumSum: (node) => {
    const tokens = letters(node.inputs[0]!.length).join(' ');
    return { axes: notation(node, [tokens], [tokens]) };
  },
  CumProd: (node) => {
    const rank = node.inputs[0]!.length;
    const known = node.constants[1];
    const at = known && axisOf(known[0], rank);
    const tokens = letters(rank).map((l, a) => (at === undefined || at === a ? `R${a}` : l)).join(' ');
    const axes = notation(node, [tokens], [tokens]);
    return { axes, because: explain(axes, { R: 'a removed element would make all later products zero' }) };
  },
  AveragePool: poolRule(false),
  LpPool: poolRule(false),
  MaxPool: poolRule(false),
  MaxUnpool: () => frozen('its indices count through all channels'),
  GlobalAveragePool: globalPoolRule('S'),
  /** A sum of powers, which a zero does not change. */
  GlobalLpPool: globalPoolRule('s'),
  GlobalMaxPool: globalPoolRule('S'),
} satisfies StandardRows;

export const contribReduction = {
  NhwcMaxPool: poolRule(true),
  QLinearAveragePool: (node) => poolRule(integer(node, 'channels_last', 0) === 1)(node),
  QLinearGlobalAveragePool: globalPoolRule('S'),
} satisfies ContribRows;
