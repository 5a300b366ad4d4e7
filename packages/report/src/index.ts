export * from './scorers.ts';
export * from './sensitivity.ts';
export * from './trade-off.ts';
