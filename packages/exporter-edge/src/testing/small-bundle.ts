import type { Backend } from '@coppice/core';
import { buildReferenceModel, defaultFeatures, describeReferenceModel, tokenizerOf } from '@coppice/speech';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportBundle, type ExportRequest } from '../export-bundle.ts';
import type { BundleManifest } from '../manifest.ts';
import { manifestText } from '../parse-manifest.ts';
import { targetNamed } from '../targets/index.ts';

const folders: string[] = [];

/** An empty folder, until `removeFolders`. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-bundle-'));
  folders.push(folder);
  return folder;
}

/** For `afterAll` of every file that makes folders. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A recogniser that was never trained, in an export request. Its words come out of noise, but always the same ones. */
export function smallRequest(backend: Backend, changes: Partial<ExportRequest> = {}): ExportRequest {
  const model = buildReferenceModel({ mels: 8, channels: [4, 4], hidden: 6, layers: 1, tokens: 5, seed: 3 });
  const speech = describeReferenceModel(model, { features: defaultFeatures({ sampleRateHz: 8000, mels: 8 }), tokenizer: tokenizerOf('words', ['one', 'two', 'three', 'four']) });
  return { name: 'small', model, speech, backend, ...changes };
}

/** A bundle in a new folder. */
export async function smallBundle(target: 'node' | 'web', backend: Backend, changes: Partial<ExportRequest> = {}): Promise<{ folder: string; manifest: BundleManifest }> {
  const folder = join(newFolder(), target);
  return { folder, manifest: await exportBundle(targetNamed(target), smallRequest(backend, changes), folder) };
}

/** A copy of a bundle in which something is different. */
export function plant(bundle: string, change: (fault: Fault) => void): string {
  const folder = join(newFolder(), 'planted');
  cpSync(bundle, folder, { recursive: true });
  change(new Fault(folder));
  return folder;
}

/** Ways to spoil a bundle. */
export class Fault {
  readonly folder: string;
  constructor(folder: string) {
    this.folder = folder;
  }

  /** Changes the manifest alone, which has no hash of itself. */
  manifest(change: (manifest: BundleManifest) => object): void {
    const path = join(this.folder, 'manifest.json');
    writeFileSync(path, manifestText(change(JSON.parse(readFileSync(path, 'utf8')) as BundleManifest) as BundleManifest));
  }

  /** Changes the bytes of a file. */
  file(path: string, change: (bytes: Buffer) => Uint8Array): void {
    writeFileSync(join(this.folder, path), change(readFileSync(join(this.folder, path))));
  }

  /** Makes hashes and sizes of the manifest right again, as somebody would who knows about them. */
  seal(): void {
    const entry = <E extends { readonly path: string }>(own: E): E => {
      const bytes = readFileSync(join(this.folder, own.path));
      return { ...own, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    };
    this.manifest((manifest) => ({ ...manifest, model: entry(manifest.model), files: manifest.files.map(entry) }));
  }
}
