import { tokens, type Scorer } from '@coppice/core';
import { ContainerModule } from 'inversify';
import { measuredLoss } from './measured-loss.ts';
import { obd } from './obd.ts';
import { snip } from './snip.ts';

/** Binds each criterion of this package to `tokens.Scorer` under its name. */
export const sensitivityModule = new ContainerModule(({ bind }) => {
  for (const scorer of [snip, obd, measuredLoss]) bind<Scorer>(tokens.Scorer).toConstantValue(scorer).whenNamed(scorer.name);
});
