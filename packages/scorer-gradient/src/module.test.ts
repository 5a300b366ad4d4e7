import { tokens, type Scorer } from '@coppice/core';
import { Container } from 'inversify';
import { expect, it } from 'vitest';
import { fisher, gradientModule, gradientNorm, taylor } from './index.ts';

it('binds each criterion under its name', () => {
  const container = new Container();
  container.load(gradientModule);
  for (const scorer of [taylor, fisher, gradientNorm]) expect(container.get<Scorer>(tokens.Scorer, { name: scorer.name })).toBe(scorer);
});
