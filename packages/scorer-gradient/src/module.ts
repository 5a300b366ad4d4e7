import { tokens, type Scorer } from '@coppice/core';
import { ContainerModule } from 'inversify';
import { fisher } from './fisher.ts';
import { gradientNorm } from './gradient-norm.ts';
import { taylor } from './taylor.ts';

/** Binds each criterion of this package to `tokens.Scorer` under its name. */
export const gradientModule = new ContainerModule(({ bind }) => {
  for (const scorer of [taylor, fisher, gradientNorm]) bind<Scorer>(tokens.Scorer).toConstantValue(scorer).whenNamed(scorer.name);
});
