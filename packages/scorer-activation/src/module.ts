import { tokens, type Scorer } from '@coppice/core';
import { ContainerModule } from 'inversify';
import { apoz } from './apoz.ts';
import { meanMagnitude } from './mean-magnitude.ts';
import { variance } from './variance.ts';
import { wanda } from './wanda.ts';

/** Binds each criterion of this package to `tokens.Scorer` under its name. */
export const activationModule = new ContainerModule(({ bind }) => {
  for (const scorer of [meanMagnitude, variance, apoz, wanda]) bind<Scorer>(tokens.Scorer).toConstantValue(scorer).whenNamed(scorer.name);
});
