type Sign = { readonly at: number; readonly bytes: readonly number[] | string; readonly kind: string };

/** How files of other formats begin, and what to call them. */
const signs: readonly Sign[] = [
  { at: 0, bytes: 'PK\x03\x04', kind: 'a ZIP archive, as PyTorch (.pt, .pth), Keras 3 (.keras) and NumPy (.npz) write; export the model to ONNX from there' },
  { at: 4, bytes: 'TFL3', kind: 'a TensorFlow Lite model; convert it with tf2onnx' },
  { at: 4, bytes: 'ORTM', kind: 'a model in the format of ONNX Runtime (.ort); use the .onnx file it was made from' },
  { at: 0, bytes: '\x89HDF\r\n\x1a\n', kind: 'an HDF5 file, as Keras 2 (.h5) writes; convert it with tf2onnx' },
  { at: 0, bytes: [0x1f, 0x8b], kind: 'a gzip archive; unpack it first' },
  { at: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd], kind: 'a Zstandard archive; unpack it first' },
  { at: 0, bytes: '\xfd7zXZ\x00', kind: 'an xz archive; unpack it first' },
  { at: 0, bytes: 'BZh', kind: 'a bzip2 archive; unpack it first' },
  { at: 257, bytes: 'ustar', kind: 'a tar archive; unpack it first' },
  { at: 0, bytes: 'GGUF', kind: 'a GGUF model; export the original to ONNX' },
  { at: 0, bytes: '\x93NUMPY', kind: 'a NumPy array (.npy)' },
  { at: 0, bytes: 'RIFF', kind: 'a RIFF file, such as WAV audio' },
  { at: 0, bytes: 'fLaC', kind: 'FLAC audio' },
  { at: 0, bytes: '\x7fELF', kind: 'a program or library' },
  { at: 0, bytes: 'version https://git-lfs', kind: 'a Git LFS pointer, not the file itself; run `git lfs pull`' },
  { at: 0, bytes: '7767517\n', kind: 'an ncnn model; export the original to ONNX' },
];

const startsWith = (bytes: Uint8Array, { at, bytes: sign }: Sign): boolean => {
  const wanted = typeof sign === 'string' ? Array.from(sign, (letter) => letter.charCodeAt(0)) : sign;
  return wanted.every((byte, k) => bytes[at + k] === byte);
};

/** What a file seems to be that is not an ONNX model, with what to do about it; undefined when it cannot be told. */
export function fileKind(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'empty';
  const sign = signs.find((candidate) => startsWith(bytes, candidate));
  if (sign) return sign.kind;
  if (isSafetensors(bytes)) return 'a safetensors file, which holds weights without a graph; export the model to ONNX';
  // Protocol 2 or later, then an opcode: ONNX cannot start so, field 16 of a model is not in use.
  if (bytes[0] === 0x80 && bytes[1] >= 2 && bytes[1] <= 5) return 'a Python pickle, as PyTorch before 1.6 writes; export the model to ONNX';
  return textKind(bytes);
}

/** A header length of 64 bits, then JSON. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  return headerLength > 1n && headerLength <= BigInt(bytes.length - 8);
}

function textKind(bytes: Uint8Array): string | undefined {
  const head = bytes.subarray(0, 512);
  if (!head.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte !== 127))) return undefined;
  const text = new TextDecoder().decode(head).replace(/^\uFEFF/, '').trimStart();
  if (/^(<!doctype|<html)/i.test(text)) return 'a web page, probably an error page saved in place of the download';
  if (text.startsWith('{') || text.startsWith('[')) return 'JSON';
  return text.startsWith('<') ? 'XML' : 'text';
}
