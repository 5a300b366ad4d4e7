import { describeInputs } from '@coppice/core';
import { CoppiceError, dataTypeOf, everyTensor, graphOf, TensorProto_DataType, type GraphProto, type Model, type NodeProto } from '@coppice/graph';
import { featureWidth, type SpeechDescription } from '@coppice/speech';
import type { ModelEntry, PortEntry } from './manifest.ts';

/** What a manifest says of a model beside its file: all of it comes from the model, so that a stale manifest shows. */
export function describeModel(model: Model, speech: SpeechDescription, quantisation: string): Omit<ModelEntry, 'path' | 'bytes' | 'sha256'> {
  const [input] = describeInputs(model).filter(({ name }) => name === speech.input);
  if (input === undefined) throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `The description names the input '${speech.input}', and the model has ${describeInputs(model).map(({ name }) => `'${name}'`).join(', ')}.`);
  return {
    opset: Object.fromEntries(model.proto.opsetImport.map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain, Number(version)])),
    parameters: countParameters(model),
    operators: countOperators(model),
    input: { name: input.name, dtype: input.dtype, dims: (input.dims ?? []).map((dim) => dim ?? null), axes: takesSound(input.dims) ? 'batch sample' : speech.inputAxes },
    output: outputPort(model, speech),
    quantisation,
  };
}

/** Whether an input is sound, for a model that computes its features itself: features have three axes at least. */
const takesSound = (dims: readonly unknown[] | undefined): boolean => dims?.length === 2;

function outputPort(model: Model, { output, outputAxes }: SpeechDescription): PortEntry {
  const info = graphOf(model).output.find(({ name }) => name === output);
  const type = info?.type?.value;
  if (type?.case !== 'tensorType') throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `The description names the output '${output}', and the model has ${graphOf(model).output.map(({ name }) => `'${name}'`).join(', ')}.`);
  const dims = type.value.shape?.dim.map(({ value }) => (value.case === 'dimValue' && value.value > 0n ? Number(value.value) : value.case === 'dimParam' && value.value !== '' ? value.value : null)) ?? [];
  return { name: output, dtype: dataTypeOf(type.value.elemType), dims, axes: outputAxes };
}

const weightTypes = new Set<number>([
  TensorProto_DataType.FLOAT, TensorProto_DataType.FLOAT16, TensorProto_DataType.BFLOAT16, TensorProto_DataType.DOUBLE, TensorProto_DataType.INT8, TensorProto_DataType.UINT8, TensorProto_DataType.INT4, TensorProto_DataType.UINT4,
]);

const countParameters = (model: Model): number =>
  [...everyTensor(model.proto)].filter(({ dataType }) => weightTypes.has(dataType)).reduce((sum, { dims }) => sum + dims.reduce((product, dim) => product * Number(dim), 1), 0);

/** How often each operator occurs; those of other domains with their domain. */
export function countOperators(model: Model): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { domain, opType } of everyNode(graphOf(model))) {
    const name = domain === '' || domain === 'ai.onnx' ? opType : `${domain}.${opType}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Every node, also in the bodies of loops and branches. */
export function* everyNode(graph: GraphProto): Generator<NodeProto> {
  for (const node of graph.node) {
    yield node;
    for (const { g, graphs } of node.attribute) for (const body of [...(g === undefined ? [] : [g]), ...graphs]) yield* everyNode(body);
  }
}

/** Entries of the model's own metadata that contradict what it is, a sentence each: what some runtimes read instead of the graph. */
export function metadataFaults(model: Model, speech: SpeechDescription): string[] {
  const stated = (key: string): string | undefined => model.proto.metadataProps.find((entry) => entry.key === key)?.value;
  const known: readonly (readonly [key: string, value: number, what: string])[] = [
    ['mels', featureWidth(speech.features), 'features of a frame'], ['tokens', speech.tokens.length, 'tokens of the alphabet'], ['frame_stride', speech.frameStride, 'frames of features for one of the output'],
  ];
  return known.flatMap(([key, value, what]) => {
    const entry = stated(key);
    return entry === undefined || entry === String(value) ? [] : [`The model's metadata are stale: '${key}' is '${entry}', and the ${what} are ${value}.`];
  });
}
