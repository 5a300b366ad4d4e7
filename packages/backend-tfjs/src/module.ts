import { tokens, type Backend } from '@coppice/core';
import { ContainerModule } from 'inversify';
import { tfjsBackend } from './backend.ts';
import { engineNames } from './engines.ts';

/** Binds every engine of TensorFlow.js to `tokens.Backend` under its name, and the best that is there as plain `tfjs`. */
export const tfjsModule = new ContainerModule(({ bind }) => {
  bind<Backend>(tokens.Backend).toDynamicValue(() => tfjsBackend()).inSingletonScope().whenNamed('tfjs');
  for (const engine of engineNames) bind<Backend>(tokens.Backend).toDynamicValue(() => tfjsBackend({ engine })).inSingletonScope().whenNamed(`tfjs:${engine}`);
});
