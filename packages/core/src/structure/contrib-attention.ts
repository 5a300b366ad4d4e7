import { attentionMacs, attentionPositions, axis, maskAxes, ownPositions, rotaryRule } from './attention.ts';
import { perAxis } from './contraction.ts';
import { explain, integer, notation } from './node-view.ts';
import type { ContribRows } from './rows.ts';
import { frozen, type Frozen, type NodeView, type Signature } from './signature.ts';

const bufferShared = 'its cache has room for more positions than it holds';
const oneWidth = 'one number is the width of queries, keys and values';

/** Where a fused projection has its operands. */
interface Projection { readonly mask: number; readonly past: number; readonly bias?: number; readonly scales?: readonly number[] }

/**
 * One matrix projects the input to queries, keys and values of all heads, (Q h D) in that order; the width of a head is the same in all of them
 * for as long as nothing else is stated, so heads go and widths stay. Spec: com.microsoft.Attention-1.
 */
const projectedAttention = (operands: Projection) => (node: NodeView): Signature | Frozen => {
  if (integer(node, 'past_present_share_buffer', 0) === 1) return frozen(bufferShared);
  if (node.attributes.qkv_hidden_sizes) return frozen('its attribute qkv_hidden_sizes states three widths that nobody rewrites yet');
  const cached = node.inputs[operands.past] !== undefined;
  const all = cached ? '(P+S)' : 'S';
  const heads = integer(node, 'num_heads', 1);
  const sizes = node.runs.map(({ inputs }) => [inputs[0]![0], heads, inputs[0]![1], inputs[0]![1] + (inputs[operands.past]?.[3] ?? 0)]);
  const entries: Record<number, string | undefined> = {
    0: 'b S i', 1: 'i (Q h D)', 2: '(Q h D)', [operands.mask]: ownPositions(node, operands.mask, 'M'), [operands.past]: 'Z b h P D',
    ...(operands.bias === undefined ? {} : { [operands.bias]: maskAxes(node, operands.bias, ['b', 'h', 'S', all], sizes) }),
    ...Object.fromEntries((operands.scales ?? []).map((k) => [k, perAxis(node.inputs[k], '(Q h D)')])),
  };
  const axes = notation(node, node.inputs.map((_, k) => entries[k]), ['b S (h D)', `Z b h ${all} D`]);
  return {
    axes,
    sizes: { Q: 3, h: heads },
    macs: `b S i Q h D + ${attentionMacs('h', 'D', 'D', cached, 'S')}`,
    restates: [{ attribute: 'num_heads', is: 'h' }],
    because: explain(axes, { ...attentionPositions, Q: 'queries, keys, values', Z: 'keys, values', D: oneWidth }),
  };
};

/**
 * Attention over projected queries, keys and values, [b, positions, heads · width] each; keys and values may have their heads apart, and all
 * three or the latter two may be packed into one tensor. Spec: com.microsoft.MultiHeadAttention-1.
 */
const multiHead = (node: NodeView): Signature | Frozen => {
  if (node.inputs[8] || node.inputs[9]) return frozen(bufferShared);
  const [query, key, value] = node.inputs;
  const heads = integer(node, 'num_heads', 1);
  const cached = node.inputs[6] !== undefined;
  const packed = query!.length === 5;
  const keys = packed ? 'S' : 'T';
  const all = cached ? `(P+${keys})` : keys;
  // In a packed tensor values are as wide as keys.
  const v = packed || key?.length === 5 ? 'd' : 'v';
  const ofKeys = (shape: typeof key, width: string) => (shape?.length === 3 ? `b T (h ${width})` : shape?.length === 4 ? `b h T ${width}` : 'b T h Z d');
  const count = (shape: typeof key) => (shape?.length === 4 ? shape[2] : shape?.[1]);
  const sizes = node.runs.map(({ inputs }) => [inputs[0]![0], heads, inputs[0]![1], (count(inputs[1]) ?? inputs[0]![1]) + (inputs[6]?.[2] ?? 0)]);
  const scores = ['b', 'h', 'S', all];
  const axes = notation(
    node,
    [packed ? 'b S h Q d' : 'b S (h d)', ofKeys(key, 'd'), ofKeys(value, v), `(h d+h d+h ${v})`, ownPositions(node, 4, 'M'), maskAxes(node, 5, scores, sizes), 'b h P d', `b h P ${v}`],
    [`b S (h ${v})`, `b h ${all} d`, `b h ${all} ${v}`, scores.join(' ')],
  );
  const width = packed ? query![4] : query![2] / heads;
  return {
    axes,
    sizes: { h: heads, d: width },
    macs: attentionMacs('h', 'd', v, cached, keys),
    restates: [{ attribute: 'num_heads', is: 'h' }],
    pins: node.attributes.scale === undefined ? [{ label: 'd', attribute: 'scale', value: 1 / Math.sqrt(width) }] : undefined,
    because: explain(axes, { ...attentionPositions, Q: 'queries, keys, values', Z: 'keys, values' }),
  };
};

