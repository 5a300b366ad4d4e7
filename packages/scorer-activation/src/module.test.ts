import { tokens, type Scorer } from '@coppice/core';
import { Container } from 'inversify';
import { expect, it } from 'vitest';
import { activationModule, wanda } from './index.ts';

it('binds each criterion under its name', () => {
  const container = new Container();
  container.load(activationModule);
  expect(container.get<Scorer>(tokens.Scorer, { name: 'wanda' })).toBe(wanda);
  expect(container.getAll<Scorer>(tokens.Scorer).map(({ name }) => name)).toEqual(['mean-magnitude', 'variance', 'apoz', 'wanda']);
});
