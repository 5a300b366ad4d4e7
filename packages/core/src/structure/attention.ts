import { agree, explain, integer, notation, sizesOf } from './node-view.ts';
import type { StandardRows } from './rows.ts';
import type { NodeView, Restatement, Shape, Signature } from './signature.ts';

/** Why axes of an attention stay: the sequence, and query heads that share a key and value. */
export const attentionPositions = {
  S: 'positions of the queries', T: 'positions of the keys', P: 'positions in the cache', M: 'the mask belongs to positions', L: 'positions in the cache',
  R: 'these query heads share one key and value head, and go with it',
};

/** An operand that broadcasts to the scores; `sizes` are those of the scores in each run. Axes align at the right. */
export function maskAxes(node: NodeView, input: number, tokens: readonly string[], sizes: readonly (readonly number[])[]): string | undefined {
  const shape = node.inputs[input];
  return shape?.map((_, a) => {
    const at = a + tokens.length - shape.length;
    const own = sizesOf(node, 'inputs', input, a);
    return agree(own, sizes.map((run) => run[at])) ? tokens[at] : own.every((n) => n === 1) ? '1' : `M${a}`;
  }).join(' ');
}

/** Positions of an operand that nothing else shares; its first axis may be the batch. */
export const ownPositions = (node: NodeView, input: number, prefix: string): string | undefined =>
  node.inputs[input]?.map((_, a) => (a === 0 && agree(sizesOf(node, 'inputs', input, 0), sizesOf(node, 'inputs', 0, 0)) ? 'b' : `${prefix}${a}`)).join(' ');

/** A product as an axis: brackets where it has several factors. */
export const axis = (factors: string): string => (factors.includes(' ') ? `(${factors})` : factors);

/** Products of labels for scores and weighted sum, over new and cached positions. */
export const attentionMacs = (heads: string, width: string, valueWidth: string, cached: boolean, keys = 'T'): string =>
  (cached ? [keys, 'P'] : [keys]).flatMap((positions) => [width, valueWidth].map((w) => `b ${heads} S ${positions} ${w}`)).join(' + ');

/**
 * Y = softmax(scale · Q Kᵀ + mask) V. Operands are [b, heads, positions, width] or [b, positions, heads · width]. Each of the k key and value
 * heads serves R query heads that lie side by side: a head goes with its whole group. Spec: Attention-23.
 */
const attentionRule = (node: NodeView): Signature => {
  const [q, k] = node.inputs as [Shape, Shape];
  const flat = q.length === 3;
  const heads = flat ? integer(node, 'q_num_heads', 1) : q[1];
  const groups = flat ? integer(node, 'kv_num_heads', heads) : k[1];
  const head = heads === groups ? 'k' : 'k R';
  const cached = node.inputs[4] !== undefined;
  const all = cached ? '(P+T)' : 'T';
  const at = flat ? 1 : 2;
  const sizes = node.runs.map(({ inputs }) => [inputs[0]![0], heads, inputs[0]![at], inputs[1]![at] + (inputs[4]?.[2] ?? 0)]);
  const scores = ['b', axis(head), 'S', all];
  const place = (positions: string, of: string, width: string) => (flat ? `b ${positions} (${of} ${width})` : `b ${axis(of)} ${positions} ${width}`);
  const axes = notation(
    node,
    [place('S', head, 'd'), place('T', 'k', 'd'), place('T', 'k', 'v'), maskAxes(node, 3, scores, sizes), 'b k P d', 'b k P v', 'b'],
    [place('S', head, 'v'), `b k ${all} d`, `b k ${all} v`, scores.join(' ')],
  );
  const restates: Restatement[] = flat ? [{ attribute: 'q_num_heads', is: head }, { attribute: 'kv_num_heads', is: 'k' }] : [];
  const width = flat ? q[2] / heads : q[3];
  return {
    axes,
    sizes: { k: groups, ...(heads === groups ? {} : { R: heads / groups }) },
    macs: attentionMacs(head, 'd', 'v', cached),
    restates,
    pins: node.attributes.scale === undefined ? [{ label: 'd', attribute: 'scale', value: 1 / Math.sqrt(width) }] : undefined,
    because: explain(axes, attentionPositions),
  };
};

