import type { Attributes } from '@coppice/graph';
import { broadcast, broadcastDims, expectThat, host, numbers, sameDims } from '../host/array.ts';
import { refused, type ExpandedCall, type Rows } from '../row.ts';
import type { Value, Host } from '../value.ts';
import type { Expansion } from './expanded.ts';

/** [b, heads, positions, width] from [b, positions, heads · width]. */
function* apart(emit: Expansion, x: Value, heads: number | undefined): Generator<Value, Value> {
  if (x.dims.length === 4) return x;
  const [b, s, all] = x.dims;
  return yield* emit.transpose(yield* emit.reshape(x, [b, s, heads!, all / heads!]), [0, 2, 1, 3]);
}

/** The other way. */
function* together(emit: Expansion, x: Value): Generator<Value, Value> {
  const [b, heads, s, width] = x.dims;
  return yield* emit.reshape(yield* emit.transpose(x, [0, 2, 1, 3]), [b, s, heads * width]);
}

/** Each head of keys or values once for every query head that shares it, side by side. Ainslie et al. 2023. */
function* repeated(emit: Expansion, x: Value, heads: number): Generator<Value, Value> {
  const [b, own, s, width] = x.dims;
  if (own === heads) return x;
  const wide = yield* emit.op('Expand', [yield* emit.reshape(x, [b, own, 1, s, width]), emit.ints(b, own, heads / own, s, width)]);
  return yield* emit.reshape(wide, [b, heads, s, width]);
}

/**
 * Which keys each query may see, bool [b or 1, 1, queries, keys], from causality, windows and the lengths of the cache; undefined where it is all.
 * A query stands `offset` positions behind the first key. Spec: Attention-25.
 */
function allowed([b, s, t]: readonly [number, number, number], past: number, lengths: readonly number[] | undefined, { is_causal, left_window_size = -1, right_window_size = -1 }: Partial<Attributes<'Attention'>>): Host | undefined {
  if (!is_causal && left_window_size < 0 && right_window_size < 0 && !lengths) return undefined;
  const batch = lengths ? b : 1;
  const list = new Uint8Array(batch * s * t);
  for (let n = 0, k = 0; n < batch; n++) for (let i = 0; i < s; i++) for (let j = 0; j < t; j++, k++) {
    const ahead = j - i - (lengths ? lengths[n] - s : past);
    const seen = (!is_causal || ahead <= 0) && (left_window_size < 0 || -ahead <= left_window_size) && (right_window_size < 0 || ahead <= right_window_size) && (!lengths || j < lengths[n]);
    list[k] = seen ? 1 : 0;
  }
  return { dtype: 'bool', dims: [batch, 1, s, t], data: list };
}

/** A mask that is shorter than the keys hides those beyond it. */
function* grown(emit: Expansion, mask: Value, keys: number): Generator<Value, Value> {
  const missing = keys - mask.dims.at(-1)!;
  if (missing <= 0) return mask;
  const rest = emit.host(mask.dtype === 'bool'
    ? { dtype: 'bool', dims: [...mask.dims.slice(0, -1), missing], data: new Uint8Array((mask.size / mask.dims.at(-1)!) * missing) }
    : host(mask.dtype, [...mask.dims.slice(0, -1), missing], Array<number>((mask.size / mask.dims.at(-1)!) * missing).fill(-Infinity)));
  return yield* emit.op('Concat', [mask, rest], { axis: -1 });
}

/** softmax(scale·Q·Kᵀ, capped, masked)·V. Vaswani et al. 2017, §3.2. A query that may see nothing gets zeros. */
function* attend({ inputs: [q, k, v, mask, pastKey, pastValue, lengths], attributes, wanted, emit }: ExpandedCall<Attributes<'Attention'>>): Generator<Value, readonly (Value | undefined)[]> {
  const { q_num_heads, kv_num_heads, softcap, qk_matmul_output_mode: mode } = attributes;
  const [queries, ownKeys, ownValues] = [yield* apart(emit, q, q_num_heads), yield* apart(emit, k, kv_num_heads), yield* apart(emit, v, kv_num_heads)];
  const keys = pastKey ? yield* emit.op('Concat', [pastKey, ownKeys], { axis: 2 }) : ownKeys;
  const values = pastValue ? yield* emit.op('Concat', [pastValue, ownValues], { axis: 2 }) : ownValues;
  const [b, heads, s, width] = queries.dims;
  const t = keys.dims[2];
  const fits = keys.dims[0] === b && values.dims[0] === b && keys.dims[1] === values.dims[1] && keys.dims[3] === width && values.dims[2] === t && heads % keys.dims[1] === 0 && (mask?.dims.at(-1) ?? t) <= t;
  expectThat(fits && (!mask || mask.dims.at(-1) === t || Boolean(lengths)), () => `queries [${queries.dims.join(', ')}], keys [${keys.dims.join(', ')}], values [${values.dims.join(', ')}] and mask [${mask?.dims.join(', ') ?? ''}] do not fit together`);
  const scaled = yield* emit.op('Mul', [queries, emit.scalar(attributes.scale ?? 1 / Math.sqrt(width), q.dtype)]);
  let scores = yield* emit.op('MatMul', [scaled, yield* emit.transpose(yield* repeated(emit, keys, heads), [0, 1, 3, 2])]);
  const raw = scores;
  if (softcap > 0) {
    const cap = emit.scalar(softcap, q.dtype);
    scores = yield* emit.op('Mul', [yield* emit.op('Tanh', [yield* emit.op('Div', [scores, cap])]), cap]);
  }
  const capped = scores;
  const hidden = emit.scalar(-Infinity, q.dtype);

  const seen = allowed([b, s, t], pastKey?.dims[2] ?? 0, lengths && numbers(yield* emit.read(lengths)), attributes);
  const masks: Host[] = seen ? [seen] : [];
  if (seen) scores = yield* emit.op('Where', [emit.host(seen), scores, hidden]);
  if (mask) {
    const whole = yield* grown(emit, mask, t);
    if (whole.dtype === 'bool') {
      scores = yield* emit.op('Where', [whole, scores, hidden]);
      masks.push(yield* emit.read(whole));
    } else {
      scores = yield* emit.op('Add', [scores, whole]);
      const additive = yield* emit.read(whole);
      masks.push({ dtype: 'bool', dims: additive.dims, data: Uint8Array.from(additive.data as Float32Array, (x) => (x === -Infinity ? 0 : 1)) });
    }

  }
  const masked = scores;
  const blind = rowsWithout(masks, t);
  let probabilities = yield* emit.op('Softmax', [scores], { axis: -1 });
  if (blind) probabilities = yield* emit.op('Where', [emit.host(blind), emit.scalar(0, q.dtype), probabilities]);
  const y = yield* emit.op('MatMul', [probabilities, yield* repeated(emit, values, heads)]);
  return [
    q.dims.length === 3 ? yield* together(emit, y) : y,
    wanted[1] ? keys : undefined,
    wanted[2] ? values : undefined,
    wanted[3] ? [raw, capped, masked, probabilities][mode] : undefined,
  ];
}

