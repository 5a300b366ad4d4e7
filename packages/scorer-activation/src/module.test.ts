import { tokens, type Scorer } from '@coppice/core';
import { Container } from 'inversify';
import { expect, it } from 'vitest';
import { activationModule, apoz, meanMagnitude, variance, wanda } from './index.ts';

it('binds each criterion under its name', () => {
  const container = new Container();
  container.load(activationModule);
  for (const scorer of [meanMagnitude, variance, apoz, wanda]) expect(container.get<Scorer>(tokens.Scorer, { name: scorer.name })).toBe(scorer);
});
