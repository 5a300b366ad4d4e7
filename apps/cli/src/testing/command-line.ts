import { writeModel } from '@coppice/graph/node';
import { buildReferenceModel, type ReferenceOptions } from '@coppice/speech';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli, type CliOptions } from '../cli.ts';

/** What one command did. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process, with streams that are no screens. */
export async function run(words: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  let [out, err] = ['', ''];
  const code = await runCli(words, { out: { write: (text) => (out += text) }, err: { write: (text) => (err += text) }, ...options });
  return { code, out, err };
}

const folders: string[] = [];

/** An empty folder, until `removeFolders`. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-cli-'));
  folders.push(folder);
  return folder;
}

/** For `afterAll` of every file that makes folders. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Small enough to prune in a blink: two convolutions, one bidirectional GRU. */
export const smallSizes: ReferenceOptions = { mels: 8, channels: [4, 6], hidden: 8, layers: 1, tokens: 5 };

/** A folder with a small reference model in it. */
export function folderWithModel(sizes: ReferenceOptions = {}): { folder: string; model: string; path: (name: string) => string } {
  const folder = newFolder();
  const path = (name: string): string => join(folder, name);
  writeModel(buildReferenceModel({ ...smallSizes, ...sizes }), path('model.onnx'));
  return { folder, model: path('model.onnx'), path };
}

/** The bytes of a `.npy` file, version 1, as `numpy.save` writes them. */
export function encodeNpy(descr: string, dims: readonly number[], data: ArrayBufferView, { order = 'False', version = 1 } = {}): Uint8Array {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const head = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape}), }`;
  const start = version === 1 ? 10 : 12;
  const header = `${head.padEnd(Math.ceil((start + head.length + 1) / 64) * 64 - start - 1)}\n`;
  const bytes = new Uint8Array(start + header.length + data.byteLength);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  if (version === 1) view.setUint16(8, header.length, true);
  else view.setUint32(8, header.length, true);
  bytes.set(Buffer.from(header, 'latin1'), start);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start + header.length);
  return bytes;
}
