import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { inOrder } from './in-order.ts';

const items = Array.from({ length: 23 }, (_, k) => k);

it.each([1, 2, 7, 100])('gives results in order with at most %i under way', async (width) => {
  let [now, most] = [0, 0];
  const results = await Array.fromAsync(inOrder(items, width, async (item, at) => {
    most = Math.max(most, ++now);
    await wait((item * 7) % 5);
    now--;
    return [item, at];
  }));
  expect(results).toEqual(items.map((item) => [item, item]));
  expect(most).toBe(Math.min(width, items.length));
});

it('throws at the place of the failure, and begins nothing after it', async () => {
  const [begun, got]: [number[], number[]] = [[], []];
  await expect((async () => {
    for await (const item of inOrder(items, 4, async (item) => {
      begun.push(item);
      await wait(1);
      if (item === 5 || item === 6) throw new Error(`item ${item}`);
      return item;
    })) got.push(item);
  })()).rejects.toThrow('item 5');
  expect(got).toEqual([0, 1, 2, 3, 4]);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
});
