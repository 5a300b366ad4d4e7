export { manifest, type ManifestDataset, openManifest } from './manifest.ts';
export { manifestModule } from './module.ts';
export type { ManifestOptions } from './options.ts';
export type { SkippedRow } from './row.ts';
