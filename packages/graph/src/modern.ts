import { create } from '@bufbuild/protobuf';
import { attributeValue, float, makeAttribute, type AttributeInput } from './attribute-values.ts';
import { opsetOf } from './check.ts';
import { makeInitializer, withFields } from './edit.ts';
import { CoppiceError } from './errors.ts';
import { freshNames, valueNames } from './fresh-names.ts';
import { OperatorSetIdProtoSchema, type AttributeProto, type GraphProto, type NodeProto, type TensorProto } from './gen/onnx_pb.js';
import { graphOf, type Model } from './model.ts';
import { normaliseNode, type Operand } from './normalise.ts';
import type { AttributeValue } from './operator-schema.ts';
import { domainOf, isOperatorName, schemaOf } from './operators.ts';
import { upgradeModel } from './upgrade.ts';

/** The opset of `toModernOpset`: in it, attributes and operands of all operators have their newest form. */
export const modernOpset = 21;

/**
 * The same model with all nodes, also those of bodies, in the newest form of their operators: opset 21, or that of the file if it is
 * newer. What was an attribute becomes an initializer; names of values and the order of nodes stay. Models that no runtime takes are upgraded first.
 * @param rankOf rank of a value of the main graph where it is known; an old Softmax needs it
 * @throws CoppiceError `COPPICE_UNSUPPORTED_OPSET` for an old form that the newest one cannot say
 */
export function toModernOpset(old: Model, rankOf: (value: string) => number | undefined = () => undefined): Model {
  const opset = opsetOf(old.proto);
  if (opset >= modernOpset) return old;
  const model = upgradeModel(old);
  const graph = modernGraph(graphOf(model), { opset: opsetOf(model.proto), fresh: freshNames(valueNames(graphOf(model))), rankOf });
  const others = model.proto.opsetImport.filter((set) => domainOf(set) !== '');
  const opsetImport = [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(modernOpset) }), ...others];
  return { ...model, proto: withFields(model.proto, { graph, opsetImport, irVersion: model.proto.irVersion < fileFormat ? fileFormat : model.proto.irVersion }) };
}

/** The first version of the file format with opset 21. */
const fileFormat = 10n;

interface Surroundings {
  readonly opset: number;
  readonly fresh: (wanted: string) => string;
  readonly rankOf: (value: string) => number | undefined;
}

function modernGraph(graph: GraphProto, around: Surroundings): GraphProto {
  const added: TensorProto[] = [];
  const node = graph.node.map((old) => withBodies(isStandard(old) ? modernNode(old, around, added) : old, around));
  return withFields(graph, { node, ...(added.length > 0 && { initializer: [...graph.initializer, ...added] }) });
}

const withBodies = (node: NodeProto, around: Surroundings): NodeProto =>
  (node.attribute.some(({ g }) => g) ? withFields(node, { attribute: node.attribute.map((a) => (a.g ? withFields(a, { g: modernGraph(a.g, around) }) : a)) }) : node);

/** Operators of ONNX that may have another form than today's. */
const isStandard = (node: NodeProto): boolean => domainOf(node) === '' && node.opType !== 'Constant' && (isOperatorName(node.opType) || node.opType === 'Scatter' || node.opType === 'Upsample');

function modernNode(old: NodeProto, { opset, fresh, rankOf }: Surroundings, added: TensorProto[]): NodeProto {
  const { op, operands, attributes, legacy: { flattenFrom, ...legacy } } = normaliseNode(old, opset, () => undefined);
  // Softmax over the last axis is the same before and after opset 13.
  const rank = flattenFrom === undefined ? undefined : rankOf(old.input[0]);
  const meaning = flattenFrom !== undefined && flattenFrom + 1 !== rank ? 'flattenFrom' : Object.keys(legacy)[0];
  if (meaning !== undefined) throw new CoppiceError('COPPICE_UNSUPPORTED_OPSET', `${old.opType} '${old.name || old.output[0]}' of opset ${opset} means something that newer forms cannot say (${meaning}). Export the model again with opset 13 or later.`);
  const input = operands.map((operand) => {
    if (operand?.value !== undefined) return operand.value;
    if (!operand) return '';
    const tensor = operandTensor(fresh(`${old.output[0]}/${operand.source.name}`), op, operand);
    added.push(tensor);
    return tensor.name;
  });
  const stated = new Map(old.attribute.map((attribute) => [attribute.name, attribute]));
  const attribute = Object.entries(attributes).filter(([name, value]) => stated.has(name) || !isDefault(op, name, value))
    .map(([name, value]) => (isUnchanged(stated.get(name), value) ? stated.get(name)! : remade(op, name, value)));
  return withFields(old, { opType: op, input, attribute });
}

/** What goes without saying; some defaults belong to attributes that are newer than opset 21. */
function isDefault(op: string, name: string, value: AttributeValue): boolean {
  const form = schemaOf('', op)?.attributes[name];
  return typeof form === 'object' && String(form[1]) === String(value);
}

/** Attributes that the newest form changes are integers, lists of integers and words. */
const isUnchanged = (attribute: AttributeProto | undefined, value: AttributeValue): boolean =>
  attribute !== undefined && (attribute.refAttrName !== '' || !(typeof value === 'number' || typeof value === 'string') || attributeValue(attribute) === value || Number(attributeValue(attribute)) === value);

function remade(op: string, name: string, value: AttributeValue): AttributeProto {
  const form = schemaOf('', op)?.attributes[name];
  const kind = typeof form === 'string' ? form : form?.[0];
  return makeAttribute(name, kind?.startsWith('float') ? float(value as number | readonly number[]) : (value as AttributeInput));
}

/** Operands that are single numbers, and those that are floats. */
const SINGLE: Readonly<Record<string, readonly string[]>> = { Clip: ['min', 'max'], Dropout: ['ratio'], Pad: ['value'], DFT: ['axis'] };
const FLOATS = new Set(['Clip/min', 'Clip/max', 'Dropout/ratio', 'Pad/value', 'Resize/scales', 'Resize/height_scale']);

function operandTensor(name: string, op: string, { constant, source }: Extract<Operand, { readonly source: { readonly kind: 'attribute' } }>): TensorProto {
  const dims = SINGLE[op]?.includes(source.name) ? [] : [constant.length];
  return FLOATS.has(`${op}/${source.name}`) ? makeInitializer(name, 'float32', dims, Float32Array.from(constant)) : makeInitializer(name, 'int64', dims, constant);
}
