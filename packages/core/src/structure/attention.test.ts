import { describe, expect, it } from 'vitest';
import { axesOf, frozenBecause, signatureOf } from './made-up-node.ts';

const ms = (attributes: Record<string, number | readonly number[]>) => ({ domain: 'com.microsoft', attributes });

describe('Attention', () => {
  it('contracts the width of queries and keys, and passes that of values', () => {
    const attention = signatureOf('Attention', [[2, 4, 5, 12], [2, 4, 7, 12], [2, 4, 7, 10]], [[2, 4, 5, 10]]);
    expect(attention.axes).toBe('b k S d, b k T d, b k T v -> b k S v');
    expect(attention.macs).toBe('b k S T d + b k S T v');
  });

  it('writes out the scale that the width of a head implies', () => {
    const qkv = [[2, 4, 5, 16], [2, 4, 7, 16], [2, 4, 7, 16]];
    expect(signatureOf('Attention', qkv, [[2, 4, 5, 16]]).pins).toEqual([{ label: 'd', attribute: 'scale', value: 0.25 }]);
    expect(signatureOf('Attention', qkv, [[2, 4, 5, 16]], { attributes: { scale: 1 } }).pins).toBeUndefined();
  });

  it('lets query heads go with the key and value head that they share', () => {
    expect(axesOf('Attention', [[2, 6, 5, 12], [2, 2, 7, 12], [2, 2, 7, 12]], [[2, 6, 5, 12]])).toBe('b (k R) S d, b k T d, b k T v -> b (k R) S v');
  });

  it('restates the numbers of heads where they are merged with the width', () => {
    const flat = signatureOf('Attention', [[2, 5, 72], [2, 7, 24], [2, 7, 20]], [[2, 5, 60]], { attributes: { q_num_heads: 6, kv_num_heads: 2 } });
    expect(flat.axes).toBe('b S (k R d), b T (k d), b T (k v) -> b S (k R v)');
    expect(flat.restates).toEqual([{ attribute: 'q_num_heads', is: 'k R' }, { attribute: 'kv_num_heads', is: 'k' }]);
  });

  it('appends to caches, and broadcasts its mask', () => {
    const cached = signatureOf('Attention', [[2, 4, 5, 12], [2, 4, 5, 12], [2, 4, 5, 10], [5, 14], [2, 4, 9, 12], [2, 4, 9, 10]], [[2, 4, 5, 10], [2, 4, 14, 12], [2, 4, 14, 10], [2, 4, 5, 14]]);
    expect(cached.axes).toBe('b k S d, b k T d, b k T v, S (P+T), b k P d, b k P v -> b k S v, b k (P+T) d, b k (P+T) v, b k S (P+T)');
    expect(cached.macs).toBe('b k S T d + b k S T v + b k S P d + b k S P v');
    expect(axesOf('Attention', [[2, 4, 5, 12], [2, 4, 7, 12], [2, 4, 7, 10], [1, 4, 1, 6]], [[2, 4, 5, 10]])).toBe('b k S d, b k T d, b k T v, 1 k 1 M3 -> b k S v');
  });
});

describe('RotaryEmbedding', () => {
  it('cuts pairs: halves of a head, or neighbours', () => {
    expect(axesOf('RotaryEmbedding', [[2, 4, 5, 12], [30, 6], [30, 6], [2, 5]], [[2, 4, 5, 12]])).toBe('b h S (H d), M d, M d, b O1 -> b h S (H d)');
    expect(axesOf('RotaryEmbedding', [[2, 4, 5, 12], [2, 5, 6], [2, 5, 6]], [[2, 4, 5, 12]], { attributes: { interleaved: 1 } })).toBe('b h S (d H), b S d, b S d -> b h S (d H)');
  });

  it('restates the heads of the flat form', () => {
    const flat = signatureOf('RotaryEmbedding', [[2, 5, 48], [2, 5, 6], [2, 5, 6]], [[2, 5, 48]], { attributes: { num_heads: 4 } });
    expect(flat.axes).toBe('b S (h H d), b S d, b S d -> b S (h H d)');
    expect(flat.restates).toEqual([{ attribute: 'num_heads', is: 'h' }]);
  });

  it('passes what it does not turn', () => {
    const partly = signatureOf('RotaryEmbedding', [[2, 4, 5, 12], [30, 4], [30, 4], [2, 5]], [[2, 4, 5, 12]], { attributes: { rotary_embedding_dim: 8 } });
    expect(partly.axes).toBe('b h S (H d+e), M d, M d, b O1 -> b h S (H d+e)');
    expect(partly.restates).toEqual([{ attribute: 'rotary_embedding_dim', is: 'H d' }]);
    expect(axesOf('RotaryEmbedding', [[2, 5, 48], [2, 5, 4], [2, 5, 4]], [[2, 5, 48]], { attributes: { num_heads: 4, rotary_embedding_dim: 8 } })).toBe('b S (h W), b S Z, b S Z -> b S (h W)');
  });

  it('has its positions second in the contrib form, and finds the heads by itself', () => {
    expect(axesOf('RotaryEmbedding', [[2, 5, 48], [1], [30, 6], [30, 6]], [[2, 5, 48]], ms({}))).toBe('b S (h H d), O0, M d, M d -> b S (h H d)');
  });
});

