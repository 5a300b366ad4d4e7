import { makeInitializer, makeModel, makeNode, type DataType, type Model, type NodeParts, type TensorProto } from '../../packages/graph/src/index.ts';
import { countParameters, drawWeight, type Fill, type Weight } from '../../packages/speech/src/index.ts';

/** A graph that grows node by node; weights are drawn only when the model is made. */
export class GraphSketch {
  readonly #nodes: NodeParts[] = [];
  readonly #weights: Weight[] = [];
  readonly #constants = new Map<string, TensorProto>();

  /** Adds a node with one output. Node and value have the same name, which is returned. */
  node(name: string, op: string, inputs: readonly string[], attributes?: NodeParts['attributes']): string {
    this.#nodes.push({ op, name, inputs, outputs: [name], attributes });
    return name;
  }

  weight(name: string, dims: readonly number[], fill: Fill): string {
    this.#weights.push({ name, dims, fill });
    return name;
  }

  /** A constant, shared by all who ask for the same contents, as exporters do it. */
  constant(dtype: DataType, dims: readonly number[], values: readonly number[]): string {
    const contents = values.length > 8 ? `${[...new Set<unknown>(values)].join('_')}_times_${values.length}` : values.join('_');
    const name = `${dtype}_${dims.length === 0 ? 'scalar_' : ''}${contents}`;
    if (!this.#constants.has(name)) this.#constants.set(name, makeInitializer(name, dtype, dims, values));
    return name;
  }

  get parameters(): number {
    return countParameters(this.#weights);
  }

  model({ opset, seed, name, inputs, outputs, metadata }: SketchEnds): Model {
    const initializers = [...this.#constants.values(), ...this.#weights.map((weight) => drawWeight(weight, seed))];
    return makeModel({ opset, graph: { name, inputs, outputs, nodes: this.#nodes.map(makeNode), initializers }, metadata });
  }
}

type GraphEnds = Required<Pick<Exclude<Parameters<typeof makeModel>[0]['graph'], { $typeName: unknown }>, 'inputs' | 'outputs' | 'name'>>;

/** What a sketch needs to become a model. */
export interface SketchEnds extends GraphEnds {
  readonly opset: number;
  readonly seed: number | string;
  readonly metadata?: Readonly<Record<string, string>>;
}
