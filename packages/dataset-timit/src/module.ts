import { tokens } from '@coppice/core';
import type { DatasetFormat } from '@coppice/speech';
import { ContainerModule } from 'inversify';
import { timit } from './timit.ts';

/** Binds the format to `tokens.Dataset` under its name. */
export const timitModule = new ContainerModule(({ bind }) => {
  bind<DatasetFormat>(tokens.Dataset).toConstantValue(timit).whenNamed(timit.name);
});