/** Each of the k key and value heads serves R query heads; one width for all, which the rotary tables share. Spec: com.microsoft.GroupQueryAttention-1. */
const groupedQueries = (node: NodeView): Signature | Frozen => {
  if (node.inputs[11] || node.inputs[12]) return frozen('its cache is quantised');
  const [query, key] = node.inputs;
  const heads = integer(node, 'num_heads', 1);
  const groups = integer(node, 'kv_num_heads', 1);
  const width = query![2] / (key ? heads : heads + 2 * groups);
  const head = heads === groups ? 'k' : 'k R';
  const sizes = node.runs.map(({ inputs }) => [inputs[0]![0], heads, inputs[0]![1], -1]);
  const axes = notation(
    node,
    [
      key ? `b S (${head} D)` : `b S (${head} D+k D+k D)`, 'b T (k D)', 'b T (k D)', 'b k P D', 'b k P D', ownPositions(node, 5, 'M'), ownPositions(node, 6, 'M'), ownPositions(node, 7, 'C'), ownPositions(node, 8, 'C'),
      ownPositions(node, 9, 'O'), maskAxes(node, 10, ['b', axis(head), 'S', 'L'], sizes), axis(head), undefined, undefined, 'D', 'D',
    ],
    [`b S (${head} D)`, 'b k L D', 'b k L D', `b ${axis(head)} S L`],
  );
  return {
    axes,
    sizes: { k: groups, D: width, ...(heads === groups ? {} : { R: heads / groups }) },
    macs: attentionMacs(head, 'D', 'D', false, key ? 'T' : 'S'),
    restates: [{ attribute: 'num_heads', is: head }, { attribute: 'kv_num_heads', is: 'k' }],
    because: explain(axes, { ...attentionPositions, D: oneWidth, C: 'a table of angles', O: 'numbers of positions' }),
  };
};

export const contribAttention = {
  Attention: projectedAttention({ mask: 3, past: 4, bias: 5 }),
  QAttention: projectedAttention({ mask: 5, past: 8, scales: [3, 4, 6, 7] }),
  MultiHeadAttention: multiHead,
  GroupQueryAttention: groupedQueries,
  RotaryEmbedding: rotaryRule({ cos: 2, positions: 1 }),
  /** Rows of a table of distances, a column for each head. */
  RelativePositionBias: (node) => ({
    axes: notation(node, ['V h'], ['1 h S T']),
    because: { V: 'rows of the table of distances', S: attentionPositions.S, T: attentionPositions.T },
  }),
  /** A gate computed from each query scales the bias of its head. Spec: com.microsoft.GatedRelativePositionBias-1. */
  GatedRelativePositionBias: (node) => {
    if (node.inputs[6]) return frozen('its queries are packed without padding');
    const axes = notation(node, ['b S (h d)', '(h d)', '1 h S T', 'd G', 'G', '1 h 1 1'], ['b h S T']);
    return { axes, sizes: { h: integer(node, 'num_heads', 1) }, restates: [{ attribute: 'num_heads', is: 'h' }], because: explain(axes, { ...attentionPositions, G: 'the two gates of a position' }) };
  },
} satisfies ContribRows;
