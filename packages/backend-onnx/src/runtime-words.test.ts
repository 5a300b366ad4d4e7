import { describe, expect, it } from 'vitest';
import { isAbort, refusal, runFailure, runtimeWords } from './runtime-words.ts';

describe('runtimeWords', () => {
  // What ONNX Runtime 1.30 said, and what is left of it.
  const cases: readonly [raw: string, words: string][] = [
    ["Can't create a session. ERROR_CODE: 9, ERROR_MESSAGE: Could not find an implementation for Erf(13) node with name '/enc/erf'", "Could not find an implementation for Erf(13) node with name '/enc/erf'"],
    ["failed to call OrtRun(). ERROR_CODE: 1, ERROR_MESSAGE: Non-zero status code returned while running MatMul node. Name:'/enc/mm' Status Message: matmul_helper.h:61 Compute MatMul dimension mismatch", "MatMul '/enc/mm': MatMul dimension mismatch"],
    ["Non-zero status code returned while running Reshape node. Name:'/r' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool) input_shape_size == requested_shape_size was false. The input tensor cannot be reshaped to the requested shape. Input shape:{6}, requested shape:{4}\n", "Reshape '/r': input_shape_size == requested_shape_size was false. The input tensor cannot be reshaped to the requested shape. Input shape:{6}, requested shape:{4}"],
    ['Load model from /tmp/a b/model.onnx failed:/onnxruntime_src/onnxruntime/core/graph/model.cc:191 onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&, const onnxruntime::ModelOptions&) Missing opset in the model.', 'Missing opset in the model.'],
    ['/s/core/common/safeint.h:17 static void SafeIntExceptionHandler<onnxruntime::OnnxRuntimeException>::SafeIntOnOverflow() Integer overflow\n\n', 'Integer overflow'],
    ['This is an invalid model. Error: two nodes with same node name (a).', 'two nodes with same node name (a).'],
    ['', 'it gave no reason'],
  ];
  it.each(cases)('keeps the node and the reason of: %s', (raw, words) => {
    expect(runtimeWords(new Error(raw))).toBe(words);
  });

  it('cuts novels short', () => {
    expect(runtimeWords(new Error('word '.repeat(1000))).length).toBeLessThan(610);
  });

  it('puts the address that WebAssembly throws for a C++ exception into words', () => {
    expect(runtimeWords(5318208)).toMatch(/internal exception of the WebAssembly runtime/);
    expect(runFailure('onnx:wasm', 5318208)).toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining('4 GB'), cause: 5318208 });
  });
});

it('knows the errors after which a WebAssembly instance is dead', () => {
  expect(isAbort(Object.assign(new Error('null function'), { name: 'RuntimeError' }))).toBe(true);
  expect(isAbort(new Error('Aborted(OOM). Build with -sASSERTIONS for more info.'))).toBe(true);
  expect(isAbort(new Error('failed to call OrtRun().'))).toBe(false);
});

it('names the element type that has no place in JavaScript', () => {
  expect(refusal('onnx:wasm', new Error('unsupported data type: 16'))).toMatchObject({ code: 'COPPICE_UNSUPPORTED_TYPE', message: expect.stringContaining('bfloat16') });
});
