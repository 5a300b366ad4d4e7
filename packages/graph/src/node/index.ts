export * from './folder-data.ts';
export * from './read-model.ts';
export * from './write-model.ts';
