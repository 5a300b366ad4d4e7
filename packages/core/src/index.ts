export * from './backend.ts';
export * from './tokens.ts';
