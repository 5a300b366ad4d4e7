import type { AttributesOf, OperatorSchema } from './operator-schema.ts';

/**
 * Operators of the domain `com.microsoft` that occur in speech models optimised or quantised for ONNX Runtime.
 * Restates the schemas of ONNX Runtime 1.30.
 */
export const contribOperators = {
  Attention: { since: [1], inputs: ['input', 'weights', 'bias?', 'mask_index?', 'past?', 'attention_bias?', 'past_sequence_length?'], outputs: ['output', 'present?'], attributes: { num_heads: 'int!', do_rotary: 'int', mask_filter_value: 'float', past_present_share_buffer: 'int', qkv_hidden_sizes: 'ints', rotary_embedding_dim: 'int', scale: 'float', unidirectional: ['int', 0] } },
  BiasGelu: { since: [1], inputs: ['A', 'B'], outputs: ['C'], attributes: {} },
  BiasSoftmax: { since: [1], inputs: ['data', 'bias'], outputs: ['output'], attributes: { is_inner_broadcast: 'int!', axis: ['int', 1] } },
  CDist: { since: [1], inputs: ['A', 'B'], outputs: ['C'], attributes: { metric: ['string', 'sqeuclidean'] } },
  DequantizeLinear: { since: [1], inputs: ['x', 'x_scale', 'x_zero_point?'], outputs: ['y'], attributes: { axis: 'int' } },
  DynamicQuantizeLSTM: { since: [1], inputs: ['X', 'W', 'R', 'B?', 'sequence_lens?', 'initial_h?', 'initial_c?', 'P?', 'W_scale', 'W_zero_point', 'R_scale', 'R_zero_point'], outputs: ['Y?', 'Y_h?', 'Y_c?'], attributes: { activation_alpha: 'floats', activation_beta: 'floats', activations: 'strings', clip: 'float', direction: ['string', 'forward'], hidden_size: 'int', input_forget: ['int', 0] } },
  DynamicQuantizeMatMul: { since: [1], inputs: ['A', 'B', 'b_scale', 'b_zero_point?', 'bias?'], outputs: ['Y'], attributes: {} },
  EmbedLayerNormalization: { since: [1], inputs: ['input_ids', 'segment_ids?', 'word_embedding', 'position_embedding', 'segment_embedding?', 'gamma', 'beta', 'mask?', 'position_ids?'], outputs: ['output', 'mask_index?', 'embedding_sum?'], attributes: { epsilon: ['float', 1e-12], mask_index_type: 'int' } },
  ExpandDims: { since: [1], inputs: ['X', 'axis'], outputs: ['Y'], attributes: {} },
  FastGelu: { since: [1], inputs: ['X', 'bias?'], outputs: ['Y'], attributes: {} },
  FusedConv: { since: [1], inputs: ['X', 'W', 'B?', 'Z?'], outputs: ['Y'], attributes: { activation: 'string', activation_params: 'floats', auto_pad: ['string', 'NOTSET'], dilations: 'ints', group: ['int', 1], kernel_shape: 'ints', pads: 'ints', strides: 'ints' } },
  FusedGemm: { since: [1], inputs: ['A', 'B', 'C?'], outputs: ['Y'], attributes: { activation: 'string', activation_alpha: 'float', activation_beta: 'float', activation_gamma: 'float', alpha: ['float', 1], beta: ['float', 1], transA: ['int', 0], transB: ['int', 0] } },
  FusedMatMul: { since: [1], inputs: ['A', 'B'], outputs: ['Y'], attributes: { alpha: ['float', 1], transA: ['int', 0], transB: ['int', 0], transBatchA: ['int', 0], transBatchB: ['int', 0] } },
  GatedRelativePositionBias: { since: [1], inputs: ['query_layer', 'query_bias', 'rel_pos', 'weight', 'bias', 'eco_a', 'token_offset?'], outputs: ['output'], attributes: { num_heads: 'int!' } },
  Gelu: { since: [1], inputs: ['X'], outputs: ['Y'], attributes: {} },
  GroupNorm: { since: [1], inputs: ['X', 'gamma', 'beta'], outputs: ['Y'], attributes: { activation: 'int!', groups: 'int!', channels_last: ['int', 1], epsilon: ['float', 1e-05] } },
  GroupQueryAttention: { since: [1], inputs: ['query', 'key?', 'value?', 'past_key?', 'past_value?', 'seqlens_k', 'total_sequence_length', 'cos_cache?', 'sin_cache?', 'position_ids?', 'attention_bias?', 'head_sink?', 'k_scale?', 'v_scale?', 'q_norm_weight?', 'k_norm_weight?'], outputs: ['output', 'present_key?', 'present_value?', 'output_qk?'], attributes: { kv_num_heads: 'int!', num_heads: 'int!', causal: ['int', 1], do_rotary: 'int', k_quant_type: ['string', 'NONE'], kv_cache_bit_width: 'int', local_window_size: ['int', -1], qk_norm_epsilon: ['float', 1e-06], qk_output: ['int', 0], rotary_interleaved: 'int', scale: 'float', sliding_window_cache: ['int', 0], smooth_softmax: ['int', -1], softcap: 'float', v_quant_type: ['string', 'NONE'] } },
  Inverse: { since: [1], inputs: ['X'], outputs: ['Y'], attributes: {} },
  MatMulInteger16: { since: [1], inputs: ['A', 'B'], outputs: ['Y'], attributes: {} },
  MatMulIntegerToFloat: { since: [1], inputs: ['A', 'B', 'a_scale', 'b_scale', 'a_zero_point?', 'b_zero_point?', 'bias?'], outputs: ['Y'], attributes: {} },
  MatMulNBits: { since: [1], inputs: ['A', 'B', 'scales', 'zero_points?', 'g_idx?', 'bias?'], outputs: ['Y'], attributes: { K: 'int!', N: 'int!', block_size: 'int!', accuracy_level: ['int', 0], bits: ['int', 4], weight_prepacked: ['int', 0] } },
  MultiHeadAttention: { since: [1], inputs: ['query', 'key?', 'value?', 'bias?', 'key_padding_mask?', 'attention_bias?', 'past_key?', 'past_value?', 'past_sequence_length?', 'cache_indirection?'], outputs: ['output', 'present_key?', 'present_value?', 'qk?'], attributes: { num_heads: 'int!', mask_filter_value: 'float', scale: 'float', unidirectional: ['int', 0] } },
  NhwcConv: { since: [1], inputs: ['X', 'W', 'B?'], outputs: ['Y'], attributes: { auto_pad: ['string', 'NOTSET'], dilations: 'ints', group: ['int', 1], kernel_shape: 'ints', pads: 'ints', strides: 'ints' } },
  NhwcFusedConv: { since: [1], inputs: ['X', 'W', 'B?', 'Z?'], outputs: ['Y'], attributes: { activation: 'string', activation_params: 'floats', auto_pad: ['string', 'NOTSET'], dilations: 'ints', group: ['int', 1], kernel_shape: 'ints', pads: 'ints', strides: 'ints' } },
  NhwcMaxPool: { since: [1], inputs: ['x'], outputs: ['y'], attributes: { kernel_shape: 'ints!', auto_pad: ['string', 'NOTSET'], ceil_mode: ['int', 0], dilations: 'ints', pads: 'ints', strides: 'ints' } },
  QAttention: { since: [1], inputs: ['input', 'weight', 'bias', 'input_scale', 'weight_scale', 'mask_index?', 'input_zero_point?', 'weight_zero_point?', 'past?'], outputs: ['output', 'present?'], attributes: { num_heads: 'int!', do_rotary: 'int', mask_filter_value: 'float', past_present_share_buffer: 'int', scale: 'float', unidirectional: ['int', 0] } },
  QGemm: { since: [1], inputs: ['A', 'a_scale', 'a_zero_point', 'B', 'b_scale', 'b_zero_point', 'C?', 'y_scale?', 'y_zero_point?'], outputs: ['Y'], attributes: { alpha: ['float', 1], transA: ['int', 0], transB: ['int', 0] } },
  QLinearAdd: { since: [1], inputs: ['A', 'A_scale', 'A_zero_point?', 'B', 'B_scale', 'B_zero_point?', 'C_scale', 'C_zero_point?'], outputs: ['C'], attributes: {} },
  QLinearAveragePool: { since: [1], inputs: ['X', 'x_scale', 'x_zero_point?', 'y_scale', 'y_zero_point?'], outputs: ['Y'], attributes: { kernel_shape: 'ints!', auto_pad: ['string', 'NOTSET'], ceil_mode: ['int', 0], channels_last: ['int', 0], count_include_pad: ['int', 0], pads: 'ints', strides: 'ints' } },
  QLinearConcat: { since: [1], inputs: ['Y_scale', 'Y_zero_point', 'inputs...'], outputs: ['Y'], attributes: { axis: 'int!' } },
  QLinearConv: { since: [1], inputs: ['x', 'x_scale', 'x_zero_point', 'w', 'w_scale', 'w_zero_point', 'y_scale', 'y_zero_point', 'B?'], outputs: ['y'], attributes: { auto_pad: ['string', 'NOTSET'], channels_last: ['int', 0], dilations: 'ints', group: ['int', 1], kernel_shape: 'ints', pads: 'ints', strides: 'ints' } },
  QLinearGlobalAveragePool: { since: [1], inputs: ['X', 'x_scale', 'x_zero_point', 'y_scale', 'y_zero_point'], outputs: ['Y'], attributes: { channels_last: ['int', 0] } },
  QLinearLeakyRelu: { since: [1], inputs: ['X', 'X_scale', 'X_zero_point?', 'Y_scale', 'Y_zero_point?'], outputs: ['Y'], attributes: { alpha: ['float', 0.01] } },
  QLinearMul: { since: [1], inputs: ['A', 'A_scale', 'A_zero_point?', 'B', 'B_scale', 'B_zero_point?', 'C_scale', 'C_zero_point?'], outputs: ['C'], attributes: {} },
  QLinearSigmoid: { since: [1], inputs: ['X', 'X_scale', 'X_zero_point?', 'Y_scale', 'Y_zero_point?'], outputs: ['Y'], attributes: {} },
  QLinearSoftmax: { since: [1], inputs: ['X', 'X_scale', 'x_zero_point?', 'y_scale', 'y_zero_point'], outputs: ['Y'], attributes: { opset: 'int!', axis: ['int', -1] } },
  QLinearWhere: { since: [1], inputs: ['condition', 'X', 'x_scale', 'x_zero_point', 'Y', 'y_scale', 'y_zero_point', 'z_scale', 'z_zero_point'], outputs: ['Z'], attributes: {} },
  QuantizeLinear: { since: [1], inputs: ['x', 'y_scale', 'y_zero_point?'], outputs: ['y'], attributes: { axis: 'int' } },
  QuickGelu: { since: [1], inputs: ['X'], outputs: ['Y'], attributes: { alpha: ['float', 1.702] } },
  RelativePositionBias: { since: [1], inputs: ['bias_table', 'query_length', 'key_length'], outputs: ['output'], attributes: { max_distance: 'int!', is_bidirectional: ['int', 0] } },
  RotaryEmbedding: { since: [1], inputs: ['input', 'position_ids', 'cos_cache', 'sin_cache'], outputs: ['output'], attributes: { interleaved: 'int', is_packed_batching: 'int', num_heads: 'int', rotary_embedding_dim: 'int', scale: 'float' } },
  SimplifiedLayerNormalization: { since: [1], domain: '', inputs: ['X', 'scale'], outputs: ['Y', 'inv_std_var?'], attributes: { axis: ['int', -1], epsilon: ['float', 1e-05], stash_type: ['int', 1] } },
  SkipGroupNorm: { since: [1], inputs: ['X', 'gamma', 'beta', 'skip', 'bias?'], outputs: ['Y', 'S?'], attributes: { activation: 'int!', groups: 'int!', channels_last: ['int', 1], epsilon: ['float', 1e-05] } },
  SkipLayerNormalization: { since: [1], inputs: ['input', 'skip', 'gamma', 'beta?', 'bias?'], outputs: ['output', 'mean?', 'inv_std_var?', 'input_skip_bias_sum?'], attributes: { epsilon: ['float', 1e-12] } },
  SkipSimplifiedLayerNormalization: { since: [1], inputs: ['input', 'skip', 'gamma', 'bias?'], outputs: ['output', 'mean?', 'inv_std_var?', 'input_skip_bias_sum?'], attributes: { epsilon: ['float', 1e-12] } },
  TransposeMatMul: { since: [1], inputs: ['A', 'B'], outputs: ['Y'], attributes: { alpha: ['float', 1], transA: ['int', 0], transB: ['int', 0] } },
  Trilu: { since: [1], inputs: ['X', 'k?'], outputs: ['Y'], attributes: { upper: ['int', 1] } },
} as const satisfies Record<string, OperatorSchema>;

/** Operators of ONNX Runtime's own domain that Coppice knows. */
export type ContribOperatorName = keyof typeof contribOperators;

/** Attributes of a contrib operator, typed as those of the default domain. */
export type ContribAttributes<N extends ContribOperatorName> = AttributesOf<(typeof contribOperators)[N]>;
