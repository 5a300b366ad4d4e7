import { create } from '@bufbuild/protobuf';
import { float, makeAttribute, type AttributeInput } from './attribute-values.ts';
import { makeInitializer, makeNode, withFields } from './edit.ts';
import { CoppiceError } from './errors.ts';
import { freshNames, valueNames } from './fresh-names.ts';
import { OperatorSetIdProtoSchema, TensorProto_DataType } from './gen/onnx_pb.js';
import type { GraphProto, NodeProto, TensorProto } from './gen/onnx_pb.js';
import { graphOf } from './model.ts';
import type { Model } from './model.ts';
import { domainOf, isOperatorName, operators } from './operators.ts';
import type { OperatorName } from './operators.ts';
import { inferRanks } from './ranks.ts';
import type { Ranks } from './ranks.ts';
import type { DataType } from './tensor.ts';
import { readTensor } from './tensors.ts';
import { readAttributes, typedAttribute } from './typed-attributes.ts';

/** The oldest opset that runtimes still run. */
const oldestRunnable = 7;
/** What older ones become: the last opset in which Slice, Pad, Clip, TopK and Dropout are as they were at first. */
const target = 9;

/** What a rule may ask of the graph around its node. */
interface Surroundings {
  readonly opset: number;
  readonly ranks: Ranks;
  /** Elements of a numeric initializer. */
  contentsOf(value: string): readonly number[] | undefined;
  addInitializer(wantedName: string, dtype: DataType, values: readonly number[]): string;
  freshName(wanted: string): string;
}

/** One old node as the nodes that do the same in opset 9. */
type Rule = (node: NodeProto, around: Surroundings) => NodeProto | readonly NodeProto[];

/**
 * A model of opset 1 to 6, or of 2017 with no opset at all, as one that today's runtimes run: opset 9, file format 4.
 * All values and initializers keep their names; alignments, shapes and scales that were attributes become nodes and initializers.
 * Initializers leave the list of inputs, in which files of that time had to repeat them. Any other model comes back as it is.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_OPSET` for an operator that opset 9 does not have, or a form of one that it cannot say
 */
export function upgradeModel(model: Model): Model {
  const { proto } = model;
  const imported = proto.opsetImport.find((set) => domainOf(set) === '');
  if (!imported && (proto.irVersion >= 3n || proto.opsetImport.length > 0)) return model;
  const opset = Number(imported?.version ?? 1n);
  if (opset >= oldestRunnable) return model;

  const graph = graphOf(model);
  const freshName = freshNames(valueNames(graph));
  const added: TensorProto[] = [];
  const around: Surroundings = {
    opset,
    ranks: new Map(),
    contentsOf(value) {
      const tensor = graph.initializer.find(({ name }) => name === value);
      return tensor && Array.from(readTensor(model, tensor).data, Number);
    },
    addInitializer(wantedName, dtype, values) {
      const name = freshName(wantedName);
      added.push(makeInitializer(name, dtype, [values.length], values));
      return name;
    },
    freshName,
  };
  const upgraded = upgradeGraph(graph, around);
  const constants = new Set(proto.irVersion < 4n ? graph.initializer.map(({ name }) => name) : []);
  const others = proto.opsetImport.filter((set) => set !== imported);
  return {
    ...model,
    proto: withFields(proto, {
      irVersion: proto.irVersion < 4n ? 4n : proto.irVersion,
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(target) }), ...others],
      graph: withFields(upgraded, {
        initializer: [...upgraded.initializer, ...added],
        input: upgraded.input.filter(({ name }) => !constants.has(name)),
      }),
    }),
  };
}

function upgradeGraph(graph: GraphProto, around: Surroundings): GraphProto {
  const inside = { ...around, ranks: inferRanks(graph, around.ranks) };
  return withFields(graph, { node: graph.node.flatMap((node) => upgradeNode(node, inside)) });
}

function upgradeNode(node: NodeProto, around: Surroundings): NodeProto | readonly NodeProto[] {
  if (domainOf(node) !== '') return node;
  const { opType } = node;
  if (!isOperatorName(opType) || operators[opType].since[0] > target) throw unsupported(node, around, 'no operator set has it, or only a later one');
  // In opset 1 any operator could name inputs it may overwrite; no runtime ever asked.
  const attribute = node.attribute.filter(({ name }) => name !== 'consumed_inputs').map(typedAttribute);
  const typed = withFields(node, { attribute: attribute.map((a) => (a.g ? withFields(a, { g: upgradeGraph(a.g, around) }) : a)) });
  return rules[opType]?.(typed, around) ?? typed;
}

