import { makeGraph, makeModel, makeNode, makeValueInfo, type Model } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { buildReferenceModel } from '@coppice/speech';
import { correctStateMetadata, stateRefusals } from './state-metadata.ts';

/** A model with these inputs and metadata; what it computes is of no interest. */
const model = (inputs: Readonly<Record<string, readonly (number | string)[]>>, metadata: Readonly<Record<string, string>>, classes = 5): Model => makeModel({
  opset: 17, metadata,
  graph: makeGraph({
    inputs: Object.entries(inputs).map(([name, dims]) => makeValueInfo(name, 'float32', dims)), outputs: [makeValueInfo('log_probs', 'float32', ['N', 'T', classes])],
    nodes: [makeNode({ op: 'Identity', inputs: [Object.keys(inputs)[0]], outputs: ['log_probs'] })],
  }),
});
const entriesOf = ({ proto }: Model): Record<string, string> => Object.fromEntries(proto.metadataProps.map(({ key, value }) => [key, value]));

interface Stack { readonly layers: number; readonly dim: number; readonly key: number; readonly value: number; readonly left: number; readonly half: number }
/** The states of a streaming zipformer as icefall exports them. */
function zipformer2(stacks: readonly Stack[]): Record<string, (number | string)[]> {
  const inputs: Record<string, (number | string)[]> = { x: ['N', 45, 80] };
  let layer = 0;
  for (const { layers, dim, key, value, left, half } of stacks) {
    for (let k = 0; k < layers; k++, layer++) {
      Object.assign(inputs, {
        [`cached_key_${layer}`]: [left, 'N', key], [`cached_nonlin_attn_${layer}`]: [1, 'N', left, Math.floor((3 * dim) / 4)], [`cached_val1_${layer}`]: [left, 'N', value],
        [`cached_val2_${layer}`]: [left, 'N', value], [`cached_conv1_${layer}`]: ['N', dim, half], [`cached_conv2_${layer}`]: ['N', dim, half],
      });
    }
  }
  return inputs;
}
const stated = { model_type: 'zipformer2', version: '1', model_author: 'k2-fsa', T: '45', decode_chunk_len: '32', encoder_dims: '192,256', num_heads: '4,8', query_head_dims: '32,32', value_head_dims: '12,12', num_encoder_layers: '2,1', cnn_module_kernels: '31,15', left_context_len: '128,64' };
const first: Stack = { layers: 2, dim: 192, key: 128, value: 48, left: 128, half: 15 };
const second: Stack = { layers: 1, dim: 256, key: 256, value: 96, left: 64, half: 7 };

