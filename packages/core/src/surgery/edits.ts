import {
  freshNames, graphOf, makeAttribute, makeInitializer, makeNode, valueNames, withFields,
  type AttributeInput, type DataType, type GraphProto, type Model, type NodeProto, type Payload, type TensorProto, type ValueInfoProto, type Values,
} from '@coppice/graph';

interface NodeEdit {
  readonly inputs: Map<number, string>;
  readonly outputs: Map<number, string>;
  readonly attributes: Map<string, AttributeInput | undefined>;
  readonly before: NodeProto[];
  readonly after: NodeProto[];
}

/** Changes to a model, collected and then made at once. Nodes and tensors are named by their messages in the model. */
export class GraphEdits {
  readonly fresh: (wanted: string) => string;
  private readonly model: Model;
  private readonly nodes = new Map<NodeProto, NodeEdit>();
  private readonly tensors = new Map<TensorProto, { tensor: TensorProto; payload?: Payload }>();
  private readonly added: { tensor: TensorProto; payload?: Payload }[] = [];
  private readonly shapes = new Map<GraphProto, Map<string, readonly number[]>>();
  private readonly stale = new Set<string>();
  private readonly unread = new Set<string>();

  constructor(model: Model) {
    this.model = model;
    this.fresh = freshNames(valueNames(graphOf(model)));
  }

  /** What a node reads at an input position. Positions past the end are filled with absent inputs. */
  setInput(node: NodeProto, index: number, name: string): void {
    this.edit(node).inputs.set(index, name);
  }

  /** The name that a node reads at an input position, earlier edits included. */
  inputOf(node: NodeProto, index: number): string {
    return this.nodes.get(node)?.inputs.get(index) ?? node.input[index];
  }

  setOutput(node: NodeProto, index: number, name: string): void {
    this.edit(node).outputs.set(index, name);
  }

  /** Takes the name of a result away, for something else to bear; a node that has only such results is gone. */
  freeOutput(node: NodeProto, index: number): void {
    const name = this.fresh(`${node.output[index]}/unread`);
    this.unread.add(name);
    this.setOutput(node, index, name);
  }

  /** The name of a result of a node, earlier edits included. */
  outputOf(node: NodeProto, index: number): string {
    return this.nodes.get(node)?.outputs.get(index) ?? node.output[index];
  }

  setAttribute(node: NodeProto, name: string, value: AttributeInput | undefined): void {
    this.edit(node).attributes.set(name, value);
  }

  insertBefore(node: NodeProto, inserted: NodeProto): void {
    this.edit(node).before.push(inserted);
  }

  insertAfter(node: NodeProto, inserted: NodeProto): void {
    this.edit(node).after.unshift(inserted);
  }

  /** Adds an initializer to the main graph, where bodies can see it too. */
  addTensor(tensor: TensorProto, payload?: Payload): void {
    this.added.push({ tensor, payload });
  }

  /** Adds a small literal and returns its name. */
  addConstant(wanted: string, dtype: DataType, dims: readonly number[], values: Values): string {
    const name = this.fresh(wanted);
    this.added.push({ tensor: makeInitializer(name, dtype, dims, values) });
    return name;
  }

  replaceTensor(old: TensorProto, tensor: TensorProto, payload?: Payload): void {
    this.tensors.set(old, { tensor, payload });
  }

  /** Declares another shape for an input or output of the main graph or of a body; a dimension of -1 stays as it was. */
  setShape(name: string, dims: readonly number[], graph: GraphProto = graphOf(this.model)): void {
    (this.shapes.get(graph) ?? this.shapes.set(graph, new Map()).get(graph)!).set(name, dims);
  }

  /** Drops the noted shape of an inner value that is no longer true. */
  forgetShape(name: string): void {
    this.stale.add(name);
  }

  /** The edited model. Nodes and initializers that nobody reads any more because of the edits are gone. */
  apply(): Model {
    const payloads = new Map(this.model.payloads ?? []);
    const used = new Set([...namesRead(graphOf(this.model)), ...this.unread]);
    const graph = this.rewrite(graphOf(this.model), payloads, true);
    const pruned = dropDead(graph, used);
    // In format 3, initializers have to be listed among the inputs; older formats are upgraded as a whole.
    const irVersion = this.added.length > 0 && this.model.proto.irVersion === 3n ? 4n : this.model.proto.irVersion;
    return { ...this.model, proto: withFields(this.model.proto, { irVersion, graph: pruned }), payloads };
  }

  private edit(node: NodeProto): NodeEdit {
    let edit = this.nodes.get(node);
    if (!edit) this.nodes.set(node, (edit = { inputs: new Map(), outputs: new Map(), attributes: new Map(), before: [], after: [] }));
    return edit;
  }

