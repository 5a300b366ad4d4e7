/**
 * Elements of fewer than 8 bits, one a byte, out of a stream packed lowest bits first; `signed` ones are sign-extended.
 * ONNX specification, TensorProto.raw_data: 2- and 4-bit integers, 4- and 6-bit floats.
 */
export function unpackBits(packed: Uint8Array, count: number, bits: number, signed: boolean): Uint8Array | Int8Array {
  const elements = signed ? new Int8Array(count) : new Uint8Array(count);
  const mask = (1 << bits) - 1;
  const signShift = 32 - bits;
  for (let k = 0; k < count; k++) {
    const start = k * bits;
    const at = Math.floor(start / 8);
    // An element of 6 bits may straddle two bytes.
    const window = packed[at] | ((packed[at + 1] ?? 0) << 8);
    const code = (window >> (start % 8)) & mask;
    elements[k] = signed ? (code << signShift) >> signShift : code;
  }
  return elements;
}

/** The inverse of `unpackBits`; unused bits of the last byte are zero. */
export function packBits(elements: ArrayLike<number>, bits: number): Uint8Array {
  const packed = new Uint8Array(Math.ceil((elements.length * bits) / 8));
  const mask = (1 << bits) - 1;
  for (let k = 0; k < elements.length; k++) {
    const start = k * bits;
    const at = Math.floor(start / 8);
    const window = (elements[k] & mask) << (start % 8);
    packed[at] |= window;
    if (window > 0xff) packed[at + 1] |= window >> 8;
  }
  return packed;
}
