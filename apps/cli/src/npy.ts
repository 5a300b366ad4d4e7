import { CoppiceError, type DataType, type Tensor } from '@coppice/graph';

/** Element types of NumPy that models take, with the array that holds them. */
const types = {
  '<f4': ['float32', Float32Array], '<f8': ['float64', Float64Array], '<f2': ['float16', Uint16Array],
  '<i8': ['int64', BigInt64Array], '<i4': ['int32', Int32Array], '|u1': ['uint8', Uint8Array], '|i1': ['int8', Int8Array], '|b1': ['bool', Uint8Array],
} as const satisfies Record<string, readonly [DataType, unknown]>;

const MAGIC = '\u0093NUMPY';
/** What `numpy.save` writes: a Python dictionary of three entries, in any order. */
const ENTRY = {
  descr: /'descr'\s*:\s*'([^']*)'/,
  order: /'fortran_order'\s*:\s*(True|False)/,
  shape: /'shape'\s*:\s*\(([\d\s,L]*)\)/,
} as const;

/**
 * Decodes a NumPy array file. NumPy Enhancement Proposal 1, versions 1 to 3.
 * @param name of the file, for messages
 * @throws CoppiceError `COPPICE_INPUT_INVALID`
 */
export function decodeNpy(bytes: Uint8Array, name: string): Tensor {
  const invalid = (what: string): CoppiceError => new CoppiceError('COPPICE_INPUT_INVALID', `${name} ${what}. Write it again with numpy.save(file, numpy.ascontiguousarray(array)).`);
  if (bytes.length < 10 || text(bytes.subarray(0, 6)) !== MAGIC) throw invalid('is not a NumPy array file (.npy): its first bytes are others');
  const version = bytes[6];
  if (version < 1 || version > 3) throw invalid(`has version ${version} of the .npy format, and only 1 to 3 are known`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (version > 1 && bytes.length < 12) throw invalid('ends within its header');
  const start = version === 1 ? 10 : 12;
  const end = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (end > bytes.length) throw invalid('ends within its header');
  const header = text(bytes.subarray(start, end));
  const [descr, order, shape] = [ENTRY.descr, ENTRY.order, ENTRY.shape].map((entry) => entry.exec(header)?.[1]);
  if (descr === undefined || order === undefined || shape === undefined) throw invalid(`has a header that cannot be understood: ${header.trim().slice(0, 120)}`);
  if (!Object.hasOwn(types, descr)) throw invalid(`holds elements of type '${descr}', and only ${Object.keys(types).join(' ')} can be read`);
  if (order === 'True') throw invalid('is stored column by column (Fortran order)');
  const dims = shape.split(',').map((part) => part.trim().replace(/L$/, '')).filter((part) => part !== '').map(Number);
  const [dtype, ArrayType] = types[descr as keyof typeof types];
  const byteLength = dims.reduce((product, size) => product * size, ArrayType.BYTES_PER_ELEMENT);
  if (byteLength !== bytes.length - end) throw invalid(`has ${bytes.length - end} bytes of data, and ${dtype}[${dims.join(', ')}] needs ${byteLength}`);
  // A copy, because typed arrays start at multiples of their element size; Buffer's own slice would share memory.
  const data = new ArrayType(Uint8Array.from(bytes.subarray(end)).buffer);
  if (dtype === 'bool' && (data as Uint8Array).some((value) => value > 1)) throw invalid('holds booleans that are neither 0 nor 1');
  return { dtype, dims, data };
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
