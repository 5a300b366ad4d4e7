export { computeFeatures, createFeatureStream, type Features, type FeatureStream } from './features.ts';
export { countFrames } from './framing.ts';
export * from './presets.ts';
export * from './settings.ts';
