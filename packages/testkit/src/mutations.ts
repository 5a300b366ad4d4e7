import type { Units } from '@coppice/core';
import type { BlockName } from './random-graph.ts';

type Step = Units['analysed']['steps'][number];
export type NodeView = NonNullable<Step['view']>;
export type Signature = Exclude<Step['signature'], { readonly frozen: string }>;

/** Parts of the surgery that a mutation can leave out or spoil. */
export type Spoilt = 'widths around norms' | 'numbers measured from shapes' | 'lanes of a packed tensor' | 'equal numbers from each lane' | 'border of a branch' | 'state of a loop';

/** One rule broken: in the table, for some operators, or in a part of the analysis or surgery. */
export interface Mutation {
  /** What goes wrong, as a clause. */
  readonly name: string;
  readonly ops?: readonly string[];
  /** Another signature for a node; the same one where the mutation does not concern it. */
  readonly signature?: (signature: Signature, view: NodeView) => Signature;
  /** What the row is told of the node. */
  readonly view?: (view: NodeView) => NodeView;
  /** Every how many nodes of `ops` it strikes. Default 1. */
  readonly every?: number;
  readonly spoils?: Spoilt;
  /** Blocks that are bound to meet it. */
  readonly blocks: readonly BlockName[];
  /** Which factor of heads × width carries. */
  readonly factors?: 'heads' | 'head-dim';
}

const recurrent = ['LSTM', 'GRU', 'RNN'];

const withAxes = (signature: Signature, axes: string): Signature => ({ ...signature, axes });
const replaced = (from: string | RegExp, to: string) => (signature: Signature): Signature => withAxes(signature, signature.axes.replaceAll(from, to));
const unrestated = (signature: Signature): Signature => ({ ...signature, restates: [] });

/** The entry of one operand is labels of its own. */
const forgets = (...inputs: readonly number[]) => (signature: Signature): Signature => {
  const [left, right] = signature.axes.split(' -> ');
  const entries = left.split(', ').map((entry, k) => (inputs.includes(k) && entry !== '.' ? entry.replace(/[a-z]\w*/g, (label) => `z${k}${label}`) : entry));
  return withAxes(signature, `${entries.join(', ')} -> ${right}`);
};

/** The factors of every product in the other order. */
const turned = (axes: string): string => axes.replace(/\(([^()+]+)\)/g, (_, factors: string) => `(${factors.split(' ').toReversed().join(' ')})`);
const turnedRight = (signature: Signature): Signature => {
  const [left, right] = signature.axes.split(' -> ');
  return withAxes(signature, left.includes('(') ? `${turned(left)} -> ${right}` : `${left} -> ${turned(right)}`);
};

/** An index map that is off by one. */
const shifted = (signature: Signature, view: NodeView): Signature => {
  const size = Math.max(...view.inputs[0]!);
  const entries = Object.entries(signature.select ?? {}).map(([label, { of, at }]) => {
    const n = Math.max(size > 0 ? 1 : 0, ...at) + 1;
    return [label, { of, at: at.map((k) => (k + 1) % n) }] as const;
  });
  return entries.length === 0 ? signature : { ...signature, select: Object.fromEntries(entries) };
};

