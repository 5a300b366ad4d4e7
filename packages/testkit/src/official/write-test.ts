// Test-only: folders in the form of the official tests.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeModel, makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, toTensorProto, type Model, type Tensor } from '@coppice/graph';

/** Writes a test below a folder; tensors are named as the files of ONNX name theirs. */
export function writeTest(folder: string, name: string, model: Model, inputs: Readonly<Record<string, Tensor>>, outputs: Readonly<Record<string, Tensor>>): void {
  const set = join(folder, name, 'test_data_set_0');
  mkdirSync(set, { recursive: true });
  writeFileSync(join(folder, name, 'model.onnx'), encodeModel(model));
  for (const [kind, tensors] of [['input', inputs], ['output', outputs]] as const) {
    Object.entries(tensors).forEach(([tensor, contents], k) => writeFileSync(join(set, `${kind}_${k}.pb`), tensorBytes(tensor, contents)));
  }
}

/** A TensorProto by itself: the last field of a model that holds nothing else, without what is around it. */
function tensorBytes(name: string, tensor: Tensor): Uint8Array {
  const bytes = encodeModel(makeModel({ opset: 21, graph: { inputs: [], outputs: [], nodes: [], initializers: [toTensorProto(name, tensor)] } }));
  return fieldOf(fieldOf(bytes, 7), 5);
}

/** The contents of a field with a length. Protocol Buffers, "Message structure". */
function fieldOf(message: Uint8Array, wanted: number): Uint8Array {
  let at = 0;
  const varint = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = message[at++];
      value += (byte & 127) * 2 ** shift;
      shift += 7;
      if (byte < 128) return value;
    }
  };
  for (;;) {
    const tag = varint();
    if ((tag & 7) === 0) varint();
    else {
      const length = varint();
      if (tag >> 3 === wanted) return message.slice(at, at + length);
      at += length;
    }
  }
}

/** One operator on float32 vectors of the names of its inputs. */
export const oneOperator = (op: string, inputs: readonly string[]): Model => makeModel({
  opset: 17,
  graph: {
    inputs: inputs.map((name) => makeValueInfo(name, 'float32', ['n'])), outputs: [makeValueInfo('y', 'float32', ['n'])],
    nodes: [makeNode({ op, inputs, outputs: ['y'] })],
  },
});

/** A loop of 2⁶³ steps. */
export function endless(): Model {
  const body = makeGraph({
    name: 'body', inputs: [makeValueInfo('step', 'int64', []), makeValueInfo('going', 'bool', []), makeValueInfo('sum', 'float32', ['n'])],
    outputs: [makeValueInfo('on', 'bool', []), makeValueInfo('next', 'float32', ['n'])],
    nodes: [makeNode({ op: 'Identity', inputs: ['going'], outputs: ['on'] }), makeNode({ op: 'Cos', inputs: ['sum'], outputs: ['next'] })],
  });
  return makeModel({
    opset: 17,
    graph: {
      inputs: [makeValueInfo('x', 'float32', ['n'])], outputs: [makeValueInfo('y', 'float32', ['n'])],
      nodes: [makeNode({ op: 'Loop', inputs: ['trips', 'yes', 'x'], outputs: ['y'], attributes: { body } })],
      initializers: [makeInitializer('trips', 'int64', [], [2n ** 63n - 1n]), makeInitializer('yes', 'bool', [], [true])],
    },
  });
}

/** A vector of float32. */
export const vector = (...values: readonly number[]): Tensor => ({ dtype: 'float32', dims: [values.length], data: Float32Array.from(values) });
