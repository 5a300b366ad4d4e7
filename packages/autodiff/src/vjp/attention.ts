import type { Emit, Known, Size, Value } from '../emit.ts';
import { NoGradient, absent, withForward, type Call, type Rows } from '../vjp.ts';
import { once } from './axes.ts';

/** Which of its intermediate results the operator gives as its last one: the probabilities. */
const PROBABILITIES = 3;

/** How many heads there are, and whether operands are [b, positions, heads · width] or have an axis of heads. */
interface Heads {
  readonly flat: boolean;
  readonly queries: number;
  readonly keys: number;
  /** Of one query. */
  readonly width: number;
}

function headsOf({ inputs: { Q, K }, attributes }: Call<'Attention'>): Heads {
  const flat = Q.shape.length === 3;
  const queries = flat ? attributes.q_num_heads : Q.shape[1];
  const keys = flat ? attributes.kv_num_heads ?? queries : K.shape[1];
  const last = Q.shape.at(-1);
  if (queries === undefined || keys === undefined || last === undefined) throw new NoGradient('its number of heads or their width differs between runs');
  return { flat, queries, keys, width: flat ? last / queries : last };
}

/** [b, heads, positions, width] from either form. */
const apart = (emit: Emit, x: Value, heads: number, flat: boolean): Value => (flat ? emit.transpose(emit.reshape(x, [0, 0, heads, -1]), [0, 2, 1, 3]) : x);

/** [b, heads, positions, width] as the operands are. */
const together = (emit: Emit, x: Value, flat: boolean): Value => (flat ? emit.reshape(emit.transpose(x, [0, 2, 1, 3]), [0, 0, -1]) : x);

const lastSize = (emit: Emit, x: Value): Size => emit.op('Shape', [x], { start: -1 });

const transposed = (emit: Emit, x: Value): Value => emit.transpose(x, [0, 1, 3, 2]);

const noAngles = (): Value => { throw new NoGradient('its table of angles is to be learnt'); };

export const attention = {
  /**
   * y = P·V, P = softmax(scale·Q·Kᵀ + mask), over new and cached positions:
   *   dV = Pᵀ·dy,  dP = dy·Vᵀ,  dS = P·(dP − Σ dP·P),  dQ = scale·dS·K,  dK = scale·dSᵀ·Q,  dmask = dS.
   * The forward pass gives P, so nothing of masks, causality and windows is repeated here. Query heads that share a key and value head lie
   * side by side: to it they are one longer sequence of queries. Vaswani et al. 2017, §3.2; Ainslie et al. 2023.
   */
  Attention: withForward<'Attention', { readonly probabilities: Value }>({
    forward({ inputs: { Q, K, V, attn_mask, past_key, past_value, nonpad_kv_seqlen }, outputs, attributes, emit }) {
      const { softcap, qk_matmul_output_mode: mode, left_window_size, right_window_size, ...rest } = attributes;
      if (softcap !== 0) throw new NoGradient('its scores are capped (softcap)');
      if (outputs.qk_matmul_output && mode !== PROBABILITIES) throw new NoGradient('its scores are used as a result');
      // The windows are newer than the other attributes.
      const windows = { ...(left_window_size >= 0 && { left_window_size }), ...(right_window_size >= 0 && { right_window_size }) };
      const [Y, present_key, present_value, probabilities] = emit.node('Attention', [Q, K, V, attn_mask, past_key, past_value, nonpad_kv_seqlen], { ...rest, ...windows, qk_matmul_output_mode: PROBABILITIES }, 4);
      return { outputs: { Y, present_key, present_value, qk_matmul_output: probabilities }, saved: { probabilities } };
    },
    backward(call) {
      const { inputs: { Q, K, V, attn_mask, past_key, past_value }, attributes, dY, gradients, saved, emit } = call;
      const { flat, queries, keys, width } = headsOf(call);
      const scale = attributes.scale ?? 1 / Math.sqrt(width);
      const { probabilities } = saved!;
      const sequence = flat ? 1 : 2;
      const positions = once(() => emit.plus(past_key ? emit.size(past_key, 2) : 0, emit.size(K, sequence)));
      /** [b, query heads, positions, w] as [b, key heads, R · positions, w]. */
      const grouped = (x: Value, w: Size): Value => (queries === keys ? x : emit.reshape(x, [0, keys, -1, w]));
      const ungrouped = (x: Value, w: Size): Value => (queries === keys ? x : emit.reshape(x, [0, queries, -1, w]));

      const cached = (x: Value, past: Value | undefined): Value => (past ? emit.concat([past, apart(emit, x, keys, flat)], 2) : apart(emit, x, keys, flat));
      const allKeys = once(() => cached(K, past_key));
      const allValues = once(() => cached(V, past_value));
      const q = once(() => grouped(apart(emit, Q, queries, flat), width));
      // All sizes are stated, for what runtimes infer of this result is wrong where heads lie side by side.
      const p = once(() => emit.reshape(probabilities, [emit.size(Q, 0), keys, emit.times(emit.size(Q, sequence), queries / keys), positions()]));
      const dy = once(() => {
        const each = apart(emit, dY, queries, flat);
        return grouped(each, lastSize(emit, each));
      });
      const dS = once(() => {
        const product = emit.matMul(dy(), transposed(emit, allValues()));
        const dP = gradients.qk_matmul_output ? emit.add(product, grouped(gradients.qk_matmul_output, positions())) : product;
        return emit.mul(p(), emit.sub(dP, emit.reduceSum(emit.mul(dP, p()), [3], true)));
      });
      const scaled = once(() => emit.mul(dS(), scale));
      const plus = (x: Value, more: Value | undefined): Value => (more ? emit.add(x, more) : x);
      const dKeys = once(() => plus(emit.matMul(transposed(emit, scaled()), q()), gradients.present_key));
      const dValues = once(() => plus(emit.matMul(transposed(emit, p()), dy()), gradients.present_value));
      /** What of all positions came from the cache, and what is new. */
      const old = (x: Value, past: Known): Value => emit.slice(x, { axes: [2], starts: [0], ends: [emit.size(past, 2)] });
      const fresh = (x: Value, past: Known | undefined): Value =>
        together(emit, past ? emit.slice(x, { axes: [2], starts: [emit.size(past, 2)], ends: [END] }) : x, flat);
      return {
        Q: () => together(emit, ungrouped(emit.matMul(scaled(), allKeys()), width), flat),
        K: () => fresh(dKeys(), past_key),
        V: () => fresh(dValues(), past_value),
        past_key: past_key && (() => old(dKeys(), past_key)),
        past_value: past_value && (() => old(dValues(), past_value)),
        attn_mask: attn_mask && (() => emit.reduceTo(ungrouped(dS(), positions()), [Q.shape[0], queries, Q.shape[sequence], undefined], attn_mask)),
      };
    },
  }),

  /** Each pair of elements turns by an angle, so what flows back turns by the opposite one: the same with −sin. Su et al. 2021, §3.2. */
  RotaryEmbedding: ({ inputs: { cos_cache, sin_cache, position_ids }, attributes, dY, emit }) => ({
    X: () => emit.op('RotaryEmbedding', [dY, cos_cache, emit.neg(sin_cache), position_ids], attributes),
    cos_cache: noAngles,
    sin_cache: noAngles,
  }),

  LinearAttention: absent('its state is updated at each position by a rule that is not differentiated yet'),
} satisfies Rows;

/** Beyond the end of every axis. */
const END = 2 ** 31 - 1;