const without = (node: NodeProto, ...names: readonly string[]): NodeProto =>
  withFields(node, { attribute: node.attribute.filter(({ name }) => !names.includes(name)) });

const withAttribute = (node: NodeProto, name: string, value: AttributeInput): NodeProto =>
  withFields(node, { attribute: [...without(node, name).attribute, makeAttribute(name, value)] });

const unsupported = (node: NodeProto, { opset }: Surroundings, why: string): CoppiceError =>
  new CoppiceError('COPPICE_UNSUPPORTED_OPSET', `${node.opType} '${node.name || node.output[0]}' of opset ${opset} cannot be brought to opset ${target}: ${why}. Export the model again with opset 9 or later.`);

/** Appends as many axes of size 1 to the second operand as follow behind its place in the first one. */
function alignSecond(node: NodeProto, around: Surroundings, axis: number): readonly NodeProto[] {
  const [first, second] = node.input;
  const [rank, ownRank] = [around.ranks.get(first), around.ranks.get(second)];
  if (ownRank === 0) return [node];
  if (rank === undefined || ownRank === undefined) {
    throw unsupported(node, around, `it aligns its operands at axis ${axis}, and the number of axes of '${rank === undefined ? first : second}' is not known; a value_info entry with its shape would tell`);
  }
  const trailing = rank - (axis < 0 ? axis + rank : axis) - ownRank;
  if (trailing <= 0) return [node];
  const aligned = around.freshName(`${second}_aligned`);
  const axes = Array.from({ length: trailing }, (_, k) => ownRank + k);
  return [
    makeNode({ op: 'Unsqueeze', name: around.freshName(`${node.name || node.output[0]}_align`), inputs: [second], outputs: [aligned], attributes: { axes } }),
    withFields(node, { input: [first, aligned] }),
  ];
}

/** Opset 7: operands broadcast as in NumPy, from the last axis on. */
const broadcast: Rule = (node, around) => {
  const { broadcast, axis } = readAttributes(node);
  const plain = without(node, 'broadcast', 'axis');
  return broadcast === 1 && typeof axis === 'number' ? alignSecond(plain, around, axis) : plain;
};

/** Opset 7: all results of a recurrent operator are computed if they are named. */
const recurrent: Rule = (node) => without(node, 'output_sequence');

/** Exporters of 2017 wrote `dilations` before pooling had them, and one padding for both ends of an axis. */
const pool = (node: NodeProto, around: Surroundings): NodeProto => {
  const { dilations = [], kernel_shape: kernel = [], pads = [] } = readAttributes(node) as Readonly<Record<string, readonly number[]>>;
  if (dilations.some((d) => d !== 1)) throw unsupported(node, around, 'pooling has no dilations there');
  const plain = without(node, 'dilations');
  return pads.length > 0 && pads.length === kernel.length ? withAttribute(plain, 'pads', [...pads, ...pads]) : plain;
};

/** Opset 2: the order of the norm is an integer. */
const wholeNorm: Rule = (node) => {
  const { p } = readAttributes(node);
  return typeof p === 'number' ? withAttribute(node, 'p', Math.round(p)) : node;
};