  private rewrite(graph: GraphProto, payloads: Map<TensorProto, Payload>, main: boolean): GraphProto {
    const swap = (tensor: TensorProto): TensorProto => {
      const found = this.tensors.get(tensor);
      if (!found) return tensor;
      payloads.delete(tensor);
      if (found.payload) payloads.set(found.tensor, found.payload);
      return found.tensor;
    };
    const initializers = graph.initializer.map(swap);
    if (main) {
      for (const { tensor, payload } of this.added) {
        initializers.push(tensor);
        if (payload) payloads.set(tensor, payload);
      }
    }
    const shaped = new Map(graph.initializer.map((old, k) => [old.name, initializers[k] === old ? undefined : initializers[k].dims.map(Number)]));
    const declared = this.shapes.get(graph);
    return withFields(graph, {
      initializer: initializers,
      node: graph.node.flatMap((node) => this.rewriteNode(node, payloads, swap)),
      input: graph.input.map((info) => rewriteInfo(info, shaped.get(info.name) ?? declared?.get(info.name))),
      output: graph.output.map((info) => rewriteInfo(info, declared?.get(info.name))),
      valueInfo: graph.valueInfo.filter((info) => !this.stale.has(info.name)),
    });
  }

  private rewriteNode(node: NodeProto, payloads: Map<TensorProto, Payload>, swap: (t: TensorProto) => TensorProto): NodeProto[] {
    const edit = this.nodes.get(node);
    let result = node;
    if (result.attribute.some((a) => a.g || (a.t && this.tensors.has(a.t)))) {
      result = withFields(result, { attribute: result.attribute.map((a) => (a.g ? withFields(a, { g: this.rewrite(a.g, payloads, false) }) : a.t ? withFields(a, { t: swap(a.t) }) : a)) });
    }
    if (!edit) return [result];
    if (edit.inputs.size > 0) {
      const input = [...result.input];
      for (const [index, name] of edit.inputs) {
        while (input.length < index) input.push('');
        input[index] = name;
      }
      result = withFields(result, { input });
    }
    if (edit.outputs.size > 0) result = withFields(result, { output: result.output.map((name, k) => edit.outputs.get(k) ?? name) });
    if (edit.attributes.size > 0) {
      const others = result.attribute.filter((a) => !edit.attributes.has(a.name));
      const made = [...edit.attributes].flatMap(([name, value]) => (value === undefined ? [] : makeAttribute(name, value)));
      result = withFields(result, { attribute: [...others, ...made] });
    }
    return [...edit.before, result, ...edit.after];
  }
}

function rewriteInfo(info: ValueInfoProto, dims: readonly number[] | undefined): ValueInfoProto {
  const type = info.type?.value;
  if (!dims || type?.case !== 'tensorType' || !type.value.shape) return info;
  const dim = type.value.shape.dim.map((d, a) => (dims[a] === undefined || dims[a] < 0 ? d : withFields(d, { value: { case: 'dimValue', value: BigInt(dims[a]) } })));
  const tensor = withFields(type.value, { shape: withFields(type.value.shape, { dim }) });
  return withFields(info, { type: withFields(info.type!, { value: { case: 'tensorType', value: tensor } }) });
}

/** Slice in the form that an opset has: bounds as attributes before 10, as inputs since. */
export function sliceNode(edits: GraphEdits, opset: number, input: string, output: string, axes: readonly number[], starts: readonly number[], ends: readonly number[]): NodeProto {
  const name = edits.fresh(`${output}/slice`);
  if (opset < 10) return makeNode({ op: 'Slice', name, inputs: [input], outputs: [output], attributes: { axes: [...axes], starts: [...starts], ends: [...ends] } });
  const operand = (what: string, values: readonly number[]) => edits.addConstant(`${output}/${what}`, 'int64', [values.length], values);
  return makeNode({ op: 'Slice', name, inputs: [input, operand('starts', starts), operand('ends', ends), operand('axes', axes)], outputs: [output] });
}

/** Pad with zeros at the end of each axis, in the form that an opset has. */
export function padNode(edits: GraphEdits, opset: number, input: string, output: string, ends: readonly number[]): NodeProto {
  const name = edits.fresh(`${output}/pad`);
  const pads = [...ends.map(() => 0), ...ends];
  if (opset < 2) return makeNode({ op: 'Pad', name, inputs: [input], outputs: [output], attributes: { paddings: pads } });
  if (opset < 11) return makeNode({ op: 'Pad', name, inputs: [input], outputs: [output], attributes: { pads } });
  return makeNode({ op: 'Pad', name, inputs: [input, edits.addConstant(`${output}/pads`, 'int64', [pads.length], pads)], outputs: [output] });
}

function namesRead(graph: GraphProto, names = new Set<string>()): Set<string> {
  for (const node of graph.node) {
    for (const name of node.input) names.add(name);
    for (const { g } of node.attribute) if (g) namesRead(g, names);
  }
  for (const { name } of graph.output) names.add(name);
  return names;
}

/** Removes what somebody read before the edits and nobody reads now. What nobody ever read stays: it is not ours. */
function dropDead(graph: GraphProto, readBefore: ReadonlySet<string>): GraphProto {
  let current = graph;
  for (;;) {
    const read = namesRead(current);
    const dead = (name: string) => name === '' || (!read.has(name) && readBefore.has(name));
    const node = current.node.filter((n) => n.output.length === 0 || !n.output.every((name) => dead(name)) || n.output.every((name) => name === ''));
    const inputs = new Set(current.input.map((i) => i.name));
    const initializer = current.initializer.filter((t) => inputs.has(t.name) || !dead(t.name));
    if (node.length === current.node.length && initializer.length === current.initializer.length) return current;
    current = withFields(current, { node, initializer });
  }
}
