import { CoppiceError } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Finding, Verification } from './finding.ts';
import type { BundleManifest, ModelEntry } from './manifest.ts';
import { describeModel, metadataFaults } from './model-entry.ts';
import { parseManifest } from './parse-manifest.ts';
import { checkFiles } from './runtime/index.ts';
import type { VerifyOptions } from './target.ts';
import { targetNamed } from './targets/index.ts';

/** What `verifyBundle` found, and in which bundle. */
export interface BundleVerification extends Verification {
  readonly manifest: BundleManifest;
}

/**
 * Proves a bundle: its files are those of the manifest, the manifest tells the truth about the model, and the golden clips give on the
 * target's real runtime what they gave at the export.
 * @throws CoppiceError `COPPICE_BUNDLE_INVALID` when the folder is no bundle, `COPPICE_TARGET_UNKNOWN`
 */
export async function verifyBundle(folder: string, options: VerifyOptions = {}): Promise<BundleVerification> {
  const manifest = readManifest(folder);
  const target = targetNamed(manifest.target);
  options.onProgress?.('files and manifest');
  const read = (path: string): Promise<Uint8Array | undefined> => readFile(join(folder, path)).catch(() => undefined);
  const early = [...await checkFiles(manifest.files, read), ...strangers(folder, manifest), ...listed(manifest)];
  if (early.length === 0) early.push(...truth(folder, manifest.model, manifest), ...(manifest.original === undefined ? [] : truth(folder, manifest.original, manifest)));
  // Code of a folder whose files are not what was exported is not run.
  if (early.some(({ about }) => about === 'file')) return { manifest, clips: 0, findings: early, notes: ['nothing was run, because the files are not those that were exported'] };
  options.onProgress?.(`golden clips on ${manifest.runtime.name}`);
  const verification = await target.verify(resolve(folder), manifest, options);
  return { manifest, ...verification, findings: [...early, ...verification.findings] };
}

/**
 * The manifest of a bundle, its form checked.
 * @throws CoppiceError `COPPICE_BUNDLE_INVALID`
 */
export function readManifest(folder: string): BundleManifest {
  const path = join(folder, 'manifest.json');
  if (!existsSync(path) || !statSync(path).isFile()) throw new CoppiceError('COPPICE_BUNDLE_INVALID', `${folder} is no bundle: it has no manifest.json. \`coppice export\` writes bundles.`);
  return parseManifest(readFileSync(path, 'utf8'), path);
}

/** Files that nobody exported; what npm installs is none of the bundle. */
function strangers(folder: string, { files }: BundleManifest): Finding[] {
  const known = new Set([...files.map(({ path }) => path), 'manifest.json', 'package-lock.json']);
  const found = globSync('**', { cwd: folder, exclude: (path) => /(^|[\\/])node_modules$/.test(String(path)) }).map((path) => path.replaceAll('\\', '/'));
  return found.filter((path) => path !== '.' && path !== '' && !known.has(path) && !path.startsWith('node_modules') && statSync(join(folder, path)).isFile())
    .map((path) => ({ about: 'file', where: path, message: `${path} is in the folder and not in the manifest: somebody added it. Remove it, or export again.` }));
}

/** What the manifest speaks of must be among the files whose hashes were checked. */
function listed({ files, model, original, golden }: BundleManifest): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const named = golden.clips.flatMap(({ audio, features, logProbs }) => [audio, features.path, logProbs.path]).filter((path) => !byPath.has(path));
  const models = [model, ...(original === undefined ? [] : [original])].filter(({ path, sha256, bytes }) => byPath.get(path)?.sha256 !== sha256 || byPath.get(path)?.bytes !== bytes);
  return [
    ...named.map((path): Finding => ({ about: 'manifest', where: 'manifest.json', message: `The manifest names ${path} among the golden clips and not among its files.` })),
    ...models.map(({ path }): Finding => ({ about: 'manifest', where: 'manifest.json', message: `The manifest is stale: what it says of the model ${path} (size or SHA-256) is not what it says of that file.` })),
  ];
}

/** Whether the manifest says of the model what the model says of itself. */
function truth(folder: string, entry: ModelEntry, { speech }: BundleManifest): Finding[] {
  const finding = (message: string): Finding => ({ about: 'manifest', where: 'manifest.json', message });
  try {
    const model = readModel(join(folder, entry.path));
    const actual = describeModel(model, speech, entry.quantisation);
    const stale = (Object.keys(actual) as (keyof typeof actual)[]).filter((key) => JSON.stringify(actual[key]) !== JSON.stringify(entry[key]));
    return [
      ...stale.map((key) => finding(`The manifest is stale: it says of ${entry.path} that '${key}' is ${JSON.stringify(entry[key])}, and the model has ${JSON.stringify(actual[key])}.`)),
      ...metadataFaults(model, speech).map(finding),
    ];
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    return [finding(`${entry.path} and the manifest do not belong together: ${error.message}`)];
  }
}
