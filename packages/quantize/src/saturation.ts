import type { Backend } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo } from '@coppice/graph';

/** Long enough for the kernels that take several products at a time. */
const [ROWS, INNER, COLUMNS] = [4, 64, 16];

/**
 * Whether uint8 × int8 products are wrong on a backend because pairs of them are added in 16 bits: AVX2 and AVX-512 without VNNI use
 * VPMADDUBSW, which saturates at 32767, and 2 · 255 · 127 = 64770. ONNX Runtime, "Quantize ONNX models", section "When and why do I need to
 * try U8U8?". Tried with the largest numbers there are, rather than told from the name of the processor.
 */
export async function saturates(backend: Backend): Promise<boolean> {
  const model = makeModel({
    opset: 13,
    graph: {
      inputs: [makeValueInfo('a', 'uint8', [ROWS, INNER])], outputs: [makeValueInfo('y', 'int32', [ROWS, COLUMNS])],
      nodes: [makeNode({ op: 'MatMulInteger', inputs: ['a', 'b'], outputs: ['y'] })],
      initializers: [makeInitializer('b', 'int8', [INNER, COLUMNS], new Int8Array(INNER * COLUMNS).fill(127))],
    },
  });
  let executable;
  try {
    executable = await backend.compile(model);
  } catch {
    // A backend without integer products does not run such models; the careful answer costs one bit.
    return true;
  }
  try {
    const { y } = await executable.run({ a: { dtype: 'uint8', dims: [ROWS, INNER], data: new Uint8Array(ROWS * INNER).fill(255) } });
    return (y.data as Int32Array).some((sum) => sum !== 255 * 127 * INNER);
  } finally {
    await executable.dispose();
  }
}