/** Operators whose form changed between opset 1 and 9; all others are the same but for `consumed_inputs`. */
const rules: { readonly [N in OperatorName]?: Rule } = {
  Add: broadcast, Sub: broadcast, Mul: broadcast, Div: broadcast, Pow: broadcast,
  And: broadcast, Or: broadcast, Xor: broadcast, Equal: broadcast, Less: broadcast, Greater: broadcast,
  AveragePool: pool,
  /** Opset 7 and 9: one result means inference, and statistics are always those of channels. Nobody ran old exports in training mode, whatever `is_test` says. */
  BatchNormalization(node, around) {
    const { is_test: isTest, spatial } = readAttributes(node);
    if (spatial === 0) throw unsupported(node, around, 'it has statistics for each element (spatial = 0)');
    if (isTest !== 1 && node.output.slice(1).some((name) => name !== '')) throw unsupported(node, around, 'it is in training mode');
    return withFields(without(node, 'is_test', 'spatial'), { output: node.output.slice(0, 1) });
  },
  /** Opset 6: a data type is a number. */
  Cast(node, around) {
    const { to } = readAttributes(node);
    if (typeof to !== 'string') return node;
    const type = TensorProto_DataType[to.toUpperCase() as keyof typeof TensorProto_DataType];
    if (!type) throw unsupported(node, around, `'${to}' is not the name of a data type`);
    return withAttribute(node, 'to', type);
  },
  /** Opset 4: the axis must be given. */
  Concat: (node) => withAttribute(node, 'axis', readAttributes(node).axis ?? 1),
  /** Opset 7: never drops outside training. */
  Dropout: (node) => without(node, 'is_test'),
  /** Opset 7: C always broadcasts. */
  Gemm: (node) => without(node, 'broadcast'),
  GlobalLpPool: wholeNorm,
  GRU: recurrent,
  LpPool: (node, around) => wholeNorm(pool(node, around), around),
  LSTM: recurrent,
  MaxPool: pool,
  /** Opset 2: `paddings` is `pads`. */
  Pad(node) {
    const { paddings } = readAttributes(node);
    return paddings === undefined ? node : withAttribute(without(node, 'paddings'), 'pads', paddings);
  },
  /** Opset 7: the slopes broadcast; before they belonged to the channels. */
  PRelu(node, around) {
    const [, slope] = node.input;
    return around.ranks.get(slope) === 1 && around.contentsOf(slope)?.length !== 1 ? alignSecond(node, around, 1) : node;
  },
  /** Opset 5: the shape is an input. */
  Reshape(node, { addInitializer }) {
    const { shape } = readAttributes(node);
    if (!Array.isArray(shape)) return node;
    const name = addInitializer(`${node.output[0]}_shape`, 'int64', shape as readonly number[]);
    return withFields(without(node, 'shape'), { input: [node.input[0], name] });
  },
  RNN: recurrent,
  /** Opset 6: the constants got more digits. */
  Selu(node, { opset }) {
    if (opset >= 6) return node;
    const { alpha, gamma } = readAttributes(node);
    const explicit = alpha === undefined ? withAttribute(node, 'alpha', float(1.6732)) : node;
    return gamma === undefined ? withAttribute(explicit, 'gamma', float(1.0507)) : explicit;
  },
  /** Opset 2: the sizes are an attribute only, until opset 13. */
  Split(node, around) {
    if (around.opset > 1) return node;
    const { axis = 0, split } = readAttributes(node);
    const sizes = split ?? (node.input.length > 1 ? around.contentsOf(node.input[1]) : undefined);
    if (sizes === undefined && node.input.length > 1) throw unsupported(node, around, 'its sizes are computed');
    const plain = withFields(withAttribute(node, 'axis', axis), { input: [node.input[0]] });
    return sizes === undefined ? plain : withAttribute(plain, 'split', sizes);
  },
  /** Opset 6: a number of copies for each axis, instead of one axis and its copies. */
  Tile(node, around) {
    if (around.opset >= 6 || node.input.length < 3) return node;
    const [input, tiles, axis] = node.input;
    const [[copies] = [], [at] = [], rank] = [around.contentsOf(tiles), around.contentsOf(axis), around.ranks.get(input)];
    if (copies === undefined || at === undefined || rank === undefined) throw unsupported(node, around, 'its copies, its axis or the number of axes of its input are computed');
    const repeats = Array.from({ length: rank }, (_, k) => (k === at ? copies : 1));
    return withFields(node, { input: [input, around.addInitializer(`${node.output[0]}_repeats`, 'int64', repeats)] });
  },
  /** Opset 7 and 9: a scale for each axis, as an input. */
  Upsample(node, { addInitializer }) {
    const { height_scale: height, width_scale: width, mode } = readAttributes(node);
    if (typeof height !== 'number' || typeof width !== 'number') return node;
    const scales = addInitializer(`${node.output[0]}_scales`, 'float32', [1, 1, height, width]);
    const plain = withFields(without(node, 'height_scale', 'width_scale'), { input: [node.input[0], scales] });
    return mode === 'bilinear' ? withAttribute(plain, 'mode', 'linear') : plain;
  },
};
