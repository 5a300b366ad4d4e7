import { createRandom, type Evidence, type Random, type Scorer, type SlicePlace, type UnitInfo } from '@coppice/core';
import { describe, expect, it } from 'vitest';

type SampleSlice = SlicePlace & Evidence;

/** A convolution with a norm, both directions of a recurrent layer, attention heads that no weight reads, and a unit that is alone. */
const sampleGroups: readonly (Pick<UnitInfo, 'group' | 'kind'> & { readonly lanes: readonly number[]; readonly slices: readonly (Omit<SlicePlace, 'unit'> & { readonly elements: number })[] })[] = [
  {
    group: 'conv', kind: 'channels', lanes: [7],
    slices: [
      { role: 'out', operator: 'Conv', operand: 'W', initializer: 'conv.weight', elements: 12 },
      { role: 'out', operator: 'Conv', operand: 'B', initializer: 'conv.bias', elements: 1 },
      { role: 'along', operator: 'BatchNormalization', operand: 'scale', initializer: 'norm.weight', elements: 1 },
      { role: 'in', operator: 'GRU', operand: 'W', initializer: 'gru.weight', elements: 18 },
    ],
  },
  {
    group: 'gru', kind: 'hidden units', lanes: [5, 5],
    slices: [
      { role: 'out', operator: 'GRU', operand: 'W', initializer: 'gru.weight', elements: 21 },
      { role: 'out', operator: 'GRU', operand: 'R', initializer: 'gru.recurrence', elements: 15 },
      { role: 'out', operator: 'GRU', operand: 'B', initializer: 'gru.bias', elements: 6 },
      { role: 'in', operator: 'MatMul', operand: 'B', initializer: 'dense.weight', elements: 4 },
    ],
  },
  {
    group: 'heads', kind: 'heads', lanes: [3],
    slices: [
      { role: 'out', operator: 'MatMul', operand: 'B', initializer: 'query.weight', elements: 20 },
      { role: 'in', operator: 'MatMul', operand: 'A', initializer: '', elements: 0 },
    ],
  },
  { group: 'unit 20', kind: 'neurons', lanes: [1], slices: [{ role: 'along', operator: 'Add', operand: 'B', initializer: 'bias', elements: 1 }, { role: 'in', operator: 'MatMul', operand: 'B', initializer: 'last.weight', elements: 2 }] },
];

const FRAMES = 24;

const sampleUnits = (): UnitInfo[] => {
  const units: Omit<UnitInfo, 'id'>[] = sampleGroups.flatMap(({ group, kind, lanes }) => lanes.flatMap((width, lane) => Array.from({ length: width }, () => ({ group, kind, lane }))));
  return units.map((unit, id) => ({ ...unit, id }));
};

/**
 * What core hands over for one batch of a small imaginary model: all slices, or where a scorer needs activations, those that consumers
 * weigh them with. Half of the convolution's activations are zero, as behind ReLU.
 */
function sampleSlices(scorer: Scorer, scale: number): SampleSlice[] {
  const random = createRandom('describeScorer');
  const active = scorer.needs.includes('activations');
  if (scorer.needs.length === 0) return [];
  return sampleUnits().flatMap(({ id, group }) => sampleGroups.find((sample) => sample.group === group)!.slices
    .filter(({ role, elements }) => (active ? role === 'in' : elements > 0))
    .map(({ elements, ...place }) => ({
      unit: id, ...place,
      weights: numbers(random, elements, scale),
      gradients: numbers(random, elements, scale),
      activations: active ? numbers(random, FRAMES, scale, group === 'conv' ? 0 : -Infinity) : new Float32Array(0),
    })));
}

const numbers = (random: Random, length: number, scale: number, least = -Infinity): Float32Array =>
  Float32Array.from({ length }, () => Math.max(least, scale * random.normal()));

/** Scores of the sample units after some batches. */
function run(scorer: Scorer, batches: readonly (readonly SampleSlice[])[], seed = 0): number[] {
  const units = sampleUnits();
  let state = scorer.start(units, { seed });
  for (const slice of batches.flat()) state = scorer.add(state, slice) ?? state;
  return Array.from(scorer.finish(state, units));
}

/** The same activations in batches that end at the given frames. */
const inBatches = (slices: readonly SampleSlice[], ends: readonly number[]): SampleSlice[][] =>
  ends.map((end, k) => slices.map((slice) => ({ ...slice, activations: slice.activations.subarray(ends[k - 1] ?? 0, end) })));

/** Equal up to the rounding of sums in single precision. */
const expectClose = (got: readonly number[], wanted: readonly number[]): void => {
  const scale = Math.max(...wanted.map(Math.abs), Number.MIN_VALUE);
  expect(got.map((score, unit) => Math.abs(score - wanted[unit]) / scale).filter((difference) => !(difference < 1e-5))).toEqual([]);
};

/**
 * What every scorer must do, as tests: one finite, non-negative number for each unit, the same for the same seed, whatever the order of
 * slices within a batch and wherever batches end. Call it in a test file: `describeScorer(taylor)`.
 */
export function describeScorer(scorer: Scorer): void {
  describe(`scorer ${scorer.name}`, () => {
    const slices = sampleSlices(scorer, 1);

    it('gives each unit one finite number of 0 or more', () => {
      const scores = run(scorer, [slices]);
      expect(scores).toHaveLength(sampleUnits().length);
      expect(scores.filter((score) => !(score >= 0 && score < Infinity))).toEqual([]);
    });

    it('tells units apart', () => {
      expect(new Set(run(scorer, [slices])).size).toBeGreaterThan(1);
    });

    it('does so too where everything is zero, or nothing is there', () => {
      for (const batches of [[sampleSlices(scorer, 0)], []]) expect(run(scorer, batches).filter((score) => !(score >= 0 && score < Infinity))).toEqual([]);
    });

    it('gives the same scores for the same seed', () => {
      expect(run(scorer, [slices], 7)).toEqual(run(scorer, [slices], 7));
    });

    it('does not depend on the order in which slices come', () => {
      const random = createRandom('order');
      expectClose(run(scorer, [random.shuffle(slices)]), run(scorer, [slices]));
    });

    if (scorer.needs.includes('activations')) {
      it('does not depend on where batches end', () => {
        expectClose(run(scorer, inBatches(slices, [1, 10, 10, FRAMES])), run(scorer, [slices]));
      });
    }

    it('leaves the evidence as it was', () => {
      const before = structuredClone(slices);
      run(scorer, [slices]);
      expect(slices).toEqual(before);
    });
  });
}
