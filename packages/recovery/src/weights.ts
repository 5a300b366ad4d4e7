import { findUnits, flattenModel, type NamedTensors, type Units } from '@coppice/core';
import { CoppiceError, dataTypeOf, graphOf, toTensorProto, withFields, type Model } from '@coppice/graph';

/**
 * The same model with other contents of some initializers; everything else is shared.
 * @throws CoppiceError `COPPICE_MODEL_INVALID` for a name that no initializer has, other dimensions, or another element type
 */
export function withWeights(model: Model, weights: NamedTensors): Model {
  const left = new Set(Object.keys(weights));
  const graph = graphOf(model);
  const payloads = new Map(model.payloads ?? []);
  const initializer = graph.initializer.map((tensor) => {
    if (!left.delete(tensor.name)) return tensor;
    const { dtype, dims, data } = weights[tensor.name];
    const own = { dtype: dataTypeOf(tensor.dataType), dims: tensor.dims.map(Number) };
    if (dtype !== own.dtype || dims.join() !== own.dims.join()) throw new CoppiceError('COPPICE_MODEL_INVALID', `The new contents of '${tensor.name}' are ${dtype} [${dims.join(', ')}], and the model has ${own.dtype} [${own.dims.join(', ')}]. Weights fit only the model that they were made for.`);
    payloads.delete(tensor);
    return toTensorProto(tensor.name, { dtype, dims, data });
  });
  if (left.size > 0) throw new CoppiceError('COPPICE_MODEL_INVALID', `The model has no initializer ${[...left].map((name) => `'${name}'`).join(', ')}. Weights fit only the model that they were made for.`);
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { initializer }) }), ...(model.payloads && { payloads }) };
}

/**
 * The same units, with the same ids, of the same model with other contents of some initializers: what is cut, masked, verified or scored
 * through them is that model. Nothing is run.
 * @throws CoppiceError as `withWeights`
 */
export function unitsWithWeights({ analysed: { trace }, options }: Units, weights: NamedTensors): Units {
  const program = flattenModel(withWeights(trace.program.model, weights));
  const constants = new Map(trace.constants);
  // What the trace found in the old contents is no longer so.
  const changed = new Set(program.values.flatMap(({ id, name, tensor, scope }) => (tensor && scope.parent === undefined && Object.hasOwn(weights, name) ? [id] : [])));
  for (const id of changed) {
    const { dtype, dims, data } = weights[program.values[id].name];
    if (constants.has(id)) constants.set(id, { dtype, dims, values: Array.from(data as ArrayLike<number | bigint>, Number) });
  }
  for (const { inputs, outputs } of program.steps) {
    if (!inputs.some((id) => changed.has(id))) continue;
    // Neither shapes nor activations: constants depend on no data.
    for (const id of outputs.filter((output) => output >= 0 && program.values[output].weighted && !program.values[output].tainted)) {
      changed.add(id);
      constants.delete(id);
    }
  }
  return findUnits({ ...trace, program, constants }, options);
}
