import { flattenModel, type NamedTensors } from '@coppice/core';
import { CoppiceError, dataTypes, elementCount, graphOf, type Model, type TensorProto } from '@coppice/graph';
import { drawNumbers, kaiming, lecun, orthogonal, rememberingBias, smallBias, type Fill } from '@coppice/speech';

/** The node that reads a weight. */
interface Reader {
  /** Dimensions of its inputs that are weights; empty for others. */
  readonly dims: readonly (readonly number[])[];
  readonly attribute: (name: string, otherwise: number) => number;
}

/** How a weight in an input of an operator is drawn. */
type Draw = (reader: Reader) => Fill | undefined;

const constant = (value: number): Draw => () => (data) => data.fill(value);
const [zeros, ones] = [constant(0), constant(1)];
const bias: Draw = ({ dims }) => (dims.some(({ length }) => length > 1) ? undefined : (data) => data.fill(0));
const kernelFanIn = ({ dims }: Reader): number => elementCount(dims[1].slice(1));
const hiddenSize = ({ dims }: Reader): number => dims[2].at(-1)!;
const recurrent: readonly (Draw | undefined)[] = [undefined, ({ dims }) => lecun(dims[1].at(-1)!), (reader) => orthogonal(hiddenSize(reader)), (reader) => smallBias(hiddenSize(reader))];
const norm = [undefined, ones, zeros] as const;

/** By operator, for each of its inputs: what the reference model is drawn from where it has the operator, the usual beginning elsewhere. */
const draws: Readonly<Record<string, readonly (Draw | undefined)[]>> = {
  Conv: [undefined, (reader) => kaiming(kernelFanIn(reader)), (reader) => smallBias(kernelFanIn(reader))],
  ConvTranspose: [undefined, ({ dims }) => kaiming(dims[1][0]), zeros],
  MatMul: [({ dims }) => lecun(dims[0].at(-1)!), ({ dims }) => lecun(dims[1].at(-2) ?? dims[1][0])],
  Gemm: [undefined, ({ dims, attribute }) => lecun(dims[1][attribute('transB', 0) === 1 ? 1 : 0]), zeros],
  GRU: recurrent,
  RNN: recurrent,
  LSTM: [...recurrent.slice(0, 3), (reader) => rememberingBias(hiddenSize(reader))],
  BatchNormalization: [undefined, ones, zeros, zeros, ones],
  LayerNormalization: norm,
  InstanceNormalization: norm,
  GroupNormalization: norm,
  // A bias. A table that is added, such as one of positions, has more axes and no rule.
  Add: [bias, bias],
};

/**
 * First values for the weights of a model, as if it had never been trained: the control that says what a shape is worth without what
 * pruning kept (Liu et al. 2019, "Rethinking the value of network pruning"). Kernels as He et al. 2015, matrices as LeCun et al. 1998,
 * recurrent matrices orthogonal (Saxe et al. 2014), batch norms as they begin. The same seed gives the same numbers.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_OP` when a weight is read by an operator without a rule, because a weight that stays
 * trained would make the control false
 */
export function freshWeights(model: Model, seed: number | string): NamedTensors {
  const { steps, values } = flattenModel(model);
  const initializers = new Map(graphOf(model).initializer.filter(({ dataType }) => dataType === dataTypes.float32).map((tensor) => [tensor.name, tensor]));
  const weightOf = (id: number): TensorProto | undefined => (id >= 0 ? initializers.get(values[id].name) : undefined);
  const fresh: Record<string, NamedTensors[string]> = {};
  for (const { node, inputs } of steps) {
    const weights = inputs.map(weightOf);
    const reader: Reader = {
      dims: weights.map((weight) => weight?.dims.map(Number) ?? []),
      attribute: (name, otherwise) => Number(node.attributes[name] ?? otherwise),
    };
    for (const [slot, weight] of weights.entries()) {
      // A single number is a setting, such as the bound of a Clip.
      if (!weight || weight.dims.length === 0 || Object.hasOwn(fresh, weight.name)) continue;
      const fill = draws[node.op]?.[slot]?.(reader);
      if (!fill) throw new CoppiceError('COPPICE_UNSUPPORTED_OP', `The weight '${weight.name}' cannot be drawn anew: nothing is known about first values of input ${slot + 1} of ${node.op} '${node.name}'. Operators with a rule: ${Object.keys(draws).join(', ')}.`);
      const dims = weight.dims.map(Number);
      fresh[weight.name] = { dtype: 'float32', dims, data: drawNumbers({ name: weight.name, dims, fill }, seed) };
    }
  }
  return fresh;
}
