import { gradientName, type Loss } from '@coppice/core';
import { freshNames, makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, withFields, type AttributeInput, type GraphProto, type NodeProto, type TensorProto, type ValueInfoProto } from '@coppice/graph';

type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

/** Writes the nodes of a graph one after the other; a value is its name. */
export interface GraphWriter {
  /** An operator with one result, which is named after it, or as `name` says. */
  op(op: string, inputs: readonly string[], attributes?: Attributes, name?: string): string;
  /** An operator with more results, in these names. */
  node(op: string, inputs: readonly string[], outputs: readonly string[], attributes?: Attributes): void;
  /** A name that nothing has yet. */
  name(wanted: string): string;
  /** A float32 constant, a scalar unless `dims` are given. */
  float(value: number, dims?: readonly number[]): string;
  /** An int64 constant: a scalar from a number, [n] from a list. */
  int(value: number | readonly number[]): string;
  /** A size of a value as int64 [1]. */
  size(value: string, axis: number): string;
  /** 0, 1, … below a size of a value, int64. */
  indices(value: string, axis: number): string;
  /** A body of Scan, whose nodes `write` appends; values of the graph around it may be read. */
  body(inputs: readonly ValueInfoProto[], write: (inner: GraphWriter) => readonly ValueInfoProto[]): GraphProto;
  /** Everything written so far. */
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
}

/** A writer of an empty graph whose inputs have these names. */
export function graphWriter(inputs: readonly string[]): GraphWriter {
  const initializers: TensorProto[] = [];
  const constants = new Map<string, string>();
  const fresh = freshNames(new Set(inputs));
  const constant = (dtype: 'float32' | 'int64', dims: readonly number[], values: readonly number[]): string => {
    const key = `${dtype} [${dims.join()}] ${values.join()}`;
    const known = constants.get(key);
    if (known !== undefined) return known;
    const name = fresh('constant');
    constants.set(key, name);
    initializers.push(makeInitializer(name, dtype, dims, values));
    return name;
  };
  const writer = (nodes: NodeProto[]): GraphWriter => ({
    nodes,
    initializers,
    name: fresh,
    node(op, from, outputs, attributes) {
      nodes.push(makeNode({ op, name: fresh(op.toLowerCase()), inputs: from, outputs, attributes }));
    },
    op(op, from, attributes, name) {
      const output = name ?? fresh(op);
      this.node(op, from, [output], attributes);
      return output;
    },
    float: (value, dims = []) => constant('float32', dims, Array.from({ length: dims.reduce((count, size) => count * size, 1) }, () => value)),
    int: (value) => (typeof value === 'number' ? constant('int64', [], [value]) : constant('int64', [value.length], value)),
    size(value, axis) {
      return this.op('Shape', [value], { start: axis, end: axis + 1 });
    },
    indices(value, axis) {
      return this.op('Range', [this.int(0), this.op('Squeeze', [this.size(value, axis)]), this.int(1)]);
    },
    body(values, write) {
      const inner: NodeProto[] = [];
      const outputs = write(writer(inner));
      return makeGraph({ name: 'body', inputs: values, outputs, nodes: inner });
    },
  });
  return writer([]);
}

/** What `asLoss` takes. */
export interface LossParts {
  readonly name: string;
  /** The model's outputs that it reads, and how they are declared. */
  readonly reads: readonly ValueInfoProto[];
  readonly labels: readonly ValueInfoProto[];
  /** Outputs beside `loss` and the gradients. */
  readonly extras?: readonly ValueInfoProto[];
  readonly written: Pick<GraphWriter, 'nodes' | 'initializers'>;
}

/** A written graph as a loss: its outputs are `loss`, the gradient of each output that is read, and the extras. */
export function asLoss({ name, reads, labels, extras = [], written }: LossParts): Loss {
  const gradients = reads.map((value) => withFields(value, { name: gradientName(value.name) }));
  return {
    name,
    reads: reads.map((value) => value.name),
    labels: labels.map((value) => value.name),
    graph: makeModel({
      opset: 21,
      graph: {
        name,
        inputs: [...reads, ...labels],
        outputs: [makeValueInfo('loss', 'float32', []), ...gradients, ...extras],
        nodes: written.nodes,
        initializers: written.initializers,
      },
    }),
  };
}