it('keeps a state for each head in linear attention', () => {
  const linear = signatureOf('LinearAttention', [[2, 5, 24], [2, 5, 12], [2, 5, 10], [2, 2, 6, 5], [2, 5, 12], [2, 5, 2]], [[2, 5, 20], [2, 2, 6, 5]], { attributes: { q_num_heads: 4, kv_num_heads: 2 } });
  expect(linear.axes).toBe('b S (k R d), b S (k d), b S (k v), b k d v, b S (k d), b S k -> b S (k R v), b k d v');
  expect(linear.pins?.[0].attribute).toBe('scale');
});

describe('fused attention', () => {
  it('lets heads go, and keeps their width, where one matrix projects all', () => {
    const fused = signatureOf('Attention', [[2, 5, 20], [20, 48], [48]], [[2, 5, 16]], ms({ num_heads: 4 }));
    expect(fused.axes).toBe('b S i, i (Q h D), (Q h D) -> b S (h D)');
    expect(fused.macs).toBe('b S i Q h D + b h S S D + b h S S D');
    expect(frozenBecause('Attention', [[2, 5, 20], [20, 48], [48]], [[2, 5, 16]], ms({ num_heads: 4, qkv_hidden_sizes: [16, 16, 16] }))).toMatch(/qkv_hidden_sizes/);
    expect(axesOf('QAttention', [[2, 5, 20], [20, 48], [48], [], [48], undefined, [], [48]], [[2, 5, 16]], ms({ num_heads: 4 })))
      .toBe('b S i, i (Q h D), (Q h D), , (Q h D), ., , (Q h D) -> b S (h D)');
  });

  it('follows separate and packed operands of a multi-head attention', () => {
    expect(axesOf('MultiHeadAttention', [[2, 5, 48], [2, 7, 48], [2, 7, 40], [136]], [[2, 5, 40]], ms({ num_heads: 4 })))
      .toBe('b S (h d), b T (h d), b T (h v), (h d+h d+h v) -> b S (h v)');
    expect(axesOf('MultiHeadAttention', [[2, 5, 4, 3, 12]], [[2, 5, 48]], ms({ num_heads: 4 }))).toBe('b S h Q d -> b S (h d)');
    expect(axesOf('MultiHeadAttention', [[2, 5, 48], [2, 4, 7, 12], [2, 4, 7, 12], undefined, undefined, [1, 1, 5, 7]], [[2, 5, 48]], ms({ num_heads: 4 })))
      .toBe('b S (h d), b h T d, b h T v, ., ., 1 1 S T -> b S (h v)');
  });

  it('keeps the width of grouped queries', () => {
    const grouped = signatureOf('GroupQueryAttention', [[2, 5, 72], [2, 5, 24], [2, 5, 24], [2, 2, 30, 12], [2, 2, 30, 12], [2], []], [[2, 5, 72], [2, 2, 30, 12], [2, 2, 30, 12]], ms({ num_heads: 6, kv_num_heads: 2 }));
    expect(grouped.axes).toBe('b S (k R D), b T (k D), b T (k D), b k P D, b k P D, b,  -> b S (k R D), b k L D, b k L D');
    expect(grouped.restates).toEqual([{ attribute: 'num_heads', is: 'k R' }, { attribute: 'kv_num_heads', is: 'k' }]);
    expect(axesOf('GroupQueryAttention', [[2, 5, 120], undefined, undefined, undefined, undefined, [2], []], [[2, 5, 72]], ms({ num_heads: 6, kv_num_heads: 2 })))
      .toBe('b S (k R D+k D+k D), ., ., ., ., b,  -> b S (k R D)');
  });

  it('has a column for each head in a table of distances', () => {
    expect(axesOf('RelativePositionBias', [[32, 4], [], []], [[1, 4, 5, 7]], ms({ max_distance: 9 }))).toBe('V h, ., . -> 1 h S T');
    expect(axesOf('GatedRelativePositionBias', [[2, 5, 48], [48], [1, 4, 5, 5], [12, 8], [8], [1, 4, 1, 1]], [[2, 4, 5, 5]], ms({ num_heads: 4 })))
      .toBe('b S (h d), (h d), 1 h S T, d G, G, 1 h 1 1 -> b h S T');
  });
});
