export { runCli, type CliOptions } from './cli.ts';
export { builtInModules, createContainer } from './container.ts';
export { exitCodes } from './context.ts';
export { decodeNpy } from './npy.ts';
export { planText, readPlan } from './plan-document.ts';
export { planSchema } from './plan-schema.ts';
export { defineConfig, type Config, type Plugin } from './plugins.ts';
export type { TextStream } from './terminal.ts';
