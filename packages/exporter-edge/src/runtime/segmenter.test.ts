import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { createSegmenter, type SegmentEvent } from './segmenter.ts';

const rate = 8000;
const random = createRandom('segmenter');
const noise = (seconds: number, loudness: number): Float32Array => Float32Array.from({ length: Math.round(seconds * rate) }, () => loudness * random.normal());
const join = (pieces: readonly Float32Array[]): Float32Array => Float32Array.from(pieces.flatMap((piece) => [...piece]));

/** Utterances of sound that comes in pieces of some size. */
function utterances(sound: Float32Array, size: number, options = {}): Float32Array[] {
  const segmenter = createSegmenter({ sampleRateHz: rate, ...options });
  const events: SegmentEvent[] = [];
  for (let at = 0; at < sound.length; at += size) events.push(...segmenter.accept(sound.subarray(at, at + size)));
  events.push(...segmenter.finish());
  const found: Float32Array[][] = [[]];
  for (const event of events) {
    if (event.type === 'end') found.push([]);
    else found.at(-1)!.push(event.samples);
  }
  expect(found.pop()).toEqual([]);
  return found.map(join);
}

describe('createSegmenter', () => {
  const speech = [noise(0.7, 0.2), noise(0.5, 0.1), noise(1.1, 0.3)];
  const quiet = (): Float32Array => noise(0.9, 0.0005);
  const sound = join([quiet(), speech[0], quiet(), speech[1], quiet(), speech[2], quiet()]);

  it('finds utterances between pauses, whole and with what comes before', () => {
    const found = utterances(sound, 160);
    expect(found).toHaveLength(3);
    for (const [k, own] of found.entries()) {
      expect(own.length).toBeGreaterThanOrEqual(speech[k].length + 0.1 * rate);
      expect(own.length).toBeLessThan(speech[k].length + 0.9 * rate);
    }
  });

  it('does not care in which pieces sound comes', () => {
    const whole = utterances(sound, sound.length);
    for (const size of [1, 77, 160, 512, 4001]) expect(utterances(sound, size)).toEqual(whole);
  });

  it('hands on samples as they are and in order', () => {
    let from = 0;
    for (const own of utterances(sound, 512)) {
      const at = sound.indexOf(own[0], from);
      expect(sound.subarray(at, at + own.length)).toEqual(own);
      from = at + own.length;
    }
  });

  it('hears nothing in silence, and takes a room that stays loud for silence', () => {
    expect(utterances(new Float32Array(3 * rate), 512)).toEqual([]);
    expect(utterances(join([noise(2, 0.0004), noise(20, 0.004)]), 512).length).toBeLessThan(3);
  });

  it('cuts what is longer than it may be', () => {
    const tone = Float32Array.from({ length: 10 * rate }, (_, n) => 0.3 * Math.sin(n) * (1 + Math.sin(n / 900)));
    for (const own of utterances(join([quiet(), tone, quiet()]), 512, { longestSeconds: 2 })) expect(own.length).toBeLessThanOrEqual(2.1 * rate);
  });
});
