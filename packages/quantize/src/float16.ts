import { flattenModel, type Program } from '@coppice/core';
import {
  attributeOf, CoppiceError, dataTypes, domainOf, freshNames, fromFloat32, graphOf, makeAttribute, makeNode, opsetOf, readTensor, toFloat32, toTensorProto, valueNames, withFields,
  type AttributeProto, type GraphProto, type Model, type NodeProto, type TensorProto, type ValueInfoProto,
} from '@coppice/graph';
import { dropUnread, prepareModel } from './prepare.ts';

export interface Float16Options {
  /** Inputs and outputs stay float32, with Casts behind and in front of them. Default true. */
  readonly keepIo?: boolean;
  /** Operators that stay in float32 besides those that have no float16 form, e.g. `['Softmax', 'ReduceMean']`. */
  readonly blocked?: readonly string[];
  /** Nodes that stay in float32, by name. */
  readonly keepFloat?: readonly string[];
  /** Told of numbers that float16 does not hold. */
  readonly onNote?: (note: string) => void;
}

/** Operators of ONNX without a float16 form, or whose float operands are not what they compute with. ONNX 1.23, type constraints. */
const WITHOUT_FLOAT16: ReadonlySet<string> = new Set([
  'BlackmanWindow', 'HammingWindow', 'HannWindow', 'MelWeightMatrix', 'DynamicQuantizeLinear', 'ImageDecoder', 'NonMaxSuppression', 'Range', 'Resize', 'RoiAlign', 'Upsample',
  'Multinomial', 'StringNormalizer', 'TfIdfVectorizer', 'QLinearConv', 'QLinearMatMul', 'DFT', 'STFT', 'Det', 'MaxUnpool', 'ReverseSequence', 'ConvInteger', 'MatMulInteger', 'CumSum',
]);
/** Scales may be float16 from here on. */
const HALF_SCALES = 19;

/**
 * A model that computes in float16: weights, constants and activations. Operators without such a form, and those that are blocked, stay in
 * float32 between Casts. Finite numbers beyond ±65504 become ±65504, which is what masks of −10³⁸ need. Half the bytes; faster only
 * where the runtime has the kernels: ONNX Runtime on the CPU puts Casts around most operators.
 * @throws CoppiceError `COPPICE_QUANTIZE_INVALID` for a model without float32, or names that no node has
 */
export function toFloat16(old: Model, options: Float16Options = {}): Model {
  const model = prepareModel(old);
  const program = flattenModel(model);
  checkNames(program, options.keepFloat ?? []);
  if (!program.values.some(({ elementType }) => elementType === dataTypes.float32)) throw new CoppiceError('COPPICE_QUANTIZE_INVALID', 'The model has no float32 values, so there is nothing to convert to float16. Ship it as it is.');
  const types = new Map(program.values.map(({ name, elementType }) => [name, elementType]));
  const conversion = new Conversion(model, types, options);
  const graph = conversion.main(graphOf(model), options.keepIo ?? true);
  conversion.tellLost(options.onNote);
  return dropUnread({ ...model, proto: withFields(model.proto, { graph }) });
}

function checkNames({ steps }: Program, names: readonly string[]): void {
  const known = new Set(steps.flatMap(({ proto }) => [proto.name, proto.output[0]]));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) throw new CoppiceError('COPPICE_QUANTIZE_INVALID', `No node is named ${unknown.map((name) => `'${name}'`).join(', ')}, so it cannot be kept in float.`);
}

const { float32: FLOAT, float16: HALF } = dataTypes;

class Conversion {
  readonly #model: Model;
  readonly #types: ReadonlyMap<string, number>;
  readonly #blocked: ReadonlySet<string>;
  readonly #kept: ReadonlySet<string>;
  readonly #fresh: (wanted: string) => string;
  readonly #opset: number;
  /** What a MatMul reads. */
  readonly #multiplied: ReadonlySet<string>;
  #clamped = 0;
  #vanished = 0;

  constructor(model: Model, types: ReadonlyMap<string, number>, { blocked = [], keepFloat = [] }: Float16Options) {
    this.#model = model;
    this.#types = types;
    this.#blocked = new Set([...WITHOUT_FLOAT16, ...blocked]);
    this.#kept = new Set(keepFloat);
    this.#fresh = freshNames(valueNames(graphOf(model)));
    this.#opset = opsetOf(model.proto);
    this.#multiplied = new Set(flattenModel(model).steps.flatMap(({ proto }) => (proto.opType === 'MatMul' ? proto.input : [])));
  }