/** bool […, 1]: which rows may see no key at all; undefined where there is none. */
function rowsWithout(masks: readonly Host[], keys: number): Host | undefined {
  if (masks.length === 0) return undefined;
  const dims = broadcastDims(...masks.map((mask) => mask.dims));
  const wide = masks.map((mask) => broadcast(mask, dims));
  const count = dims.reduce((product, size) => product * size, 1) / keys;
  const blind = Uint8Array.from({ length: count }, (_, row) => {
    for (let j = 0; j < keys; j++) if (wide.every(({ data }) => data[row * keys + j])) return 0;
    return 1;
  });
  return blind.includes(1) ? { dtype: 'bool', dims: [...dims.slice(0, -1), 1], data: blind } : undefined;
}

/** Pairs of elements turned by an angle: (x₁cos − x₂sin, x₂cos + x₁sin). Su et al. 2021, §3.2. */
function* rotate({ inputs: [x, cos, sin, positions], attributes: { interleaved, num_heads, rotary_embedding_dim }, emit }: ExpandedCall<Attributes<'RotaryEmbedding'>>): Generator<Value, readonly Value[]> {
  const heads = yield* apart(emit, x, num_heads);
  const [b, h, s, width] = heads.dims;
  const turned = rotary_embedding_dim || width;
  const half = turned / 2;
  expectThat(sameDims(cos.dims, sin.dims) && cos.dims.at(-1) === half, () => `tables of angles [${cos.dims.join(', ')}] and [${sin.dims.join(', ')}] for ${half} pairs`);
  const table = function* (angles: Value): Generator<Value, Value> {
    const own = positions ? yield* emit.op('Gather', [angles, positions], { axis: 0 }) : angles;
    return yield* emit.reshape(own, [own.dims[0], 1, own.dims[1], own.dims[2]]);
  };
  const [c, n] = [yield* table(cos), yield* table(sin)];
  const part = (from: Value, axis: number, start: number, end: number): Generator<Value, Value> => emit.op('Slice', [from, emit.ints(start), emit.ints(end), emit.ints(axis)]);
  const moving = turned === width ? heads : yield* part(heads, 3, 0, turned);
  const paired = interleaved === 1 ? yield* emit.transpose(yield* emit.reshape(moving, [b, h, s, half, 2]), [0, 1, 2, 4, 3]) : yield* emit.reshape(moving, [b, h, s, 2, half]);
  const side = function* (k: number): Generator<Value, Value> { return yield* emit.reshape(yield* part(paired, 3, k, k + 1), [b, h, s, half]); };
  const [first, second] = [yield* side(0), yield* side(1)];
  const real = yield* emit.op('Sub', [yield* emit.op('Mul', [first, c]), yield* emit.op('Mul', [second, n])]);
  const imaginary = yield* emit.op('Add', [yield* emit.op('Mul', [second, c]), yield* emit.op('Mul', [first, n])]);
  const stacked = interleaved === 1
    ? yield* emit.op('Concat', [yield* emit.reshape(real, [b, h, s, half, 1]), yield* emit.reshape(imaginary, [b, h, s, half, 1])], { axis: -1 })
    : yield* emit.op('Concat', [real, imaginary], { axis: -1 });
  const whole = yield* emit.reshape(stacked, [b, h, s, turned]);
  const all = turned === width ? whole : yield* emit.op('Concat', [whole, yield* part(heads, 3, turned, width)], { axis: -1 });
  return [x.dims.length === 3 ? yield* together(emit, all) : all];
}

const later = refused('it is not yet interpreted here');

export const attention = {
  Attention: { expand: attend },
  RotaryEmbedding: { expand: rotate },
  CausalConvWithState: later,
  LinearAttention: later,
  SwiGLU: later,
  TensorScatter: later,
} satisfies Rows;