/** Rules broken one at a time. A proof that lets one of them pass proves nothing. */
export const mutations: readonly Mutation[] = [
  // Recurrent layers
  { name: 'gates are the inner factor of the rows of W and R', ops: recurrent, signature: replaced('(G h@D)', '(h@D G)'), blocks: ['lstm', 'gru'] },
  { name: 'the gate blocks of R are forgotten', ops: recurrent, signature: replaced('D (G h@D) h@D', 'D (G r@D) h@D'), blocks: ['lstm', 'gru', 'rnn'] },
  { name: 'the columns of R are forgotten', ops: recurrent, signature: replaced('D (G h@D) h@D', 'D (G h@D) r@D'), blocks: ['lstm', 'gru', 'rnn'] },
  { name: 'the second half of B is forgotten', ops: recurrent, signature: replaced('(G2 h@D)', '(G h@D+G q@D)'), blocks: ['lstm', 'gru', 'rnn'] },
  { name: 'peepholes are forgotten', ops: ['LSTM'], signature: replaced('(P h@D)', '(P q@D)'), blocks: ['lstm'] },
  { name: 'initial states are not narrowed', ops: recurrent, signature: forgets(5, 6), blocks: ['lstm', 'gru', 'rnn'] },
  { name: 'hidden_size is not rewritten', ops: recurrent, signature: unrestated, blocks: ['lstm', 'gru'] },
  { name: 'one direction of two gives its indices to both', spoils: 'lanes of a packed tensor', blocks: ['bidirectional'] },
  { name: 'the directions may lose different numbers of units', spoils: 'equal numbers from each lane', blocks: ['bidirectional', 'grouped'] },
  // Movement
  { name: 'the parts of Concat lie in the wrong order', ops: ['Concat'], signature: replaced('(c0+c1)', '(c1+c0)'), blocks: ['concatenation'] },
  { name: 'the second part of Concat is forgotten', ops: ['Concat'], signature: forgets(1), blocks: ['concatenation'] },
  { name: 'sizes of Split are stale', ops: ['Split'], signature: unrestated, blocks: ['unequalSplit', 'glu'] },
  { name: 'bounds of Slice are stale', ops: ['Slice'], signature: unrestated, blocks: ['slices', 'glu'] },
  { name: 'a Slice with a step is off by one', ops: ['Slice'], signature: shifted, blocks: ['slices'] },
  { name: 'indices of Gather are not renumbered', ops: ['Gather'], signature: unrestated, blocks: ['gather', 'gatherOne'] },
  { name: 'an index of Gather is off by one', ops: ['Gather'], signature: shifted, blocks: ['gather'] },
  { name: 'amounts of Pad are stale', ops: ['Pad'], signature: unrestated, blocks: ['padding'] },
  { name: 'Tile repeats each element instead of all of them', ops: ['Tile'], signature: replaced(/\((R\w+) (a\w+)\)/g, '($2 $1)'), blocks: ['tiling'] },
  { name: 'the constant of Reshape is stale', ops: ['Reshape'], signature: unrestated, blocks: ['channelShuffle', 'factors'] },
  { name: 'the factors of Reshape are taken in the wrong order', ops: ['Reshape'], signature: turnedRight, blocks: ['channelShuffle', 'factors', 'pixelShuffle'] },
  { name: 'DepthToSpace takes channels for the other factor', ops: ['DepthToSpace'], signature: (s) => withAxes(s, s.axes.includes('(B0 B1 c)') ? s.axes.replace('(B0 B1 c)', '(c B0 B1)') : s.axes.replace('(c B0 B1)', '(B0 B1 c)')), blocks: ['depthToSpace'] },
  { name: 'the shape of Expand is stale', ops: ['Expand'], signature: unrestated, blocks: ['expanded', 'groupedQueries'] },
  // Contraction
  { name: 'the second reader of a value is forgotten', ops: ['MatMul'], every: 2, signature: forgets(0), blocks: ['severalReaders'] },
  { name: 'the bias of a convolution is forgotten', ops: ['Conv'], signature: forgets(2), blocks: ['convolution'] },
  { name: 'a grouped convolution does not cut its weight by group', ops: ['Conv'], signature: replaced('(g o@g) i@g', '(g o@g) q@g'), blocks: ['grouped'] },
  { name: 'the group attribute of a depthwise convolution is stale', ops: ['Conv'], signature: unrestated, blocks: ['depthwise'] },
  { name: 'a depthwise multiplier is the outer factor', ops: ['Conv'], signature: replaced('(g o)', '(o g)'), blocks: ['depthwise'] },
  { name: 'the weight of ConvTranspose is read as [out, in]', ops: ['ConvTranspose'], signature: forgets(1), blocks: ['transposed'] },
  { name: 'the transposition of Gemm is overlooked', ops: ['Gemm'], view: (view) => ({ ...view, attributes: { ...view.attributes, transB: 0 } }), blocks: ['gemm'] },
  { name: 'the slopes of PRelu are forgotten', ops: ['PRelu'], signature: forgets(1), blocks: ['prelu'] },
  { name: 'the mask of Where is forgotten', ops: ['Where'], signature: forgets(0), blocks: ['masks'] },
  { name: 'the first operand of a sum is forgotten', ops: ['Add'], signature: forgets(0), blocks: ['residual', 'constants'] },
  { name: 'the variance of a batch norm is forgotten', ops: ['BatchNormalization'], signature: forgets(4), blocks: ['batchNorm'] },
  // What mixes an axis
  { name: 'a norm over a pruned axis runs on what is left of it', spoils: 'widths around norms', blocks: ['layer', 'rms', 'globalNorm'] },
  { name: 'LayerNormalization counts as elementwise', ops: ['LayerNormalization'], signature: replaced('~', ''), blocks: ['layer'] },
  { name: 'a mean over a pruned axis counts as a sum', ops: ['ReduceMean'], signature: replaced('~', ''), blocks: ['sumOverChannels'] },
  { name: 'Softmax counts as elementwise', ops: ['Softmax', 'LogSoftmax'], signature: replaced('~', ''), blocks: ['softmax'] },
  { name: 'numbers measured from a width adapt', spoils: 'numbers measured from shapes', blocks: ['measured'] },
  // Attention
  { name: 'the scale of Attention follows the width that is left', ops: ['Attention'], signature: (s) => ({ ...s, pins: undefined }), blocks: ['attentionNode'], factors: 'head-dim' },
  { name: 'the numbers of heads are stale', ops: ['Attention'], signature: unrestated, blocks: ['attentionNode'] },
  // Bodies
  { name: 'one branch of an If is forgotten', spoils: 'border of a branch', blocks: ['conditional'] },
  { name: 'the state of a loop is not the one it hands on', spoils: 'state of a loop', blocks: ['scan', 'loop'] },
];
