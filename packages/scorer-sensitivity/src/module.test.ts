import { tokens, type Scorer } from '@coppice/core';
import { Container } from 'inversify';
import { expect, it } from 'vitest';
import { measuredLoss, obd, sensitivityModule, snip } from './index.ts';

it('binds each criterion under its name', () => {
  const container = new Container();
  container.load(sensitivityModule);
  for (const scorer of [snip, obd, measuredLoss]) expect(container.get<Scorer>(tokens.Scorer, { name: scorer.name })).toBe(scorer);
});
