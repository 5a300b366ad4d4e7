import { CoppiceError, graphOf, type Model, type ValueInfoProto } from '@coppice/graph';
import { withMetadata } from '../../features-in-graph/surround.ts';
import { metadataOf } from './metadata.ts';

/** An entry that was changed. */
export interface CorrectedEntry {
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

/** Sizes of an input or output by its name; undefined where it is open, or there is no such port. */
interface Ports {
  input(name: string): Sizes | undefined;
  output(name?: string): Sizes | undefined;
  readonly inputs: readonly string[];
}
type Sizes = readonly (number | undefined)[];

/** What an entry must be now, or a sentence why that cannot be said. */
type Derived = readonly number[] | string;
/** @param stated the numbers that the entry has */
type Rule = (ports: Ports, stated: readonly number[], entries: (key: string) => readonly number[]) => Derived;

/** One number: an axis of a state. */
const sizeOf = (input: string, axis: number, from: (size: number, stated: number) => number = (size) => size): Rule => (ports, [stated]) => {
  const size = ports.input(input)?.[axis];
  return size === undefined ? `the graph does not fix axis ${axis} of an input '${input}'` : [from(size, stated)];
};

/** A number for each stack, from one input of each. */
const stacks = (input: string, axis: number, from: (size: number, stated: number) => number = (size) => size): Rule => (ports, stated) => {
  const sizes = stated.map((_, stack) => ports.input(`${input}_${stack}`)?.[axis]);
  const open = sizes.indexOf(undefined);
  return open >= 0 ? `the graph does not fix axis ${axis} of an input '${input}_${open}'` : sizes.map((size, stack) => from(size!, stated[stack]));
};

/** A number for each stack, from the inputs of all its layers, which are counted on from stack to stack; they must agree. */
const layers = (input: string, axis: number, from: (size: number, stated: number) => number = (size) => size): Rule => (ports, stated, entries) => {
  const derived: number[] = [];
  for (const [stack, numbers] of layersOf(entries('num_encoder_layers')).entries()) {
    const sizes = new Set(numbers.map((layer) => ports.input(`${input}_${layer}`)?.[axis]));
    const [size] = sizes;
    if (size === undefined) return `the graph does not fix axis ${axis} of the inputs '${input}_${numbers[0]}' to '${input}_${numbers.at(-1)!}'`;
    if (sizes.size > 1) return `the layers of stack ${stack} have different sizes now (${[...sizes].join(', ')}), and there is one number for all of them`;
    derived.push(from(size, stated[stack]));
  }
  return derived;
};

const layersOf = (counts: readonly number[]): number[][] => {
  let next = 0;
  return counts.map((count) => Array.from({ length: count }, () => next++));
};

/** The kernel of which the graph keeps half, rounded down: the stated one where that is its half. */
const kernelFromHalf = (half: number, stated: number): number => (Math.floor(stated / 2) === half ? stated : 2 * half + 1);

/** Heads and their widths, of which the states have the products alone: unchanged, fewer heads, or narrower ones, where only one of these explains both products. */
const headsOrWidths = (pick: 'heads' | 'keys' | 'values'): Rule => (ports, stated, entries) => {
  const [heads, keys, values] = [entries('num_heads'), entries('query_head_dims'), entries('value_head_dims')];
  const products = ['cached_key', 'cached_val1'].map((input) => layers(input, 2)(ports, stated, entries));
  const fault = products.find((each) => typeof each === 'string');
  if (fault !== undefined) return fault;
  const [ofKeys, ofValues] = products as [readonly number[], readonly number[]];
  const derived: number[] = [];
  for (const stack of heads.keys()) {
    const [h, k, v, keySize, valueSize] = [heads[stack], keys[stack], values[stack], ofKeys[stack], ofValues[stack]];
    const fewer = keySize % k === 0 && keySize / k === valueSize / v;
    const narrower = keySize % h === 0 && valueSize % h === 0;
    if (h * k === keySize && h * v === valueSize) derived.push({ heads: h, keys: k, values: v }[pick]);
    else if (fewer === narrower) return `the states of stack ${stack} are ${keySize} and ${valueSize} wide now, which ${fewer ? 'fewer heads and narrower ones both explain' : `${h} heads of ${k} and ${v} do not explain, nor fewer, nor narrower ones`}`;
    else derived.push(fewer ? { heads: keySize / k, keys: k, values: v }[pick] : { heads: h, keys: keySize / h, values: valueSize / h }[pick]);
  }
  return derived;
};

/** As many layers as there are states; layers are not taken out by pruning. */
const countedLayers: Rule = (ports, stated) => {
  const count = ports.inputs.filter((name) => /^cached_key_\d+$/.test(name)).length;
  const sum = stated.reduce((a, b) => a + b, 0);
  return sum === count ? stated : `it counts ${sum} layers, and the graph has the states of ${count}`;
};

/** Classes of the first output, the last axis. */
const classes = (less = 0): Rule => (ports) => {
  const size = ports.output()?.at(-1);
  return size === undefined ? 'the graph does not fix the classes of its first output' : [size - less];
};

/** Entries by `model_type` that say sizes of the graph, and what they must be. Of sherpa-onnx 1.13, its online and offline models. */
const rules: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  zipformer2: {
    encoder_dims: layers('cached_conv1', 1), num_heads: headsOrWidths('heads'), query_head_dims: headsOrWidths('keys'), value_head_dims: headsOrWidths('values'),
    num_encoder_layers: countedLayers, cnn_module_kernels: layers('cached_conv1', 2, kernelFromHalf), left_context_len: layers('cached_key', 0),
  },
  zipformer: {
    encoder_dims: stacks('cached_avg', 2), attention_dims: stacks('cached_key', 3), num_encoder_layers: stacks('cached_avg', 0), cnn_module_kernels: stacks('cached_conv1', 3, (size) => size + 1), left_context_len: stacks('cached_key', 1),
  },
  conformer: { num_encoder_layers: sizeOf('attn_cache', 0), left_context: sizeOf('attn_cache', 1), encoder_dim: sizeOf('attn_cache', 3), cnn_module_kernel: sizeOf('cnn_cache', 1, (size) => size + 1) },
  lstm: { num_encoder_layers: sizeOf('h', 0), d_model: sizeOf('h', 2), rnn_hidden_size: sizeOf('c', 2) },
  wenet_ctc: { head: sizeOf('attn_cache', 1), num_blocks: sizeOf('attn_cache', 0), output_size: sizeOf('cnn_cache', 2), cnn_module_kernel: sizeOf('cnn_cache', 3, (size) => size + 1), vocab_size: classes() },
  EncDecHybridRNNTCTCBPEModel: {
    ...Object.fromEntries(['channel', 'time'].flatMap((kind) => [1, 2, 3].map((axis) => [`cache_last_${kind}_dim${axis}`, sizeOf(`cache_last_${kind}`, axis)]))),
    // NeMo does not count the blank.
    vocab_size: classes(1),
  },
  tdnn: { vocab_size: classes() },
};

