import { toBinary, create } from '@bufbuild/protobuf';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { checkModel } from './check.ts';
import { makeInitializer, makeModel, makeNode, makeValueInfo } from './edit.ts';
import { CoppiceError } from './errors.ts';
import { ModelProtoSchema, TensorProtoSchema } from './gen/onnx_pb.js';
import { graphOf, type Model } from './model.ts';
import { decodeModel, decodeTensor } from './read.ts';
import { readTensor, tensorBytes } from './tensors.ts';
import { encodeModel } from './write.ts';

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

const smallModel = (): Model => makeModel({
  opset: 17,
  graph: {
    inputs: [makeValueInfo('x', 'float32', ['batch', 4])],
    outputs: [makeValueInfo('y', 'float32', ['batch', 3])],
    nodes: [makeNode({ op: 'MatMul', name: 'dense', inputs: ['x', 'w'], outputs: ['y'] })],
    initializers: [makeInitializer('w', 'float32', [4, 3], Array.from({ length: 12 }, (_, k) => k / 8))],
  },
});

const refusal = (bytes: Uint8Array): CoppiceError => {
  try {
    decodeModel(bytes);
  } catch (error) {
    if (error instanceof CoppiceError) return error;
    throw error;
  }
  throw new Error('The bytes were taken for a model.');
};

/** A length-delimited field. */
const field = (number: number, ...contents: number[]): number[] => {
  const length: number[] = [];
  for (let rest = contents.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) break;
  }
  return [number * 8 + 2, ...length, ...contents];
};

describe('decodeModel', () => {
  it('keeps weights as views on the bytes of the file', () => {
    const bytes = encodeModel(smallModel());
    const model = decodeModel(Buffer.from(bytes.buffer));
    const weights = tensorBytes(model, graphOf(model).initializer[0]);
    expect(weights.buffer).toBe(bytes.buffer);
    expect(Object.getPrototypeOf(weights)).toBe(Uint8Array.prototype);
  });

  it.each([
    ['an empty file', new Uint8Array(), /empty/],
    ['a PyTorch checkpoint', ascii('PK\x03\x04\x00\x00archive/data.pkl'), /ZIP.*PyTorch/],
    ['a pickle', Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc), /pickle/],
    ['a TensorFlow Lite model', ascii('\x1c\x00\x00\x00TFL3\x00\x00'), /TensorFlow Lite/],
    ['a model of ONNX Runtime', ascii('\x1c\x00\x00\x00ORTM\x00\x00'), /ONNX Runtime/],
    ['a Keras file', ascii('\x89HDF\r\n\x1a\n\x00\x00'), /HDF5.*Keras/],
    ['a gzip archive', gzipSync(encodeModel(smallModel())), /gzip/],
    ['safetensors', ascii('\x10\x00\x00\x00\x00\x00\x00\x00{"a":{"dtype":1}}'), /safetensors/],
    ['JSON', ascii('{"irVersion": 8}'), /JSON/],
    ['a Git LFS pointer', ascii('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), /git lfs pull/],
    ['an error page', ascii('<!DOCTYPE html><html><body>404</body></html>'), /web page/],
    ['text', ascii('Accept the licence first.\n'), /text/],
    ['a model without a graph', toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n })), /no graph/],
  ])('says what %s is', (_, bytes, message) => {
    const error = refusal(bytes);
    expect(error.code).toBe('COPPICE_MODEL_MALFORMED');
    expect(error.message).toMatch(message);
  });

  it('refuses every proper beginning of a model', () => {
    const bytes = encodeModel(smallModel());
    for (let length = 0; length < bytes.length; length++) {
      const part = bytes.subarray(0, length);
      let model: Model;
      try {
        model = decodeModel(part);
      } catch (error) {
        expect(error).toMatchObject({ code: 'COPPICE_MODEL_MALFORMED' });
        continue;
      }
      // Cut between two fields of the model itself: what is left is a whole message, and lacks only what came after.
      expect(length).toBeGreaterThan(bytes.length - 10);
      expect(graphOf(model).node).toHaveLength(1);
    }
  });

  it('refuses lengths beyond the end without reserving memory for them', () => {
    const error = refusal(Uint8Array.of(0x08, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f));
    expect(error.code).toBe('COPPICE_MODEL_MALFORMED');
    expect(error.message).toMatch(/4294967295 bytes are announced.*incomplete/);
  });

  it('refuses a part that ends outside the part that contains it', () => {
    const graph = field(7, 0x12, 5, 0x67);
    expect(refusal(Uint8Array.of(0x08, 8, ...graph, 0, 0, 0, 0, 0)).code).toBe('COPPICE_MODEL_MALFORMED');
  });

  it('refuses bodies nested without end', () => {
    let graph: number[] = [];
    for (let k = 0; k < 200; k++) graph = field(1, ...field(5, ...field(6, ...graph)));
    const error = refusal(Uint8Array.from([0x08, 8, ...field(7, ...graph)]));
    expect(error.code).toBe('COPPICE_MODEL_MALFORMED');
    expect(error.message).toMatch(/nested too deeply/);
  });

  it('refuses a file whose two-byte nodes would fill the memory', () => {
    const nodes = 8_000_000;
    const bytes = new Uint8Array(7 + nodes * 2);
    bytes.set([0x08, 8, 0x3a, 0x80, 0xc8, 0xd0, 0x07]);
    for (let k = 7; k < bytes.length; k += 2) bytes[k] = 0x0a;
    expect(refusal(bytes).code).toBe('COPPICE_MODEL_TOO_LARGE');
  });
});

