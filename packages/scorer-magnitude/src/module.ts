import { tokens, type Scorer } from '@coppice/core';
import { ContainerModule } from 'inversify';
import { bnScale } from './bn-scale.ts';
import { geometricMedian } from './geometric-median.ts';
import { lamp } from './lamp.ts';
import { l1, l2 } from './norms.ts';
import { random } from './random.ts';

/** Binds each criterion of this package to `tokens.Scorer` under its name. */
export const magnitudeModule = new ContainerModule(({ bind }) => {
  for (const scorer of [l1, l2, geometricMedian, bnScale, lamp, random]) bind<Scorer>(tokens.Scorer).toConstantValue(scorer).whenNamed(scorer.name);
});