/** Entries that follow from others and that sherpa-onnx does not read: what it computes from `encoder_dims` alone must be so. */
const mustFollow: Readonly<Record<string, (ports: Ports, entries: (key: string) => readonly number[]) => string[]>> = {
  zipformer2: (ports, entries) => layersOf(entries('num_encoder_layers')).flatMap((numbers, stack) => {
    const [own, made] = [ports.input(`cached_nonlin_attn_${numbers[0]}`)?.[3], Math.floor((3 * entries('encoder_dims')[stack]) / 4)];
    return own === undefined || own === made ? [] : [`'encoder_dims': sherpa-onnx makes cached_nonlin_attn_${numbers[0]} three quarters of ${entries('encoder_dims')[stack]} wide, that is ${made}, and the graph wants ${own}`];
  }),
  wenet_ctc: (ports, entries) => {
    const [own, made] = [ports.input('attn_cache')?.[3], 2 * Math.floor((entries('output_size')[0] ?? 0) / (entries('head')[0] ?? 1))];
    return own === undefined || own === made ? [] : [`'head' and 'output_size': sherpa-onnx makes attn_cache ${made} wide, and the graph wants ${own}`];
  },
};

/** What pruning does not change: lengths in time, versions, context of decoders. */
const untouched = new Set(['T', 'decode_chunk_len', 'pad_length', 'context_size', 'window_size', 'chunk_shift', 'subsampling_factor', 'right_context', 'version', 'is_giga_am', 'is_causal', 'sos_id', 'eos_id', 'blank_id', 'sample_rate', 'feat_dim', 'chunk_size', 'reverse_decoder']);
const numbersOf = (text: string): number[] | undefined => (/^\d+(\s*,\s*\d+)*$/.test(text.trim()) ? text.split(',').map(Number) : undefined);

