export { computeFeatures, createFeatureStream, type Features, type FeatureStream } from './features.ts';
export { cepstrumMatrix } from './cepstrum.ts';
export { countFrames, firstStart } from './framing.ts';
export { melFilters, type MelFilter } from './mel.ts';
export * from './presets.ts';
export * from './settings.ts';
export { windowValues } from './window.ts';