describe('correctStateMetadata', () => {
  it('leaves alone what is true', () => {
    const own = model(zipformer2([first, second]), stated);
    expect(correctStateMetadata(own)).toMatchObject({ corrected: [] });
    expect(entriesOf(correctStateMetadata(own).model)).toEqual(stated);
  });

  it('gives a pruned zipformer its new widths, and fewer heads where that alone explains its states', () => {
    const pruned = model(zipformer2([{ ...first, dim: 160 }, { ...second, key: 160, value: 60 }]), stated);
    const { model: corrected, corrected: changes } = correctStateMetadata(pruned);
    expect(entriesOf(corrected)).toEqual({ ...stated, encoder_dims: '160,256', num_heads: '4,5' });
    expect(changes).toEqual([{ key: 'encoder_dims', from: '192,256', to: '160,256' }, { key: 'num_heads', from: '4,8', to: '4,5' }]);
  });

  it('gives narrower heads where fewer ones would not explain the states', () => {
    const pruned = model(zipformer2([{ ...first, key: 80, value: 44 }, second]), stated);
    expect(entriesOf(correctStateMetadata(pruned).model)).toMatchObject({ num_heads: '4,8', query_head_dims: '20,32', value_head_dims: '11,12' });
  });

  it('knows the states of the other families', () => {
    const cases: readonly [string, Record<string, string>, Record<string, (number | string)[]>, Record<string, string>][] = [
      ['lstm', { num_encoder_layers: '12', rnn_hidden_size: '1024', d_model: '512', T: '9', decode_chunk_len: '4' }, { x: ['N', 9, 80], h: [12, 'N', 320], c: [12, 'N', 700] }, { rnn_hidden_size: '700', d_model: '320' }],
      ['conformer', { num_encoder_layers: '12', encoder_dim: '512', left_context: '64', cnn_module_kernel: '31', pad_length: '7' }, { x: ['N', 'T', 80], attn_cache: [12, 64, 'N', 480], cnn_cache: [12, 30, 'N', 480] }, { encoder_dim: '480' }],
      ['zipformer', { encoder_dims: '384,320', attention_dims: '192,128', num_encoder_layers: '2,4', cnn_module_kernels: '31,31', left_context_len: '64,32' }, { x: ['N', 39, 80], cached_avg_0: [2, 'N', 300], cached_avg_1: [4, 'N', 320], cached_key_0: [2, 64, 'N', 96], cached_key_1: [4, 32, 'N', 128], cached_conv1_0: [2, 'N', 300, 30], cached_conv1_1: [4, 'N', 320, 30] }, { encoder_dims: '300,320', attention_dims: '96,128' }],
      ['wenet_ctc', { head: '4', num_blocks: '12', output_size: '256', cnn_module_kernel: '15', vocab_size: '9', subsampling_factor: '4' }, { x: ['N', 'T', 80], attn_cache: [12, 3, 'C', 128], cnn_cache: [12, 1, 192, 14] }, { head: '3', output_size: '192', vocab_size: '5' }],
      ['EncDecHybridRNNTCTCBPEModel', { cache_last_channel_dim1: '17', cache_last_channel_dim2: '70', cache_last_channel_dim3: '512', cache_last_time_dim1: '17', cache_last_time_dim2: '512', cache_last_time_dim3: '8', vocab_size: '7', window_size: '57' }, { x: ['N', 80, 'T'], cache_last_channel: ['N', 17, 70, 400], cache_last_time: ['N', 17, 400, 8] }, { cache_last_channel_dim3: '400', cache_last_time_dim2: '400', vocab_size: '4' }],
    ];
    for (const [type, before, inputs, changes] of cases) expect(entriesOf(correctStateMetadata(model(inputs, { model_type: type, ...before })).model), type).toEqual({ model_type: type, ...before, ...changes });
  });

  it.each<[string, RegExp, Model]>([
    ['layers of one stack have different widths', /'encoder_dims' \(192,256\): the layers of stack 0 have different sizes now \(192, 100\)/, model({ ...zipformer2([first, second]), cached_conv1_1: ['N', 100, 15], cached_nonlin_attn_1: [1, 'N', 128, 75] }, stated)],
    ['fewer heads and narrower ones both explain the states', /'num_heads'.*fewer heads and narrower ones both explain/, model(zipformer2([{ ...first, key: 64, value: 24 }, second]), stated)],
    ['layers are missing', /'num_encoder_layers' \(2,1\): it counts 3 layers, and the graph has the states of 2/, model(zipformer2([{ ...first, layers: 1 }, second]), stated)],
    ['a size that sherpa-onnx derives was pruned by itself', /'encoder_dims': sherpa-onnx makes cached_nonlin_attn_0 three quarters of 192 wide, that is 144, and the graph wants 120/, model({ ...zipformer2([first, second]), cached_nonlin_attn_0: [1, 'N', 128, 120] }, stated)],
    ['a size is open', /'d_model' \(512\): the graph does not fix axis 2 of an input 'h'/, model({ x: ['N', 9, 80], h: [12, 'N', 'D'], c: [12, 'N', 1024] }, { model_type: 'lstm', d_model: '512' })],
    ['an entry is not known', /'joiner_dim' \(512\): it may be a size/, model({ x: ['N', 9, 80] }, { model_type: 'lstm', joiner_dim: '512' })],
    ['nothing says what the entries mean', /'encoder_dims': there is no 'model_type'/, model({ x: ['N', 9, 80] }, { encoder_dims: '192,256' })],
  ])('refuses, naming the entries, when %s', (_, message, own) => {
    expect(() => correctStateMetadata(own)).toThrow(expect.objectContaining({ code: 'COPPICE_TARGET_REFUSED', message: expect.stringMatching(message) }));
    expect(stateRefusals(own).join('\n')).toMatch(message);
  });

  it('has nothing to say about models whose metadata speak of no states', () => {
    expect(stateRefusals(buildReferenceModel({ hidden: 4, layers: 1 }))).toEqual([]);
  });
});
