import { gzipSync } from 'node:zlib';
import type { RuntimeEntry } from '../../manifest.ts';
import type { BundleFile, TargetOptions } from '../../target.ts';
import { onnxRuntimeVersion, webRuntimeFile } from '../onnx-runtime.ts';

interface Build {
  readonly wasm: string;
  readonly scripts: readonly string[];
}

/** The build without WebGPU: the smallest that the registry has. The one with threads is also the one without. */
const plain: Build = { wasm: 'ort-wasm-simd-threaded.wasm', scripts: ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs'] };
/** The build with WebGPU that needs nothing else of the browser. */
const webgpu: Build = { wasm: 'ort-wasm-simd-threaded.asyncify.wasm', scripts: ['ort.webgpu.min.mjs', 'ort-wasm-simd-threaded.asyncify.mjs'] };

/** Packed once for each process: a third of a second. */
const packed = new Map<string, Uint8Array>();

/** A build as it lies in a bundle: the WebAssembly compressed, so that every server transfers little. */
function filesOf({ wasm, scripts }: Build): BundleFile[] {
  const bytes = packed.get(wasm) ?? gzipSync(webRuntimeFile(wasm), { level: 9 });
  packed.set(wasm, bytes);
  // Not called .gz: some servers would unpack that on the way, and the hash would be of something else.
  return [{ path: `runtime/${wasm}.packed`, bytes }, ...scripts.map((name) => ({ path: `runtime/${name}`, bytes: webRuntimeFile(name) }))];
}

/** ONNX Runtime as it lies in a bundle. */
export const runtimeFiles = (options: TargetOptions): BundleFile[] => [...filesOf(plain), ...(options.webgpu ? filesOf(webgpu) : [])];

/** What it costs, in words too. */
export function runtimeEntry(options: TargetOptions): RuntimeEntry {
  const bytes = sizeOf(plain);
  const more = options.webgpu ? ` WebGPU takes ${megabytes(sizeOf(webgpu))} instead, when it is chosen.` : '';
  return {
    name: 'onnxruntime-web', version: onnxRuntimeVersion, bytes,
    note: `${megabytes(bytes)} are transferred for ONNX Runtime, ${megabytes(webRuntimeFile(plain.wasm).length)} when unpacked: it has every operator. That is the smallest build in the npm registry; one with this model's operators alone has to be compiled from source.${more}`,
  };
}

const sizeOf = (build: Build): number => filesOf(build).reduce((sum, { bytes }) => sum + (bytes as Uint8Array).length, 0);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
