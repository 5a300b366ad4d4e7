import {
  CoppiceError, dataTypeOf, graphOf, makeValueInfo, readTensor, toFloat32, upgradeModel, withFields,
  type Model,
} from '@coppice/graph';
import type { Units } from './analysis/units.ts';
import type { Backend, NamedTensors } from './backend.ts';
import type { Scorer, UnitInfo } from './scorer.ts';
import { gather } from './scoring/gather.ts';
import { findSites, type Site, type WeightPart } from './scoring/sites.ts';
import { Uses } from './scoring/uses.ts';

/** How far scoring is. */
export interface ScoreProgress {
  readonly stage: 'weights' | 'activations';
  /** Initializers, or batches of data. */
  readonly done: number;
  /** Not known for batches of data. */
  readonly total?: number;
}

export interface ScoreOptions {
  /** For scorers with random numbers. Default 0. */
  readonly seed?: number;
  /** What runs the model; scorers that need activations need it. */
  readonly backend?: Backend;
  /** Batches of inputs for scorers that need activations. Default: the random inputs of the trace. */
  readonly data?: Iterable<NamedTensors> | AsyncIterable<NamedTensors>;
  readonly onProgress?: (progress: ScoreProgress) => void;
  /** Takes sentences that limit what the scores mean. */
  readonly onNote?: (note: string) => void;
}

/**
 * Gives each unit its importance: one finite, non-negative number, by unit id; higher = keep. Weights are read initializer by
 * initializer, activations batch by batch, and nothing of either is kept.
 *
 * A scorer that needs activations gets one `add` for each consumer of a unit and each batch, otherwise one for each slice. Units whose
 * activations no run can show (deep in a loop) get the mean score of the others of their group, or of all where a group has no others.
 * @throws CoppiceError `COPPICE_SCORER_INVALID` when the scorer asks for gradients, or gives something else than such numbers;
 * `COPPICE_BACKEND_MISSING`, `COPPICE_INPUT_INVALID` when it needs activations and there is nothing to run or to run it on; and what
 * the backend throws
 */
export async function scoreUnits(units: Units, scorer: Scorer, options: ScoreOptions = {}): Promise<Float64Array> {
  if (scorer.needs.includes('gradients')) {
    throw new CoppiceError('COPPICE_SCORER_INVALID', `The scorer '${scorer.name}' needs gradients, which come with the package autodiff in a later version. Choose one that needs weights or activations.`);
  }
  const infos = unitInfos(units);
  const session = new Scoring(scorer, infos, options.seed ?? 0);
  const active = scorer.needs.includes('activations');
  if (scorer.needs.length > 0) {
    const uses = new Uses(units);
    const parts = weightParts(units, uses);
    if (active) await addActivations(units, session, findSites(units, uses, parts), options);
    else addWeights(units, session, parts, options);
  }
  const scores = session.finish();
  if (active) fillUnseen(scores, infos, session.seen, options);
  return scores;
}

/** One use of a scorer: its state, and which units it has heard of. */
class Scoring {
  readonly scorer: Scorer;
  readonly seen: Uint8Array;
  readonly #units: readonly UnitInfo[];
  #state: unknown;

  constructor(scorer: Scorer, units: readonly UnitInfo[], seed: number) {
    this.scorer = scorer;
    this.seen = new Uint8Array(units.length);
    this.#units = units;
    this.#state = scorer.start(units, { seed });
  }

