import { describeInputs, type Backend, type Executable, type InputSpec, type NamedTensors } from '@coppice/core';
import {
  attributeOf, CoppiceError, dataTypeOf, everyTensor, graphOf, inlineFunctions, lowerLayouts, normaliseNode, opsetOf, readTensor, toModernOpset,
  type DataType, type GraphProto, type Model, type NodeProto, type Tensor, type ValueInfoProto,
} from '@coppice/graph';
import { array, count, type Array64, type ElementKind } from '../eager/array64.ts';
import { eagerOperators } from '../eager/table.ts';
import { runIf, runLoop, runScan, type RunBody } from './eager-control-flow.ts';

type Scope = ReadonlyMap<string, Array64>;

/** Element types that float64 can stand for. */
const kinds: Partial<Record<DataType, ElementKind>> = { float32: 'float', float64: 'float', int64: 'int', int32: 'int', bool: 'bool' };

const control = new Set(['Constant', 'If', 'Loop', 'Scan']);

/**
 * The float64 reference of the testkit as a backend: one operator after the other in the newest form, slow and straight from the
 * specification. Floats are rounded to their type only at the end; whole numbers are exact up to 2⁵³ and refused beyond.
 */
export const eagerBackend = (): Backend => ({
  name: 'eager',
  info: async () => ({ version: '0', device: 'cpu', threads: 1 }),
  compile: async (model) => new EagerExecutable(model),
});

/** What the reference computes for some inputs, computed when it is asked for and then kept. */
export function expectedOf(model: Model, runs: readonly NamedTensors[]): () => Promise<readonly NamedTensors[]> {
  let expected: Promise<readonly NamedTensors[]> | undefined;
  const compute = async (): Promise<readonly NamedTensors[]> => {
    const executable = await eagerBackend().compile(model);
    return Promise.all(runs.map((inputs) => executable.run(inputs)));
  };
  return () => (expected ??= compute());
}

/** A model in the newest form, walked anew for each run. */
class EagerExecutable implements Executable {
  readonly #model: Model;
  readonly #opset: number;
  readonly #constants: Scope;
  readonly #inputs: readonly InputSpec[];
  #disposed = false;

