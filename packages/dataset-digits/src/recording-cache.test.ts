import { createRandom } from '@coppice/core';
import { expect, it } from 'vitest';
import { createRecordingCache } from './recording-cache.ts';

const audioOf = (samples: number): { samples: Float32Array; sampleRateHz: number } => ({ samples: new Float32Array(samples), sampleRateHz: 8000 });

it('never holds more than its bound, and always gives what was asked for', async () => {
  const cache = createRecordingCache(1000);
  const random = createRandom(1);
  for (let round = 0; round < 500; round++) {
    const size = 1 + random.integer(300);
    expect((await cache.get(String(size), async () => audioOf(size))).samples).toHaveLength(size);
    expect(cache.bytes).toBeLessThanOrEqual(1000);
  }
});

it('loads again only what it had to drop, the longest unused first', async () => {
  const cache = createRecordingCache(300 * 4);
  const loads: string[] = [];
  const get = async (key: string): Promise<unknown> => cache.get(key, async () => {
    loads.push(key);
    return audioOf(100);
  });
  for (const key of ['a', 'b', 'c', 'a', 'd', 'a', 'c', 'b']) await get(key);
  expect(loads.join('')).toBe('abcdb');
});

it('counts a recording once when two ask for it at a time, and does not hold a failure', async () => {
  const cache = createRecordingCache(1e6);
  await Promise.all([1, 2].map(() => cache.get('a', async () => audioOf(10))));
  expect(cache.bytes).toBe(40);
  await expect(cache.get('b', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect((await cache.get('b', async () => audioOf(5))).samples).toHaveLength(5);
});
