import { createRandom, deserialiseState, serialiseState, type Random, type ScoredSlice, type Scorer, type SlicePlace, type UnitInfo } from '@coppice/core';
import { describe, expect, it } from 'vitest';

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
 * What core hands over for one batch of a small imaginary model: all slices; where a scorer needs activations, those that consumers
 * weigh them with; where it needs the loss, each unit once. Half of the convolution's activations are zero, as behind ReLU, and masking
 * a unit makes the loss smaller now and then. Weights are the same in all batches.
 */
function sampleSlices(scorer: Scorer, scale: number, batch = 0): ScoredSlice[] {
  const random = createRandom('describeScorer');
  const measured = createRandom(`describeScorer/${batch}`);
  const [active, masked] = [scorer.needs.includes('activations'), scorer.needs.includes('loss')];
  if (scorer.needs.length === 0) return [];
  const nothing = { batch, weights: new Float32Array(0), gradients: new Float32Array(0), activations: new Float32Array(0), loss: 0 };
  if (masked) return sampleUnits().map(({ id }) => ({ ...nothing, unit: id, role: 'out', operator: '', operand: '', initializer: '', loss: scale * measured.normal() }));
  return sampleUnits().flatMap(({ id, group }) => sampleGroups.find((sample) => sample.group === group)!.slices
    .filter(({ role, elements }) => (active ? role === 'in' : elements > 0))
    .map(({ elements, ...place }) => ({
      ...nothing, unit: id, ...place,
      weights: numbers(random, elements, scale),
      gradients: numbers(measured, elements, scale),
      activations: active ? numbers(measured, FRAMES, scale, group === 'conv' ? 0 : -Infinity) : nothing.activations,
    })));
}

const numbers = (random: Random, length: number, scale: number, least = -Infinity): Float32Array =>
  Float32Array.from({ length }, () => Math.max(least, scale * random.normal()));

/** Scores of the sample units after some batches, which are numbered in the order in which they come. */
function run(scorer: Scorer, batches: readonly (readonly ScoredSlice[])[], seed = 0, between = (state: unknown) => state): number[] {
  const units = sampleUnits();
  let state = scorer.start(units, { seed });
  batches.forEach((slices, batch) => {
    for (const slice of slices) state = scorer.add(state, { ...slice, batch }) ?? state;
    state = between(state);
  });
  return Array.from(scorer.finish(state, units));
}

/** The same activations in batches that end at the given frames. */
const inBatches = (slices: readonly ScoredSlice[], ends: readonly number[]): ScoredSlice[][] =>
  ends.map((end, k) => slices.map((slice) => ({ ...slice, activations: slice.activations.subarray(ends[k - 1] ?? 0, end) })));

/** Equal up to the rounding of sums in single precision. */
const expectClose = (got: readonly number[], wanted: readonly number[]): void => {
  const scale = Math.max(...wanted.map(Math.abs), Number.MIN_VALUE);
  expect(got.map((score, unit) => Math.abs(score - wanted[unit]) / scale).filter((difference) => !(difference < 1e-5))).toEqual([]);
};

/**
 * What every scorer must do, as tests: one finite, non-negative number for each unit, the same for the same seed, whatever the order of
 * slices within a batch, of batches (gradients, loss) and wherever batches end (activations), and whether it is stopped and taken up again
 * between two batches. Call it in a test file: `describeScorer(taylor)`.
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

    if (scorer.needs.includes('gradients') || scorer.needs.includes('loss')) {
      const batches = [0, 1, 2, 3].map((batch) => sampleSlices(scorer, 1, batch));

      it('takes every batch into account', () => {
        batches.forEach((_, left) => expect(run(scorer, batches.filter((__, k) => k !== left))).not.toEqual(run(scorer, batches)));
      });

      it('does not depend on the order of batches', () => {
        expectClose(run(scorer, createRandom('batches').shuffle(batches)), run(scorer, batches));
      });
    }

    it('gives the same scores when it is stopped after any batch and taken up from its saved state', () => {
      const batches = [0, 1, 2].map((batch) => sampleSlices(scorer, 1, batch));
      expect(run(scorer, batches, 3, (state) => deserialiseState(serialiseState(state)))).toEqual(run(scorer, batches, 3));
      expect(run(scorer, batches, 3, structuredClone)).toEqual(run(scorer, batches, 3));
    });

    it('leaves the evidence as it was', () => {
      const before = structuredClone(slices);
      run(scorer, [slices]);
      expect(slices).toEqual(before);
    });
  });
}
