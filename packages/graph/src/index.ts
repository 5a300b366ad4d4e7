export * from './errors.ts';
export * from './gen/onnx_pb.js';
export * from './model.ts';
export * from './tensor.ts';
