import { tokens, type Scorer } from '@coppice/core';
import { Container } from 'inversify';
import { expect, it } from 'vitest';
import { lamp, magnitudeModule } from './index.ts';

it('binds each criterion under its name', () => {
  const container = new Container();
  container.load(magnitudeModule);
  expect(container.get<Scorer>(tokens.Scorer, { name: 'lamp' })).toBe(lamp);
  expect(container.getAll<Scorer>(tokens.Scorer).map(({ name }) => name)).toEqual(['l1', 'l2', 'geometric-median', 'bn-scale', 'lamp', 'random']);
});
