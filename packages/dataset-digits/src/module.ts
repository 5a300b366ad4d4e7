import { tokens } from '@coppice/core';
import type { DatasetFormat } from '@coppice/speech';
import { ContainerModule } from 'inversify';
import { digits } from './digits.ts';

/** Binds the format to `tokens.Dataset` under its name. */
export const digitsModule = new ContainerModule(({ bind }) => {
  bind<DatasetFormat>(tokens.Dataset).toConstantValue(digits).whenNamed(digits.name);
});
