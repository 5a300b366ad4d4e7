import { tokens } from '@coppice/core';
import type { DatasetFormat } from '@coppice/speech';
import { ContainerModule } from 'inversify';
import { manifest } from './manifest.ts';

/** Binds the format to `tokens.Dataset` under its name. */
export const manifestModule = new ContainerModule(({ bind }) => {
  bind<DatasetFormat>(tokens.Dataset).toConstantValue(manifest).whenNamed(manifest.name);
});
