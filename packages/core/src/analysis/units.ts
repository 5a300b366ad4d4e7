import type { Trace } from '../trace.ts';
import { Elements } from './elements.ts';
import { resolveFactors, type FactorPolicy } from './factors.ts';
import { freezeAxes, type NormPolicy } from './freeze.ts';
import { formGroups, type Group } from './groups.ts';
import { balance, type Balance } from './balance.ts';
import { collectUnits, type Unit } from './collect.ts';
import { analyseSteps, type AnalysedProgram } from './steps.ts';

export interface UnitOptions {
  /** Default `exact`. */
  readonly norm?: NormPolicy;
  /** Default `heads`. */
  readonly factors?: FactorPolicy;
  /** Graph inputs and outputs (recurrent states) whose widths may shrink. */
  readonly release?: readonly string[];
}

/** All that is known of what can be removed from a model: units, their groups, and the elements behind them. */
export interface Units {
  readonly analysed: AnalysedProgram;
  readonly elements: Elements;
  readonly units: readonly Unit[];
  readonly groups: readonly Group[];
  readonly options: Required<UnitOptions>;
}

/**
 * Finds the units of a traced model: the smallest sets of parameter slices that can leave together so that the graph stays valid.
 * Linear in the number of axis elements; no runtime is needed.
 */
export function findUnits(trace: Trace, options: UnitOptions = {}): Units {
  const settled = { norm: options.norm ?? 'exact', factors: options.factors ?? 'heads', release: options.release ?? [] } as const;
  const analysed = analyseSteps(trace);
  const elements = new Elements(analysed);
  freezeAxes(elements, analysed, { norm: settled.norm, release: new Set(settled.release) });
  elements.settle();
  resolveFactors(elements, settled.factors);
  for (;;) {
    const lanes = balance(elements);
    const units = collectUnits(elements, lanes);
    const torn = tornLanes(lanes, units);
    if (torn.length === 0) return { analysed, elements, units, groups: formGroups(elements, units, lanes), options: settled };
    for (const { axis, lanes: { length } } of torn) elements.collapse(axis, elements.sizeOf(axis) / length);
  }
}

/** Lanes of which some are units and others are not (nobody reads them): those must leave along with the units. */
const tornLanes = (balances: readonly Balance[], units: readonly Unit[]): Balance[] => {
  const sets = new Set(units.map(({ set }) => set));
  return balances.filter(({ lanes }) => lanes.some((lane) => lane.some((set) => sets.has(set))) && lanes.some((lane) => lane.some((set) => !sets.has(set))));
};