  constructor(model: Model) {
    const ranks = new Map(graphOf(model).input.map(({ name, type }) => [name, type?.value.case === 'tensorType' ? type.value.value.shape?.dim.length : undefined]));
    this.#model = lowerLayouts(toModernOpset(inlineFunctions(model), (name) => ranks.get(name)));
    this.#opset = opsetOf(this.#model.proto);
    refuseTypes(this.#model);
    this.#inputs = describeInputs(this.#model);
    refuseOperators(graphOf(this.#model));
    this.#constants = new Map(graphOf(this.#model).initializer.map((tensor) => [tensor.name, toArray64(readTensor(this.#model, tensor))]));
  }

  async run(inputs: NamedTensors, outputs?: readonly string[]): Promise<NamedTensors> {
    if (this.#disposed) throw new CoppiceError('COPPICE_BACKEND_RUN', 'eager: this executable was disposed. Compile the model again.');
    const graph = graphOf(this.#model);
    checkNames(this.#inputs, inputs, outputs?.filter((wanted) => graph.output.every(({ name }) => name !== wanted)) ?? []);
    const given = new Map([...this.#constants, ...Object.entries(inputs).map(([name, tensor]) => [name, toArray64(tensor)] as const)]);
    const values = this.#evaluate(graph, given);
    const wanted = graph.output.filter(({ name }) => outputs?.includes(name) ?? true);
    return Object.fromEntries(wanted.map((info) => [info.name, toTensor(valueOf(values, info.name), declaredType(info) ?? 'float32')]));
  }

  async dispose(): Promise<void> { this.#disposed = true; }

  #evaluate(graph: GraphProto, given: Scope): Scope {
    const values = new Map(given);
    for (const node of graph.node) this.#evaluateNode(node, values).forEach((result, k) => { if (node.output[k]) values.set(node.output[k], result); });
    return values;
  }

  #evaluateNode(node: NodeProto, values: Scope): readonly Array64[] {
    const { op, operands, attributes } = normaliseNode(node, this.#opset, () => undefined);
    const inputs = operands.map((operand) => (operand === undefined ? undefined : operand.value !== undefined ? valueOf(values, operand.value) : array([operand.constant.length], operand.constant, 'int')));
    const bodyOf = (name: string): RunBody => {
      const body = attributeOf(node, name)!.g!;
      const own = body.initializer.map((tensor) => [tensor.name, toArray64(readTensor(this.#model, tensor))] as const);
      return (arguments_) => {
        const scope = this.#evaluate(body, new Map([...values, ...own, ...body.input.slice(0, arguments_.length).map(({ name: input }, k) => [input, arguments_[k]] as const)]));
        return body.output.map(({ name: output }) => valueOf(scope, output));
      };
    };
    if (op === 'Constant') return [this.#constant(node)];
    if (op === 'If') return runIf(inputs[0]!, bodyOf);
    if (op === 'Loop') return runLoop(inputs, bodyOf('body'), node.output.length);
    if (op === 'Scan') return runScan(inputs as readonly Array64[], bodyOf('body'), attributes as unknown as Parameters<typeof runScan>[2]);
    const run = eagerOperators[op as keyof typeof eagerOperators] as unknown as (inputs: readonly (Array64 | undefined)[], attributes: object, outputs: number) => readonly Array64[];
    const made = told(() => run(inputs, attributes, node.output.length));
    if (made.length < node.output.length) throw refusal(`the eager ${op} makes ${made.length} of ${node.output.length} results`);
    return made;
  }

  #constant({ attribute: [attribute] }: NodeProto): Array64 {
    switch (attribute.name) {
      case 'value': return toArray64(readTensor(this.#model, attribute.t!));
      case 'value_float': return array([], [attribute.f]);
      case 'value_floats': return array([attribute.floats.length], attribute.floats);
      case 'value_int': return array([], [Number(attribute.i)], 'int');
      case 'value_ints': return array([attribute.ints.length], attribute.ints.map(Number), 'int');
      default: throw refusal(`Constant with ${attribute.name}`);
    }
  }
}

function checkNames(expected: readonly InputSpec[], given: NamedTensors, strange: readonly string[]): void {
  const faults = [
    ...strange.map((name) => `there is no output '${name}'`),
    ...Object.keys(given).filter((name) => expected.every((input) => input.name !== name)).map((name) => `there is no input '${name}'`),
    ...expected.filter((input) => !fitsInput(input, given[input.name])).map(({ name, dtype, dims }) => `input '${name}' must be ${dtype}[${dims?.map((size) => size ?? '?').join(', ') ?? '…'}]`),
  ];
  if (faults.length > 0) throw new CoppiceError('COPPICE_INPUT_MISMATCH', `eager: ${faults.join('; ')}.`);
}

const fitsInput = ({ dtype, dims }: InputSpec, tensor: Tensor | undefined): boolean => tensor !== undefined && tensor.dtype === dtype && tensor.data.length === count(tensor.dims)
  && (dims === undefined || (dims.length === tensor.dims.length && dims.every((size, axis) => typeof size !== 'number' || size < 0 || size === tensor.dims[axis])));

/** What the rows of the table say that they lack is a refusal, of a kind that only shows at the run. */
function told<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof Error && /\beager\b|^Resize with|is random$/.test(cause.message)) throw refusal(cause.message, cause);
    throw cause;
  }
}

const refusal = (what: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_BACKEND_REFUSED', `eager does not take the model: ${what}.`, { cause });

function refuseOperators(graph: GraphProto): void {
  for (const { opType, domain, attribute } of graph.node) {
    if (domain !== '' && domain !== 'ai.onnx') throw refusal(`it has no ${domain}.${opType}`);
    if (!control.has(opType) && !Object.hasOwn(eagerOperators, opType)) throw refusal(`it has no ${opType}`);
    for (const { g } of attribute) if (g) refuseOperators(g);
  }
}

function refuseTypes(model: Model): void {
  const graph = graphOf(model);
  const declared = [...graph.input, ...graph.output].map((info) => declaredType(info) ?? 'a value that is not a tensor');
  const cast = graph.node.flatMap(({ opType, attribute }) => (opType === 'Cast' ? attribute.filter(({ name }) => name === 'to').map(({ i }) => dataTypeOf(Number(i))) : []));
  const held = [...everyTensor(model.proto)].map(({ dataType }) => dataTypeOf(dataType));
  const strange = [...declared, ...cast, ...held].find((dtype) => kinds[dtype as DataType] === undefined);
  if (strange !== undefined) throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `eager computes in float64, which does not stand for ${strange}.`);
}

const declaredType = ({ type }: ValueInfoProto): DataType | undefined => (type?.value.case === 'tensorType' ? dataTypeOf(type.value.value.elemType) : undefined);

function valueOf(values: Scope, name: string): Array64 {
  const value = values.get(name);
  if (value === undefined) throw new CoppiceError('COPPICE_INPUT_MISMATCH', `eager: there is no value '${name}'.`);
  return value;
}

/** A tensor as float64. @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for whole numbers beyond 2⁵³ */
export function toArray64({ dtype, dims, data }: Tensor): Array64 {
  const type = kinds[dtype];
  if (type === undefined) throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `eager computes in float64, which does not stand for ${dtype}.`);
  const numbers = Float64Array.from(data as ArrayLike<number | bigint>, Number);
  if (type === 'int') numbers.forEach(fits);
  return { shape: dims, type, data: numbers };
}

/** A tensor of an element type from float64. @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` as `toArray64` */
export function toTensor({ shape, data }: Array64, dtype: DataType): Tensor {
  if (data.length !== count(shape)) throw new Error(`eager: ${data.length} elements for [${shape.join(', ')}]`);
  if (dtype === 'int64' || dtype === 'int32') data.forEach(fits);
  switch (dtype) {
    case 'float32': return { dtype, dims: shape, data: Float32Array.from(data) };
    case 'float64': return { dtype, dims: shape, data };
    case 'int64': return { dtype, dims: shape, data: BigInt64Array.from(data, BigInt) };
    case 'int32': return { dtype, dims: shape, data: Int32Array.from(data) };
    case 'bool': return { dtype, dims: shape, data: Uint8Array.from(data) };
    default: throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `eager computes in float64, which does not stand for ${dtype}.`);
  }
}

function fits(value: number): void {
  if (!Number.isSafeInteger(value)) throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `eager computes in float64, which does not hold the whole number ${value} exactly.`);
}
