import { at, build, offset, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

/** [b, heads, positions, width] from [b, positions, heads · width]. */
const apart = (x: Array64, heads: number): Array64 => {
  const [b, s, all] = x.shape;
  const width = all / heads;
  return build([b, heads, s, width], ([n, h, t, k]) => at(x, [n, t, h * width + k]));
};

/** The other way. */
const together = (x: Array64): Array64 => {
  const [b, heads, s, width] = x.shape;
  return build([b, s, heads * width], ([n, t, k]) => at(x, [n, Math.floor(k / width), t, k % width]));
};

/** What was cached, then what is new, along the positions. */
const cached = (past: Array64 | undefined, x: Array64): Array64 => {
  if (!past) return x;
  const before = past.shape[2];
  return build(x.shape.with(2, before + x.shape[2]), (index) => (index[2] < before ? at(past, index) : at(x, index.with(2, index[2] - before))));
};

export const attention = {
  Attention([q, k, v, mask, pastKey, pastValue], { is_causal, q_num_heads, kv_num_heads, scale, qk_matmul_output_mode, softcap }, outputs) {
    if (softcap !== 0) throw new Error('the eager Attention has no softcap');
    const flat = q.shape.length === 3;
    const queries = flat ? apart(q, q_num_heads!) : q;
    const keys = cached(pastKey, flat ? apart(k, kv_num_heads!) : k);
    const values = cached(pastValue, flat ? apart(v, kv_num_heads!) : v);
    const [b, heads, s, width] = queries.shape;
    const [, groups, t] = keys.shape;
    const head = (h: number) => Math.floor(h / (heads / groups));
    const raw = build([b, heads, s, t], ([n, h, i, j]) => {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += at(queries, [n, h, i, c]) * at(keys, [n, head(h), j, c]);
      return sum * (scale ?? 1 / Math.sqrt(width));
    });
    const masked = build(raw.shape, (index) => {
      if (is_causal === 1 && index[3] > index[2] + (pastKey?.shape[2] ?? 0)) return -Infinity;
      if (!mask) return at(raw, index);
      const lead = 4 - mask.shape.length;
      const own = at(mask, mask.shape.map((size, axis) => (size === 1 ? 0 : index[axis + lead])));
      return mask.type === 'bool' ? (own === 1 ? at(raw, index) : -Infinity) : at(raw, index) + own;
    });
    const probabilities = build(raw.shape, (index) => {
      const row = Array.from({ length: t }, (_, j) => masked.data[offset(masked.shape, index.with(3, j))]);
      const most = Math.max(...row);
      return Math.exp(row[index[3]] - most) / row.reduce((sum, x) => sum + Math.exp(x - most), 0);
    });
    const y = build([b, heads, s, values.shape[3]], ([n, h, i, c]) => {
      let sum = 0;
      for (let j = 0; j < t; j++) sum += at(probabilities, [n, h, i, j]) * at(values, [n, head(h), j, c]);
      return sum;
    });
    return [flat ? together(y) : y, keys, values, qk_matmul_output_mode === 3 ? probabilities : qk_matmul_output_mode === 1 ? masked : raw].slice(0, outputs);
  },

  RotaryEmbedding([x, cos, sin, positions], { interleaved, num_heads, rotary_embedding_dim }) {
    const flat = x.shape.length === 3;
    const heads = flat ? apart(x, num_heads!) : x;
    const width = heads.shape[3];
    const turned = rotary_embedding_dim === 0 ? width : rotary_embedding_dim;
    const half = turned / 2;
    const y = build(heads.shape, ([n, h, t, k]) => {
      if (k >= turned) return at(heads, [n, h, t, k]);
      const pair = interleaved === 1 ? Math.floor(k / 2) : k % half;
      const first = interleaved === 1 ? k % 2 === 0 : k < half;
      const angle = (table: Array64) => (positions ? at(table, [at(positions, [n, t]), pair]) : at(table, [n, t, pair]));
      const other = at(heads, [n, h, t, interleaved === 1 ? (first ? k + 1 : k - 1) : first ? k + half : k - half]);
      return at(heads, [n, h, t, k]) * angle(cos) + (first ? -1 : 1) * other * angle(sin);
    });
    return [flat ? together(y) : y];
  },
} satisfies EagerRows;
