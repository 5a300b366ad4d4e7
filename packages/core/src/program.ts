import {
  attributeValue, dataTypes, graphOf, normaliseNode, opsetOf, toTensorProto,
  type GraphProto, type Model, type NodeProto, type NormalNode, type TensorProto,
} from '@coppice/graph';
import { linkBodies, type Link } from './control-flow.ts';
import type { Scope } from './scope.ts';
import { inferElementType } from './element-type.ts';

/** One value of the flattened graph: a graph input, an initializer, or an output of a node. */
export interface ProgramValue {
  readonly id: number;
  /** Its name in the file; values inside a body carry the path of the body in front, e.g. `If_3/then_branch/y`. */
  readonly name: string;
  readonly scope: Scope;
  /** Contents, when the file states them: an initializer or the tensor of a Constant node. */
  readonly tensor?: TensorProto;
  /** The Constant node whose attribute lists the numbers of `tensor`, which is then in no message of the file. */
  readonly listedBy?: NodeProto;
  /** ONNX element type number; 0 when it could not be told. */
  elementType: number;
  /** Depends on the data of a graph input (not merely on its shape). */
  tainted: boolean;
  /** Computed from weights: an ancestor is a tensor of more than one element and of a type that weights have. */
  weighted: boolean;
  /** Depends on the shape of another value. */
  shaped: boolean;
}

/** One node of the flattened graph, in an order in which every value is defined before it is used. */
export interface Step {
  readonly index: number;
  readonly scope: Scope;
  readonly proto: NodeProto;
  readonly node: NormalNode;
  /** Value ids by position of the newest form; -1 where an optional input is absent or its content came from an attribute. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** For If, Loop and Scan: how the values of the bodies meet those outside. */
  readonly link?: Link;
}

/** A model as a flat list of steps over integer value ids; bodies of If, Loop and Scan lie inline before their node. */
export interface Program {
  readonly model: Model;
  readonly opset: number;
  readonly values: readonly ProgramValue[];
  readonly steps: readonly Step[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

const RANDOM = new Set(['RandomNormal', 'RandomUniform', 'RandomNormalLike', 'RandomUniformLike', 'Multinomial', 'Bernoulli']);
/** Element types of weights: floating point, and the integers of up to 8 bits that stand for them. */
const WEIGHTS = new Set<number>([dataTypes.float32, dataTypes.float16, dataTypes.float64, dataTypes.bfloat16, dataTypes.int8, dataTypes.uint8, dataTypes.int4, dataTypes.uint4]);

/**
 * Flattens a model. Node attributes and operands appear in the newest form of each operator, whatever the opset of the file.
 * @throws CoppiceError `COPPICE_MODEL_INVALID` when a node reads a value that nobody defines
 */
export function flattenModel(model: Model): Program {
  const opset = opsetOf(model.proto);
  const values: ProgramValue[] = [];
  const steps: Step[] = [];
  const newValue = (scope: Scope, name: string, facts: Partial<ProgramValue> = {}): number => {
    const id = values.length;
    values.push({ id, name: scope.path + name, scope, elementType: 0, tainted: false, weighted: false, shaped: false, ...facts });
    scope.names.set(name, id);
    return id;
  };
  const resolve = (scope: Scope | undefined, name: string): number => {
    for (let s = scope; s; s = s.parent) {
      const id = s.names.get(name);
      if (id !== undefined) return id;
    }
    return -1;
  };
  const addTensor = (scope: Scope, name: string, tensor: TensorProto, listedBy?: NodeProto) =>
    newValue(scope, name, { tensor, listedBy, elementType: tensor.dataType, weighted: WEIGHTS.has(tensor.dataType) && tensor.dims.reduce((p, d) => p * Number(d), 1) > 1 });

  const addScope = (graph: GraphProto, path: string, parent: Scope | undefined): Scope => {
    const scope: Scope = { path, graph, parent, names: new Map() };
    for (const tensor of graph.initializer) addTensor(scope, tensor.name, tensor);
    for (const info of graph.input) {
      if (scope.names.has(info.name)) continue;
      const type = info.type?.value;
      newValue(scope, info.name, { elementType: type?.case === 'tensorType' ? type.value.elemType : 0, tainted: true });
    }
    for (const proto of graph.node) addNode(scope, proto);
    return scope;
  };

  const addNode = (scope: Scope, proto: NodeProto): void => {
    if (proto.opType === 'Constant' && isDefault(proto.domain)) {
      const tensor = constantTensor(proto);
      if (tensor) {
        addTensor(scope, proto.output[0], tensor, proto.attribute[0].t ? undefined : proto);
        return;
      }
    }
    const bodies = proto.attribute.filter((a) => a.g).map((a) => ({ attribute: a.name, scope: addScope(a.g!, `${scope.path}${proto.name || proto.output[0]}/${a.name}/`, scope) }));
    const node = normaliseNode(proto, opset, () => undefined);
    const inputs = node.operands.map((operand) => (operand?.value ? resolve(scope, operand.value) : -1));
    const sources = inputs.filter((id) => id >= 0).map((id) => values[id]);
    const measures = isDefault(proto.domain) && (proto.opType === 'Shape' || proto.opType === 'Size');
    const control = bodies.length > 0;
    const facts = {
      tainted: control || RANDOM.has(proto.opType) || (!measures && sources.some((v) => v.tainted)),
      weighted: !measures && (proto.opType === 'DequantizeLinear' || sources.some((v) => v.weighted)),
      shaped: measures || sources.some((v) => v.shaped),
    };
    const outputs = proto.output.map((name, k) =>
      name === '' ? -1 : newValue(scope, name, { ...facts, elementType: inferElementType(node, inputs.map((id) => (id < 0 ? 0 : values[id].elementType)), k) }));
    const link = control ? linkBodies(node, inputs, outputs, bodies) : undefined;
    // What comes out of a body has the type that it has inside.
    for (const { outer, inner } of link?.pairs ?? []) if (values[outer].elementType === 0) values[outer].elementType = values[inner].elementType;
    steps.push({ index: steps.length, scope, proto, node, inputs, outputs, link });
  };

  const main = addScope(graphOf(model), '', undefined);
  const initializers = new Set(graphOf(model).initializer.map((t) => t.name));
  return {
    model, opset, values, steps,
    inputs: graphOf(model).input.filter((i) => !initializers.has(i.name)).map((i) => main.names.get(i.name)!),
    outputs: graphOf(model).output.map((o) => resolve(main, o.name)),
  };
}

/** Whether a domain is that of the ONNX standard operators. */
export const isDefault = (domain: string): boolean => domain === '' || domain === 'ai.onnx';

function constantTensor(proto: NodeProto): TensorProto | undefined {
  const attribute = proto.attribute[0];
  if (!attribute) return undefined;
  if (attribute.t) return attribute.t;
  const value = attributeValue(attribute);
  const numbers = typeof value === 'number' ? [value] : Array.isArray(value) && value.every((v) => typeof v === 'number') ? (value as number[]) : undefined;
  if (!numbers) return undefined;
  const dims = typeof value === 'number' ? [] : [numbers.length];
  return attribute.name.startsWith('value_int')
    ? toTensorProto(proto.output[0], { dtype: 'int64', dims, data: BigInt64Array.from(numbers, BigInt) })
    : toTensorProto(proto.output[0], { dtype: 'float32', dims, data: Float32Array.from(numbers) });
}
