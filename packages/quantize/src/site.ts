import { flattenModel, type Backend, type Program } from '@coppice/core';
import { dataTypeOf, graphOf, readTensor, type DataType, type Model, type NormalNode, type Tensor } from '@coppice/graph';
import { bytesOf, constantValues, evaluateConstants, storedBytes, type ConstantValue } from './constants.ts';
import type { Sharing } from './scales.ts';
import { formsOf, isAbsent } from './table/forms.ts';
import type { OperatorForms, WeightOperand } from './table/row.ts';

type Step = Program['steps'][number];

/** A weight of an operator: float numbers that the file states, or that it computes from what it states. */
export interface SiteWeight {
  readonly operand: WeightOperand;
  /** The value as the operator reads it. */
  readonly name: string;
  readonly value: number;
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly sharing: Sharing;
  /** Bytes of the stored tensors that it comes from. */
  readonly storedBytes: number;
  /** Whether it comes out of a DequantizeLinear. */
  readonly dequantized: boolean;
  readonly tensor: Tensor;
}

/** One node of the model and what there is to quantise at it. */
export interface Site {
  /** Name of the node, or of its first result, behind the path of the body that it is in; unique. */
  readonly key: string;
  readonly step: Step;
  readonly node: NormalNode;
  /** How the operator can be quantised, or why it is not. */
  readonly forms: OperatorForms | { readonly absent: string };
  /** In the order of the row; operands that are not constant are left out. */
  readonly weights: readonly SiteWeight[];
  readonly inBody: boolean;
}

/** A model, flat, with the contents of its constants. */
export interface Sites {
  readonly model: Model;
  readonly program: Program;
  readonly sites: readonly Site[];
  /** Contents of a value that depends on no input. */
  readonly contents: (value: number) => Tensor | undefined;
  /** Element type of a value, undefined where it could not be told. */
  readonly typeOf: (value: number) => DataType | undefined;
}

/**
 * Looks up every node in the table, and computes the weights that the graph computes from stored ones (transposed, cast, scaled).
 * @throws whatever the backend throws
 */
export async function findSites(model: Model, backend: Backend): Promise<Sites> {
  const program = flattenModel(model);
  const constants = constantValues(graphOf(model));
  const computed = await evaluateConstants(model, wantedConstants(program, constants), backend);
  const cache = new Map<number, Tensor | undefined>();
  const contents = (id: number): Tensor | undefined => {
    if (id < 0) return undefined;
    if (!cache.has(id)) cache.set(id, contentsOf(program, computed, id));
    return cache.get(id);
  };
  const bytes = storedBytes(model);
  const keys = new Set<string>();
  const sites = program.steps.map((step): Site => {
    const forms = formsOf(step.node.domain, step.node.op);
    const weights = isAbsent(forms) ? [] : forms.weights.flatMap((operand) => weightOf(program, step, operand, contents, constants, bytes));
    return { key: uniqueKey(step, keys), step, node: step.node, forms, weights, inBody: step.scope.parent !== undefined };
  });
  return { model, program, sites, contents, typeOf: (id) => (id >= 0 && program.values[id].elementType ? dataTypeOf(program.values[id].elementType) : undefined) };
}

function contentsOf(program: Program, computed: ReadonlyMap<string, Tensor>, id: number): Tensor | undefined {
  const { tensor, scope, name } = program.values[id];
  if (tensor) return readTensor(program.model, tensor);
  return scope.parent === undefined ? computed.get(name) : undefined;
}

/** Computed constants that are weights or biases of operators with forms. */
function wantedConstants({ steps, values }: Program, constants: ReadonlyMap<string, ConstantValue>): string[] {
  const wanted = new Set<string>();
  for (const { node, inputs, outputs } of steps) {
    if (isAbsent(formsOf(node.domain, node.op)) || outputs.some((id) => id >= 0 && constants.has(values[id].name))) continue;
    for (const id of inputs) if (id >= 0 && values[id].scope.parent === undefined && constants.has(values[id].name)) wanted.add(values[id].name);
  }
  return [...wanted];
}

function weightOf({ values }: Program, step: Step, operand: WeightOperand, contents: (id: number) => Tensor | undefined, constants: ReadonlyMap<string, ConstantValue>, bytes: (name: string) => number): SiteWeight[] {
  const value = step.inputs[operand.input] ?? -1;
  const tensor = contents(value);
  if (!tensor || !(tensor.dtype === 'float32' || tensor.dtype === 'float16' || tensor.dtype === 'float64' || tensor.dtype === 'bfloat16') || tensor.dims.length < 1) return [];
  const constant = values[value].tensor ? undefined : constants.get(values[value].name);
  return [{
    operand, value, tensor, name: values[value].name, dtype: tensor.dtype, dims: tensor.dims,
    sharing: { keep: operand.keep(tensor.dims, step.node) },
    storedBytes: constant ? [...constant.sources].reduce((sum, source) => sum + bytes(source), 0) : bytesOf(tensor),
    dequantized: constant?.dequantized ?? false,
  }];
}

function uniqueKey({ scope, proto }: Step, taken: Set<string>): string {
  const wanted = scope.path + (proto.name || proto.output.find((name) => name !== '') || proto.opType);
  let key = wanted;
  for (let k = 2; taken.has(key); k++) key = `${wanted}_${k}`;
  taken.add(key);
  return key;
}
