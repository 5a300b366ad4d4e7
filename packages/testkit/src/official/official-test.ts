import { checkModel, CoppiceError, dataTypeOf, decodeModel, decodeTensor, everyTensor, graphOf, makeModel, readTensor, type GraphProto, type Model, type Tensor, type ValueInfoProto } from '@coppice/graph';

/** Inputs and expected outputs of one run as files hold them: a TensorProto, or a SequenceProto or OptionalProto where the model declares one. */
export interface OfficialFiles {
  readonly model: Uint8Array;
  readonly sets: readonly { readonly inputs: readonly Uint8Array[]; readonly outputs: readonly Uint8Array[] }[];
}

/** One of ONNX's own operator tests. */
export interface OfficialTest {
  /** Its folder, e.g. `node/test_abs`. */
  readonly name: string;
  load(): OfficialFiles;
}

/** A test as the backends of Coppice take it. */
export interface ReadTest {
  readonly model: Model;
  readonly runs: readonly { readonly inputs: Readonly<Record<string, Tensor>>; readonly expected: Readonly<Record<string, Tensor>> }[];
}

/** What a test is about. */
export interface TestSubject {
  /** Operators of the model and of its bodies, with their domain where that is not ONNX's, each once. */
  readonly operators: readonly string[];
  /** Element types of its inputs, outputs and constants; `sequence`, `optional`, `map` for what is no tensor. */
  readonly types: readonly string[];
}

/** Operators and types of a test; empty where its model cannot be read. */
export function subjectOfTest(test: OfficialTest): TestSubject {
  let model: Model;
  try {
    model = decodeModel(test.load().model);
  } catch {
    return { operators: [], types: [] };
  }
  const graph = graphOf(model);
  const types = [...graph.input, ...graph.output].map(typeOf);
  for (const tensor of everyTensor(model.proto)) types.push(typeName(tensor.dataType));
  return { operators: [...new Set([...operatorsOf(graph), ...model.proto.functions.flatMap(({ node }) => node.map(({ opType }) => opType))])], types: [...new Set(types)] };
}

function operatorsOf(graph: GraphProto): string[] {
  return graph.node.flatMap(({ domain, opType, attribute }) => [
    domain === '' || domain === 'ai.onnx' ? opType : `${domain}.${opType}`, ...attribute.flatMap(({ g }) => (g ? operatorsOf(g) : [])),
  ]);
}

function typeOf({ type }: ValueInfoProto): string {
  const declared = type?.value;
  return declared?.case === 'tensorType' ? typeName(declared.value.elemType) : (declared?.case ?? 'value without a type').replace('Type', '');
}

function typeName(number: number): string {
  try {
    return dataTypeOf(number);
  } catch {
    return `type ${number}`;
  }
}

/** Tensors of a file have nothing beside it. */
const noFile = makeModel({ opset: 21, graph: { inputs: [], outputs: [], nodes: [] } });

/**
 * The model and the tensors of a test.
 * @throws CoppiceError for what the reader of Coppice refuses, and `COPPICE_UNSUPPORTED_TYPE` where an input or output is no tensor:
 * the contract of a backend has tensors only
 */
export function readOfficialTest(test: OfficialTest): ReadTest {
  const files = test.load();
  const model = decodeModel(files.model);
  checkModel(model);
  const graph = graphOf(model);
  const strange = [...graph.input, ...graph.output].find(({ type }) => type?.value.case !== 'tensorType');
  if (strange) throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `'${strange.name}' is a ${typeOf(strange)}, and a backend takes and gives tensors.`);
  const stated = new Set(graph.initializer.map(({ name }) => name));
  const open = graph.input.map(({ name }) => name).filter((name) => !stated.has(name));
  const halves = new Set([...graph.input, ...graph.output].filter((info) => typeOf(info) === 'bfloat16').map(({ name }) => name));
  const named = (list: readonly Uint8Array[], names: readonly string[]) => Object.fromEntries(list.map((bytes, k): [string, Tensor] => {
    const proto = decodeTensor(bytes);
    const name = names.includes(proto.name) ? proto.name : names[k];
    const tensor = readTensor(noFile, proto);
    // NumPy, which wrote the files, has no bfloat16: its bits are there as whole numbers.
    return [name, halves.has(name) && tensor.dtype === 'uint16' ? { ...tensor, dtype: 'bfloat16' } : tensor];
  }));
  return { model, runs: files.sets.map(({ inputs, outputs }) => ({ inputs: named(inputs, open), expected: named(outputs, graph.output.map(({ name }) => name)) })) };
}