  tellLost(onNote: ((note: string) => void) | undefined): void {
    if (this.#clamped > 0) onNote?.(`${this.#clamped} constants beyond ±65504 became ±65504.`);
    if (this.#vanished > 0) onNote?.(`${this.#vanished} constants below 6e-8 became zero.`);
  }

  /** The main graph; its inputs and outputs keep their types if asked. */
  main(graph: GraphProto, keepIo: boolean): GraphProto {
    const converted = this.#graph(graph, '', new Set());
    if (!keepIo) return converted;
    const before: NodeProto[] = [];
    const after: NodeProto[] = [];
    const names = new Map<string, string>();
    for (const [k, { name }] of graph.input.entries()) {
      if (!isFloat(graph.input[k])) continue;
      names.set(name, this.#fresh(`${name}/half`));
      before.push(cast(name, names.get(name)!, HALF));
    }
    for (const [k, { name }] of graph.output.entries()) {
      if (!isFloat(graph.output[k]) && this.#types.get(name) !== FLOAT) continue;
      const inner = names.get(name) ?? this.#fresh(`${name}/half`);
      names.set(name, inner);
      after.push(cast(inner, name, FLOAT));
    }
    const rename = (name: string): string => names.get(name) ?? name;
    // An initializer that is a result of the model keeps its name and its type.
    const tensors = converted.initializer.map((tensor) => (names.has(tensor.name) ? withFields(tensor, { name: rename(tensor.name) }) : tensor));
    return withFields(converted, { node: [...before, ...converted.node.map((node) => renamed(node, rename)), ...after], initializer: tensors, input: graph.input, output: graph.output });
  }

  /**
   * A graph in float16.
   * @param outer names of initializers around it that stay float32
   */
  #graph(graph: GraphProto, path: string, outer: ReadonlySet<string>): GraphProto {
    const floats = new Set([...outer, ...this.#onlyForBlocked(graph)]);
    const typeOf = (name: string): number => {
      for (let scope = path; ; scope = scope.slice(0, scope.lastIndexOf('/', scope.length - 2) + 1)) {
        const type = this.#types.get(scope + name);
        if (type !== undefined) return type;
        if (scope === '') return 0;
      }
    };
    const wide = new Map<string, string>();
    const node = graph.node.flatMap((n) => {
      if (n.attribute.some(({ g }) => g)) return [this.#withBodies(n, path, floats)];
      return this.#isBlocked(n) ? this.#between(n, typeOf, floats, wide) : [this.#halfNode(n)];
    });
    return withFields(graph, {
      node,
      initializer: graph.initializer.map((tensor) => (tensor.dataType === FLOAT && !floats.has(tensor.name) ? this.#half(tensor) : tensor)),
      input: graph.input.map(halfInfo), output: graph.output.map(halfInfo),
      valueInfo: [],
    });
  }

  #withBodies(node: NodeProto, path: string, floats: ReadonlySet<string>): NodeProto {
    const label = node.name || node.output[0];
    return withFields(node, { attribute: node.attribute.map((a) => (a.g ? withFields(a, { g: this.#graph(a.g, `${path}${label}/${a.name}/`, floats) }) : a)) });
  }

  #isBlocked(node: NodeProto): boolean {
    // ONNX Runtime 1.30 (native, level "all") crashes while it loads a float16 Transpose in front of a MatMul that it computes in float32.
    if (node.opType === 'Transpose' && this.#multiplied.has(node.output[0])) return true;
    if (this.#blocked.has(node.opType) || this.#kept.has(node.name) || this.#kept.has(node.output[0])) return true;
    if (domainOf(node) !== '') return /Quantize|QLinear|Integer|NBits|^Q[A-Z]/.test(node.opType);
    return this.#opset < HALF_SCALES && (node.opType === 'QuantizeLinear' || node.opType === 'DequantizeLinear');
  }

  /** Initializers that nothing but blocked nodes of this graph reads. */
  #onlyForBlocked(graph: GraphProto): Set<string> {
    const [blocked, others] = [new Set<string>(), new Set<string>(graph.output.map(({ name }) => name))];
    const visit = (nodes: readonly NodeProto[], inBody: boolean): void => {
      for (const node of nodes) {
        for (const name of node.input) (!inBody && this.#isBlocked(node) ? blocked : others).add(name);
        for (const { g } of node.attribute) if (g) {
          visit(g.node, true);
          for (const { name } of g.output) others.add(name);
        }
      }
    };
    visit(graph.node, false);
    return new Set(graph.initializer.filter(({ name, dataType }) => dataType === FLOAT && blocked.has(name) && !others.has(name)).map(({ name }) => name));
  }

  /** A node in float32 between Casts. */
  #between(node: NodeProto, typeOf: (name: string) => number, floats: ReadonlySet<string>, wide: Map<string, string>): NodeProto[] {
    const before: NodeProto[] = [];
    const after: NodeProto[] = [];
    const input = node.input.map((name) => {
      if (name === '' || floats.has(name) || typeOf(name) !== FLOAT) return name;
      if (!wide.has(name)) {
        wide.set(name, this.#fresh(`${name}/single`));
        before.push(cast(name, wide.get(name)!, FLOAT));
      }
      return wide.get(name)!;
    });
    const output = node.output.map((name) => {
      if (name === '' || typeOf(name) !== FLOAT) return name;
      const single = this.#fresh(`${name}/single`);
      after.push(cast(single, name, HALF));
      return single;
    });
    return [...before, withFields(node, { input, output }), ...after];
  }

  /** A node whose own constants and types are float16. */
  #halfNode(node: NodeProto): NodeProto {
    const replaced = node.attribute.map((a): AttributeProto => {
      if (a.t?.dataType === FLOAT) return withFields(a, { t: this.#half(a.t) });
      if ((a.name === 'to' || a.name === 'dtype' || a.name === 'output_dtype') && a.i === BigInt(FLOAT)) return withFields(a, { i: BigInt(HALF) });
      if (node.opType === 'Constant' && (a.name === 'value_float' || a.name === 'value_floats')) {
        const values = Float32Array.from(a.name === 'value_float' ? [a.f] : a.floats);
        return makeAttribute('value', this.#half(toTensorProto('', { dtype: 'float32', dims: a.name === 'value_float' ? [] : [values.length], data: values })));
      }
      return a;
    });
    const added = node.opType === 'ConstantOfShape' && !attributeOf(node, 'value') ? [makeAttribute('value', toTensorProto('', { dtype: 'float16', dims: [1], data: new Uint16Array(1) }))]
      : (node.opType === 'RandomNormal' || node.opType === 'RandomUniform') && !attributeOf(node, 'dtype') ? [makeAttribute('dtype', HALF)] : [];
    return withFields(node, { attribute: [...replaced, ...added] });
  }

  #half(tensor: TensorProto): TensorProto {
    const { dims, ...read } = readTensor(this.#model, tensor);
    const values = toFloat32({ dims, ...read }).map((x) => {
      if (Math.abs(x) > 65504 && Number.isFinite(x)) {
        this.#clamped++;
        return Math.sign(x) * 65504;
      }
      if (x !== 0 && Math.abs(x) < 2 ** -25) this.#vanished++;
      return x;
    });
    return toTensorProto(tensor.name, { dtype: 'float16', dims, data: fromFloat32(values, 'float16') });
  }
}

const isFloat = ({ type }: ValueInfoProto): boolean => type?.value.case === 'tensorType' && type.value.value.elemType === FLOAT;

const cast = (from: string, to: string, type: number): NodeProto => makeNode({ op: 'Cast', inputs: [from], outputs: [to], attributes: { to: type } });

function halfInfo(info: ValueInfoProto): ValueInfoProto {
  const type = info.type?.value;
  if (type?.case !== 'tensorType' || type.value.elemType !== FLOAT) return info;
  return withFields(info, { type: withFields(info.type!, { value: { case: 'tensorType', value: withFields(type.value, { elemType: HALF }) } }) });
}

function renamed(node: NodeProto, rename: (name: string) => string): NodeProto {
  const body = (graph: GraphProto): GraphProto => withFields(graph, { node: graph.node.map((n) => renamed(n, rename)), output: graph.output.map((o) => withFields(o, { name: rename(o.name) })) });
  return withFields(node, { input: node.input.map(rename), output: node.output.map(rename), attribute: node.attribute.map((a) => (a.g ? withFields(a, { g: body(a.g) }) : a)) });
}