  add(slice: Parameters<Scorer['add']>[1]): void {
    this.seen[slice.unit] = 1;
    const next = this.scorer.add(this.#state, slice);
    if (next !== undefined) this.#state = next;
  }

  /** @throws CoppiceError `COPPICE_SCORER_INVALID` */
  finish(): Float64Array {
    const { name } = this.scorer;
    const given = this.scorer.finish(this.#state, this.#units);
    if (given?.length !== this.#units.length) throw new CoppiceError('COPPICE_SCORER_INVALID', `The scorer '${name}' gave ${given?.length ?? 'no'} scores for ${this.#units.length} units. Its 'finish' must return one number for each unit.`);
    const scores = new Float64Array(this.#units.length);
    for (const { id, group } of this.#units) {
      scores[id] = given[id];
      if (scores[id] >= 0 && scores[id] < Infinity) continue;
      throw new CoppiceError('COPPICE_SCORER_INVALID', `The scorer '${name}' gave ${given[id]} for unit ${id} of ${group}. A score must be a finite number of 0 or more; higher means keep.`);
    }
    return scores;
  }
}

/** What scorers know of units beforehand. A unit that is alone, and so cannot be pruned, is a group of its own. */
export function unitInfos(units: Units): UnitInfo[] {
  const infos: UnitInfo[] = units.units.map(({ id }) => ({ id, group: `unit ${id}`, kind: 'neurons', lane: 0 }));
  for (const { name, kind, lanes } of units.groups) lanes.forEach((lane, l) => lane.forEach((id) => (infos[id] = { id, group: name, kind, lane: l })));
  return infos;
}

/** All slices of all units, with what the model does with each; in the order of the initializers. */
function weightParts(units: Units, uses: Uses): WeightPart[] {
  const { values } = units.analysed.program;
  const idOf = new Map(values.flatMap(({ id, name, tensor }) => (tensor ? [[name, id] as const] : [])));
  const parts = units.units.flatMap(({ id: unit, slices }) => slices.map(({ initializer, axis, indices, at }): WeightPart => {
    const value = idOf.get(initializer)!;
    const within = at && new Map(Object.entries(at).map(([a, index]) => [Number(a), [index, index + 1] as const]));
    return { unit, value, axis, indices, within, use: uses.of(value, axis, indices[0]) };
  }));
  return parts.sort((a, b) => a.value - b.value || a.unit - b.unit);
}

function addWeights(units: Units, session: Scoring, parts: readonly WeightPart[], { onProgress }: ScoreOptions): void {
  const byValue = Map.groupBy(parts, ({ value }) => value);
  let done = 0;
  for (const [value, slices] of byValue) {
    const tensor = readWeights(units, value);
    for (const part of slices) session.add({ ...placeOf(units, part), weights: gather(tensor.data, tensor.dims, [part]), activations: NOTHING, gradients: NOTHING });
    done++;
    onProgress?.({ stage: 'weights', done, total: byValue.size });
  }
}

const NOTHING = new Float32Array(0);

function readWeights(units: Units, value: number): { data: Float32Array; dims: readonly number[] } {
  const { model, values } = units.analysed.program;
  const tensor = readTensor(model, values[value].tensor!);
  return { data: toFloat32(tensor), dims: tensor.dims };
}

const placeOf = (units: Units, { unit, value, use }: WeightPart) =>
  ({ unit, role: use?.role ?? 'along', operator: use?.operator ?? '', operand: use?.operand ?? '', initializer: units.analysed.program.values[value].name }) as const;

async function addActivations(units: Units, session: Scoring, sites: readonly Site[], { backend, data, onProgress, onNote }: ScoreOptions): Promise<void> {
  const { name, needs } = session.scorer;
  if (!backend) throw new CoppiceError('COPPICE_BACKEND_MISSING', `The scorer '${name}' needs activations, so the model must be run. Give a backend, or choose a scorer that needs only weights.`);
  if (!data) onNote?.(`Scorer '${name}': no data were given, so activations are those of random inputs, which say little about speech. Give some recordings.`);
  const { model, names } = exposing(units, sites);
  const executable = await backend.compile(model, { optimise: 'none' });
  let done = 0;
  try {
    for await (const batch of data ?? units.analysed.trace.runs.map((run) => run.inputs)) {
      const outputs = names.length > 0 ? await executable.run(batch, names) : {};
      for (const site of sites) addSite(units, session, site, { ...batch, ...outputs }, needs.includes('weights'));
      done++;
      onProgress?.({ stage: 'activations', done });
    }
  } finally {
    await executable.dispose();
  }
  if (done === 0) throw new CoppiceError('COPPICE_INPUT_INVALID', `The scorer '${name}' needs activations, and the data have no batch.`);
}

/** The model with the values of all sites among its outputs; a graph input is known without that. */
function exposing(units: Units, sites: readonly Site[]): { model: Model; names: string[] } {
  const { program } = units.analysed;
  const model = upgradeModel(program.model);
  const graph = graphOf(model);
  const ids = [...new Set(sites.map(({ value }) => value))].filter((id) => !program.inputs.includes(id));
  const there = new Set(graph.output.map((output) => output.name));
  const added = ids.map((id) => program.values[id]).filter((value) => !there.has(value.name)).map((value) => makeValueInfo(value.name, dataTypeOf(value.elementType)));
  return { model: { ...model, proto: withFields(model.proto, { graph: withFields(graph, { output: [...graph.output, ...added] }) }) }, names: ids.map((id) => program.values[id].name) };
}

/** Hands over what one batch shows at one site: each unit to each of its readers. */
function addSite(units: Units, session: Scoring, { value, parts, readers }: Site, tensors: NamedTensors, withWeights: boolean): void {
  const { values } = units.analysed.program;
  const shown = tensors[values[value].name];
  const elements = toFloat32(shown);
  const read = new Map<number, ReturnType<typeof readWeights>>();
  const weightsOf = (slices: readonly WeightPart[]) => {
    const [{ value: id }] = slices;
    const tensor = read.get(id) ?? read.set(id, readWeights(units, id)).get(id)!;
    return gather(tensor.data, tensor.dims, slices);
  };
  for (const [unit, places] of parts) {
    const activations = gather(elements, shown.dims, places);
    for (const { operator, operand, weights } of readers) {
      const byValue = Map.groupBy(weights.get(unit) ?? [], (part) => part.value);
      if (byValue.size === 0) session.add({ unit, role: 'in', operator, operand, initializer: '', weights: NOTHING, activations, gradients: NOTHING });
      for (const slices of byValue.values()) session.add({ ...placeOf(units, slices[0]), weights: withWeights ? weightsOf(slices) : NOTHING, activations, gradients: NOTHING });
    }
  }
}

/** Unseen is not unimportant: units that no run shows get the mean of those of their group that one does. */
function fillUnseen(scores: Float64Array, infos: readonly UnitInfo[], seen: Uint8Array, { onNote }: ScoreOptions): void {
  const unseen = infos.filter(({ id }) => seen[id] === 0);
  if (unseen.length === 0) return;
  const meanOf = (ids: readonly UnitInfo[]) => (ids.length === 0 ? undefined : ids.reduce((sum, { id }) => sum + scores[id], 0) / ids.length);
  const known = infos.filter(({ id }) => seen[id] === 1);
  const means = new Map([...Map.groupBy(known, ({ group }) => group)].map(([group, list]) => [group, meanOf(list)]));
  const rest = meanOf(known) ?? 1;
  for (const { id, group } of unseen) scores[id] = means.get(group) ?? rest;
  const groups = [...new Set(unseen.map(({ group }) => group))];
  onNote?.(`${unseen.length} unit${unseen.length === 1 ? '' : 's'} of ${groups.join(', ')} cannot be seen in a run and got the mean score of others.`);
}
