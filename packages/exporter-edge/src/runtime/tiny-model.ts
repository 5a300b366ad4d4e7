/** An ONNX file with one Identity: to load it starts the runtime, so that the time of that is not counted as the first model's. */
export const tinyModel = (): Uint8Array => new Uint8Array([
  8, 7, 18, 7, 99, 111, 112, 112, 105, 99, 101, 58, 55, 10, 16, 10, 1, 120, 18, 1, 121, 34, 8, 73, 100, 101, 110, 116, 105, 116, 121, 18, 1, 103, 90, 15, 10, 1, 120, 18, 10, 10, 8, 8, 1, 18, 4, 10, 2, 8, 1, 98, 15, 10, 1, 121, 18, 10, 10, 8, 8,
  1, 18, 4, 10, 2, 8, 1, 66, 4, 10, 0, 16, 13,
]);
