import { dataTypeOf, dataTypes, elementCount, fromFloat32, graphOf, makeInitializer, makeNode, opsetOf, withFields, type Model, type NodeProto, type TensorProto } from '@coppice/graph';

/** Tensors of at least this number of elements get a stand-in … */
const large = 16_384;
/** … if together they have at least this number: below, a runtime takes them in no time. */
const worthwhile = 8_000_000;

const FLOATS: ReadonlySet<number> = new Set([dataTypes.float32, dataTypes.float16, dataTypes.float64]);

/**
 * A model of the same shapes whose large weights are made when it runs, all equal, instead of being in the file: a runtime then need
 * not be handed them, which for a large model takes most of a trace's time and several times its memory.
 * @returns the model itself when its weights are few, or its operator set has no ConstantOfShape
 */
export function withStandIns(model: Model): Model {
  const graph = graphOf(model);
  const replaced = graph.initializer.filter(({ dataType, dims }) => FLOATS.has(dataType) && elementCount(dims) >= large);
  if (opsetOf(model.proto) < 9 || replaced.reduce((sum, { dims }) => sum + elementCount(dims), 0) < worthwhile) return model;
  const gone = new Set(replaced.map(({ name }) => name));
  const parts = replaced.map(standIn);
  return {
    ...model,
    proto: withFields(model.proto, {
      graph: withFields(graph, {
        node: [...parts.map(({ node }) => node), ...graph.node],
        initializer: [...graph.initializer.filter(({ name }) => !gone.has(name)), ...parts.map(({ shape }) => shape)],
        // Files with weights among the inputs would otherwise ask for them.
        input: graph.input.filter(({ name }) => !gone.has(name)),
      }),
    }),
  };
}

/** Small and not zero, so that norms and divisions stay finite. */
const filling = Float32Array.of(1 / 128);

function standIn({ name, dataType, dims }: TensorProto): { node: NodeProto; shape: TensorProto } {
  const dtype = dataTypeOf(dataType);
  const shape = makeInitializer(`coppice.trace/shape/${name}`, 'int64', [dims.length], dims.map(Number));
  const value = { dtype, dims: [1], data: fromFloat32(filling, dtype) };
  return { shape, node: makeNode({ op: 'ConstantOfShape', name: `coppice.trace/make/${name}`, inputs: [shape.name], outputs: [name], attributes: { value } }) };
}