/**
 * A model whose metadata say again what its graph is: sherpa-onnx makes a model's states from these entries and ends the process, or
 * worse, where they are those of the model before pruning.
 * @returns the model, and what was changed; the model as it was where its metadata speak of no sizes
 * @throws CoppiceError `COPPICE_TARGET_REFUSED` naming the entries that cannot be derived from the graph
 */
export function correctStateMetadata(model: Model): { readonly model: Model; readonly corrected: readonly CorrectedEntry[] } {
  const { faults, corrected } = inspect(model);
  if (faults.length > 0) throw new CoppiceError('COPPICE_TARGET_REFUSED', `The model's metadata cannot be corrected after pruning:\n${faults.map((fault) => `  ${fault}`).join('\n')}\nKeep the widths that these entries speak of when pruning, or set them by hand.`);
  return { model: withMetadata(model, Object.fromEntries(corrected.map(({ key, to }) => [key, to]))), corrected };
}

/** Why the metadata of a model cannot be made true, a sentence each. */
export const stateRefusals = (model: Model): string[] => inspect(model).faults.map((fault) => `Metadata: ${fault}.`);

function inspect(model: Model): { readonly faults: readonly string[]; readonly corrected: readonly CorrectedEntry[] } {
  const type = metadataOf(model, 'model_type');
  const numeric = model.proto.metadataProps.flatMap(({ key, value }) => {
    const numbers = numbersOf(value);
    return numbers === undefined ? [] : [{ key, value, numbers }];
  });
  const own = type === undefined ? undefined : rules[type];
  if (own === undefined) {
    const known = new Set(Object.values(rules).flatMap((table) => Object.keys(table)));
    const sizes = numeric.filter(({ key }) => known.has(key));
    if (sizes.length === 0) return { faults: [], corrected: [] };
    return { faults: [`${sizes.map(({ key }) => `'${key}'`).join(', ')}: ${type === undefined ? 'there is no \'model_type\' that says what they mean' : `what they mean for the model type '${type}' is not known here`}`], corrected: [] };
  }
  const ports = portsOf(model);
  const entries = (key: string): readonly number[] => numeric.find((each) => each.key === key)?.numbers ?? [];
  const faults: string[] = [];
  const corrected: CorrectedEntry[] = [];
  for (const { key, value, numbers } of numeric) {
    if (untouched.has(key)) continue;
    const rule = own[key];
    const derived = rule === undefined ? `it may be a size, and what it means for '${type}' is not known here` : rule(ports, numbers, entries);
    if (typeof derived === 'string') faults.push(`'${key}' (${value}): ${derived}`);
    else if (derived.join() !== numbers.join()) corrected.push({ key, from: value, to: derived.join(',') });
  }
  const after = (key: string): readonly number[] => numbersOf(corrected.find((each) => each.key === key)?.to ?? '') ?? entries(key);
  if (faults.length === 0) faults.push(...mustFollow[type!]?.(ports, after) ?? []);
  return { faults, corrected };
}

function portsOf(model: Model): Ports {
  const { input, output } = graphOf(model);
  return {
    inputs: input.map(({ name }) => name),
    input: (name) => sizesOf(input.find((each) => each.name === name)),
    output: (name) => sizesOf(name === undefined ? output[0] : output.find((each) => each.name === name)),
  };
}

function sizesOf(value: ValueInfoProto | undefined): Sizes | undefined {
  const type = value?.type?.value;
  return type?.case === 'tensorType' ? type.value.shape?.dim.map((dim) => (dim.value.case === 'dimValue' ? Number(dim.value.value) : undefined)) : undefined;
}