/**
 * Each pair of elements of a head is turned by an angle of its own: pairs are halves of the head, or neighbours when `interleaved`. The caches
 * hold one cosine and one sine for each pair. What lies behind the turned part passes.
 */
export const rotaryRule = (operands: { readonly cos: number; readonly positions: number }) => (node: NodeView): Signature => {
  const x = node.inputs[0]!;
  const cos = node.inputs[operands.cos]!;
  const flat = x.length === 3;
  const heads = flat ? integer(node, 'num_heads', 0) || x[2] / (2 * cos[cos.length - 1]) : x[1];
  const width = flat ? x[2] / heads : x[3];
  const turned = integer(node, 'rotary_embedding_dim', 0) || width;
  const pairs = integer(node, 'interleaved', 0) === 1 ? 'd H' : 'H d';
  // A sum cannot stand inside the product of heads and widths.
  const torn = flat && turned !== width;
  const inner = torn ? 'W' : turned === width ? pairs : `${pairs}+e`;
  const cache = node.inputs[operands.cos]!.length === 2 ? 'M' : sizesOf(node, 'inputs', operands.cos, 0).every((n) => n === 1) && x[0] !== 1 ? '1 S' : 'b S';
  const angles = `${cache} ${torn ? 'Z' : 'd'}`;
  const entry = flat ? `b S (h ${inner})` : `b h S (${inner})`;
  const entries: Record<number, string | undefined> = {
    0: entry, [operands.cos]: angles, [operands.cos + 1]: angles,
    [operands.positions]: ownPositions(node, operands.positions, 'O'),
  };
  const axes = notation(node, node.inputs.map((_, k) => entries[k]), [entry]);
  const restates: Restatement[] = [];
  if (flat) restates.push({ attribute: 'num_heads', is: 'h' });
  if (turned !== width && !torn) restates.push({ attribute: 'rotary_embedding_dim', is: 'H d' });
  const tornHead = 'only the front of each head is turned, and heads are not an axis of their own';
  return {
    axes, restates,
    sizes: { ...(torn ? {} : { H: 2, d: turned / 2 }), ...(flat ? { h: heads } : {}) },
    because: explain(axes, { S: 'positions of the sequence', M: 'rows of the table of angles', H: 'the two elements of a pair', O: 'numbers of positions', W: tornHead, Z: tornHead }),
  };
};

export const attention = {
  Attention: attentionRule,
  RotaryEmbedding: rotaryRule({ cos: 1, positions: 3 }),
  /** A state [d, v] for each key and value head is updated at each position and read by R queries. Spec: LinearAttention-27. */
  LinearAttention: (node) => {
    const heads = integer(node, 'q_num_heads', 1);
    const groups = integer(node, 'kv_num_heads', 1);
    const head = heads === groups ? 'k' : 'k R';
    const width = node.inputs[0]![2] / heads;
    const decay = node.inputs[4]?.[2] === groups ? 'b S k' : 'b S (k d)';
    const beta = node.inputs[5]?.[2] === groups ? 'b S k' : 'b S 1';
    const axes = notation(node, [`b S (${head} d)`, 'b S (k d)', 'b S (k v)', 'b k d v', decay, beta], [`b S (${head} v)`, 'b k d v']);
    return {
      axes,
      sizes: { k: groups, d: width, ...(heads === groups ? {} : { R: heads / groups }) },
      macs: `b S k d v + b S ${head} d v`,
      restates: [{ attribute: 'q_num_heads', is: head }, { attribute: 'kv_num_heads', is: 'k' }],
      pins: integer(node, 'scale', 0) === 0 ? [{ label: 'd', attribute: 'scale', value: 1 / Math.sqrt(width) }] : undefined,
      because: explain(axes, attentionPositions),
    };
  },
} satisfies StandardRows;
