import { checkBundleFolder, exportBundle, type BundleManifest, type ExportRequest, type FolderOptions, type Target } from '@coppice/exporter-edge';
import { CoppiceError } from '@coppice/graph';
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { demoPage } from './demo-page.ts';

/** A folder in which a folder for each target will be. */
export interface Bundles {
  /**
   * Writes a bundle for each target, each complete or not at all, those for the web with the demonstration.
   * @throws CoppiceError what `exportBundle` throws
   */
  write(request: ExportRequest, targets: readonly Target[], onTarget?: (name: string) => void): Promise<BundleManifest[]>;
}

/**
 * Makes sure, before anything is computed, that bundles can be written below a folder.
 * @throws CoppiceError `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`
 */
export function makeBundles(folder: string, { force = false }: FolderOptions = {}): Bundles {
  if (!existsSync(dirname(folder))) throw new CoppiceError('COPPICE_FILE_WRITE', `${folder} cannot be made: there is no folder ${dirname(folder)}. Create it first.`);
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw new CoppiceError('COPPICE_FILE_EXISTS', `${folder} is a file. Choose another with --out.`);
    for (const name of readdirSync(folder)) checkBundleFolder(join(folder, name), { force });
  }
  return {
    async write(request, targets, onTarget) {
      const made = mkdirSync(folder, { recursive: true });
      try {
        const manifests: BundleManifest[] = [];
        for (const target of targets) {
          onTarget?.(target.name);
          manifests.push(await exportBundle(target, { ...request, options: { ...request.options, page: demoPage }, force }, join(folder, target.name)));
        }
        return manifests;
      } finally {
        if (made !== undefined && readdirSync(folder).length === 0) rmdirSync(folder);
      }
    },
  };
}