/** Random numbers that are the same every time. Mulberry32. */
const generator = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

describe('decodeTensor', () => {
  const bytes = toBinary(TensorProtoSchema, makeInitializer('x', 'int64', [2], [-1, 2 ** 40]));

  it('reads a tensor that is a file of its own', () => {
    expect(decodeTensor(bytes).name).toBe('x');
    expect(readTensor(smallModel(), decodeTensor(bytes))).toEqual({ dtype: 'int64', dims: [2], data: BigInt64Array.of(-1n, 2n ** 40n) });
  });

  it('refuses what is none', () => {
    for (const broken of [ascii('no tensor'), bytes.subarray(0, bytes.length - 1)]) expect(() => decodeTensor(broken)).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_MALFORMED', message: expect.stringContaining('not a tensor of ONNX') }));
  });
});

describe('a damaged file', () => {
  it('is a model or a CoppiceError, and nothing else, whatever bytes changed', () => {
    const original = encodeModel(smallModel());
    const random = generator(7);
    const pick = (below: number): number => Math.floor(random() * below);
    const outcomes = new Map<string, number>();
    const started = performance.now();
    for (let round = 0; round < 4000; round++) {
      const bytes = Uint8Array.from(original.subarray(0, round % 3 === 0 ? pick(original.length) : original.length));
      for (let change = pick(4); change >= 0 && bytes.length > 0; change--) bytes[pick(bytes.length)] = random() < 0.3 ? 0xff : pick(256);
      let outcome = 'fine';
      try {
        const model = decodeModel(bytes);
        checkModel(model);
        encodeModel(model);
      } catch (error) {
        if (!(error instanceof CoppiceError)) throw error;
        outcome = error.code;
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect(performance.now() - started).toBeLessThan(20_000);
    // Changed weights and names are a model still; both other ways must have been tried as well.
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['fine', 'COPPICE_MODEL_MALFORMED', 'COPPICE_MODEL_INVALID']));
  });

  it('is refused when it is random from the start', () => {
    const random = generator(11);
    for (let round = 0; round < 500; round++) {
      const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 300) }, () => Math.floor(random() * 256));
      expect(refusal(bytes).code).toBe('COPPICE_MODEL_MALFORMED');
    }
  });
});
