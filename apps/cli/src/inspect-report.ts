import { costOf, describeInputs, frozenPlaces, prunableShare, unitCosts, type Cost, type FrozenPlace, type UnitOptions } from '@coppice/core';
import { opsetOf } from '@coppice/graph';
import type { OpenedModel } from './model-options.ts';

/** One group as `inspect` shows it. */
export interface GroupReport {
  readonly name: string;
  readonly kind: string;
  readonly lanes: number;
  /** In each lane. */
  readonly units: number;
  /** What one unit costs while all others are there, on average. */
  readonly unit: { readonly macs: number; readonly params: number };
  /** What goes with the whole group. */
  readonly whole: { readonly macs: number; readonly params: number };
  readonly producers: readonly string[];
}

/** All that `inspect` tells of a model. */
export interface InspectReport {
  readonly model: { readonly path: string; readonly opset: number; readonly producer: string };
  /** Inputs of the traced run that MACs refer to. */
  readonly inputs: readonly { readonly name: string; readonly dtype: string; readonly declared: readonly (number | string)[] | null; readonly traced: readonly number[] }[];
  readonly options: Required<UnitOptions>;
  readonly cost: Cost;
  readonly prunable: { readonly macs: number; readonly params: number };
  /** Cost with every group at one unit in each lane: the least that a budget can ask for. */
  readonly least: Cost;
  readonly groups: readonly GroupReport[];
  readonly frozen: readonly FrozenPlace[];
  readonly notes: readonly string[];
  readonly baked: readonly string[];
  readonly milliseconds: OpenedModel['milliseconds'];
}

export function inspectReport({ path, model, trace, units, milliseconds }: OpenedModel): InspectReport {
  const cost = costOf(units);
  const each = unitCosts(units);
  const mean = (ids: readonly number[], costs: Float64Array): number => ids.reduce((sum, id) => sum + costs[id], 0) / ids.length;
  const widthOf = (lanes: readonly (readonly number[])[]): number => Math.min(...lanes.map((lane) => lane.length));
  const allButOne = units.groups.flatMap(({ lanes }) => lanes.flatMap((lane) => lane.slice(0, widthOf(lanes) - 1)));
  return {
    model: { path, opset: opsetOf(model.proto), producer: [model.proto.producerName, model.proto.producerVersion].filter(Boolean).join(' ') },
    inputs: describeInputs(model).map(({ name, dtype, dims }) => ({ name, dtype, declared: dims?.map((dim) => dim ?? '?') ?? null, traced: trace.runs[0].inputs[name]?.dims ?? [] })),
    options: units.options,
    cost,
    prunable: prunableShare(units),
    least: costOf(units, allButOne),
    groups: units.groups.map(({ name, kind, lanes, producers }) => {
      const ids = lanes.flat();
      const without = costOf(units, ids);
      return {
        name, kind, lanes: lanes.length, units: widthOf(lanes),
        unit: { macs: mean(ids, each.macs), params: mean(ids, each.params) },
        whole: { macs: cost.macs - without.macs, params: cost.params - without.params },
        producers,
      };
    }),
    frozen: frozenPlaces(units),
    notes: trace.notes,
    baked: trace.baked,
    milliseconds,
  };
}
