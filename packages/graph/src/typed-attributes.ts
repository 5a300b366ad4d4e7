import { attributeValue } from './attribute-values.ts';
import { withFields } from './edit.ts';
import { AttributeProto_AttributeType as T } from './gen/onnx_pb.js';
import type { AttributeProto, NodeProto } from './gen/onnx_pb.js';
import type { AttributeValue } from './operator-schema.ts';

/**
 * The attribute with its type stated. Files of IR version 1 leave it out, and then the field that is filled tells it;
 * INTS where none is, as an empty list leaves no trace in a file.
 */
export function typedAttribute(attribute: AttributeProto): AttributeProto {
  return attribute.type === T.UNDEFINED && attribute.refAttrName === '' ? withFields(attribute, { type: filledType(attribute) }) : attribute;
}

function filledType(attribute: AttributeProto): T {
  // The defaults of unset fields lie in the prototype.
  if (Object.hasOwn(attribute, 'i')) return T.INT;
  if (Object.hasOwn(attribute, 'f')) return T.FLOAT;
  if (Object.hasOwn(attribute, 's')) return T.STRING;
  if (attribute.t) return T.TENSOR;
  if (attribute.g) return T.GRAPH;
  if (attribute.floats.length > 0) return T.FLOATS;
  if (attribute.strings.length > 0) return T.STRINGS;
  if (attribute.tensors.length > 0) return T.TENSORS;
  if (attribute.graphs.length > 0) return T.GRAPHS;
  return T.INTS;
}

/**
 * All attributes of a node by name, without those that stand for an argument of the surrounding function. Integers that no double
 * holds exactly are rounded: they only occur as "to the end" in Slice.
 */
export function readAttributes(node: NodeProto): Record<string, AttributeValue | undefined> {
  const attributes: Record<string, AttributeValue | undefined> = {};
  for (const attribute of node.attribute.map(typedAttribute)) {
    if (attribute.refAttrName !== '') continue;
    if (attribute.type === T.INT) attributes[attribute.name] = Number(attribute.i);
    else if (attribute.type === T.INTS) attributes[attribute.name] = attribute.ints.map(Number);
    else attributes[attribute.name] = attributeValue(attribute);
  }
  return attributes;
}
