import type { NamedTensors } from '@coppice/core';
import { graphOf, makeModel, readTensor, toTensorProto } from '@coppice/graph';
import { readModel, writeModel } from '@coppice/graph/node';

/** Writes tensors as the initializers of an ONNX file without nodes, complete or not at all; an older file is replaced. */
export function writeTensors(path: string, tensors: NamedTensors): void {
  const initializers = Object.entries(tensors).map(([name, tensor]) => toTensorProto(name, tensor));
  writeModel(makeModel({ opset: 21, graph: { name: 'tensors', inputs: [], outputs: [], nodes: [], initializers } }), path, { force: true });
}

/** Reads what `writeTensors` wrote. */
export function readTensors(path: string): NamedTensors {
  const model = readModel(path, { check: false });
  return Object.fromEntries(graphOf(model).initializer.map((proto) => [proto.name, readTensor(model, proto)]));
}
