import { tokens } from '@coppice/core';
import type { DatasetFormat } from '@coppice/speech';
import { ContainerModule } from 'inversify';
import { librispeech } from './librispeech.ts';

/** Binds the format to `tokens.Dataset` under its name. */
export const librispeechModule = new ContainerModule(({ bind }) => {
  bind<DatasetFormat>(tokens.Dataset).toConstantValue(librispeech).whenNamed(librispeech.name);
});
