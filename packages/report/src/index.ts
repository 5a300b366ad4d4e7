export * from './sensitivity.ts';
export * from './trade-off.ts';
