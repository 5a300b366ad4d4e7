import { describe, expect, it } from 'vitest';
import { costOf } from './cost.ts';
import { planCut, removedUnits } from './plan.ts';
import { countingWeight, statedUnits } from './stated-model.ts';

/** x [N, T, 4] → 12 → 10 → 5: two groups, `first` and `second`. */
const network = () => statedUnits(
  [
    { op: 'MatMul', name: 'first', inputs: ['x', 'first.weight'], outputs: ['a'] },
    { op: 'Relu', inputs: ['a'], outputs: ['b'] },
    { op: 'MatMul', name: 'second', inputs: ['b', 'second.weight'], outputs: ['c'] },
    { op: 'MatMul', name: 'third', inputs: ['c', 'third.weight'], outputs: ['y'] },
  ],
  [countingWeight('first.weight', [4, 12]), countingWeight('second.weight', [12, 10]), countingWeight('third.weight', [10, 5])],
  { x: [[1, 3, 4], [2, 5, 4]], a: [[1, 3, 12], [2, 5, 12]], b: [[1, 3, 12], [2, 5, 12]], c: [[1, 3, 10], [2, 5, 10]], y: [[1, 3, 5], [2, 5, 5]] },
);
const byId = (units: ReturnType<typeof network>) => units.units.map((_, k) => k + 1);

describe('planCut', () => {
  it('keeps a budget of MACs within the cost of one removal', () => {
    const units = network();
    for (const macs of [0.9, 0.7, 0.5, 0.3]) {
      const plan = planCut(units, byId(units), { macs });
      expect(plan.after.macs).toBeLessThanOrEqual(plan.before.macs * macs);
      const onLess = plan.removed.slice(0, -1);
      expect(plan.before.macs * macs - plan.after.macs).toBeLessThanOrEqual(Math.max(...plan.removed.map((id) => costOf(units, plan.removed.filter((r) => r !== id)).macs)) - plan.after.macs);
      expect(onLess.length).toBe(plan.removed.length - 1);
    }
  });

  it('states the cost that a count by hand gives', () => {
    const units = network();
    const cost = costOf(units, [units.groups[0].lanes[0][0], units.groups[1].lanes[0][0]]);
    expect(cost).toEqual({ macs: 3 * (4 * 11 + 11 * 9 + 9 * 5), params: 4 * 11 + 11 * 9 + 9 * 5, bytes: 4 * (4 * 11 + 11 * 9 + 9 * 5) });
  });

  it('removes the least important units of each group', () => {
    const units = network();
    const plan = planCut(units, byId(units), { groups: { first: 0.5, second: 1 } });
    expect(plan.removed).toEqual(units.groups[0].lanes[0].slice(0, 6));
  });

  it('breaks ties by the order of the units', () => {
    const units = network();
    const plan = planCut(units, units.units.map(() => 1), { groups: { '*': 0.5 } });
    expect(plan.removed).toEqual([...units.groups[0].lanes[0].slice(6), ...units.groups[1].lanes[0].slice(5)]);
  });

  it('keeps widths multiples of --round-to and over --min-width', () => {
    const units = network();
    const plan = planCut(units, byId(units), { macs: 0.7, roundTo: 4, minWidth: 8 });
    for (const { after, before } of plan.widths) expect(after === before || (after % 4 === 0 && after >= 8)).toBe(true);
  });

  it('spares groups that are skipped, and prunes only those that are named', () => {
    const units = network();
    expect(planCut(units, byId(units), { macs: 0.6, skip: ['sec*'] }).widths[1]).toMatchObject({ before: 10, after: 10 });
    expect(planCut(units, byId(units), { macs: 0.6, only: ['second'] }).widths[0]).toMatchObject({ before: 12, after: 12 });
  });

  it('refuses a budget that cannot be reached and says the least that can', () => {
    const units = network();
    expect(() => planCut(units, byId(units), { macs: 0.01 })).toThrow(expect.objectContaining({ code: 'COPPICE_BUDGET_UNREACHABLE', message: expect.stringMatching(/4\.6 % remain/) }));
  });

  it('refuses fractions that make no sense and patterns that match nothing', () => {
    const units = network();
    expect(() => planCut(units, byId(units), { macs: 1.5 })).toThrow(expect.objectContaining({ code: 'COPPICE_BUDGET_INVALID' }));
    expect(() => planCut(units, byId(units), { macs: 0.5, skip: ['nothing'] })).toThrow(expect.objectContaining({ code: 'COPPICE_GROUP_UNKNOWN' }));
  });

  it('ranks globally by what a removal costs, and does not prefer a layer for large weights', () => {
    const units = network();
    const even = units.units.map((_, id) => 1 + ((id * 7) % 11));
    const uneven = even.map((score, id) => (units.groups[0].lanes[0].includes(id) ? score * 1000 : score));
    const widths = (scores: readonly number[], comparable: boolean) => planCut(units, scores, { macs: 0.5, ranking: 'global', comparable }).widths.map(({ after }) => after);
    expect(widths(uneven, false)).toEqual(widths(even, false));
    expect(widths(uneven, true)[0]).toBe(12);
  });

  it('lists the removed slices in the coordinates of the original', () => {
    const units = network();
    const plan = planCut(units, byId(units), { groups: { first: 11 / 12, second: 1 } });
    expect(removedUnits(units, plan)).toEqual([{
      group: 'first', lane: 0, unit: 0, score: 1,
      slices: [{ initializer: 'first.weight', axis: 1, indices: [0] }, { initializer: 'second.weight', axis: 0, indices: [0] }],
    }]);
  });
});
