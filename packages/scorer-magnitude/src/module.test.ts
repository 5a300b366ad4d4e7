import { tokens, type Scorer } from '@coppice/core';
import { Container } from 'inversify';
import { expect, it } from 'vitest';
import { bnScale, geometricMedian, l1, l2, lamp, magnitudeModule, random } from './index.ts';

it('binds each criterion under its name', () => {
  const container = new Container();
  container.load(magnitudeModule);
  for (const scorer of [l1, l2, geometricMedian, bnScale, lamp, random]) expect(container.get<Scorer>(tokens.Scorer, { name: scorer.name })).toBe(scorer);
});
