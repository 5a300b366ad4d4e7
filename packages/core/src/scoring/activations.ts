import { CoppiceError, dataTypeOf, graphOf, makeValueInfo, toFloat32, upgradeModel, withFields, type Model } from '@coppice/graph';
import type { Units } from '../analysis/units.ts';
import type { NamedTensors } from '../backend.ts';
import { gather } from './gather.ts';
import { countOf, type ScoreOptions } from './options.ts';
import { NOTHING, type Scoring } from './session.ts';
import type { Site, WeightPart } from './sites.ts';
import { placeOf, readWeights } from './slices.ts';

/**
 * Runs the model on each batch and hands over what the consumers of each unit read.
 * @throws CoppiceError `COPPICE_BACKEND_MISSING`, `COPPICE_INPUT_INVALID` when there is no batch, and what the backend throws
 */
export async function addActivations(units: Units, session: Scoring, sites: readonly Site[], { backend, data, onProgress, onNote }: ScoreOptions): Promise<void> {
  const { name } = session.scorer;
  if (!backend) throw new CoppiceError('COPPICE_BACKEND_MISSING', `The scorer '${name}' needs activations, so the model must be run. Give a backend, or choose a scorer that needs only weights.`);
  if (!data) onNote?.(`Scorer '${name}': no data were given, so activations are those of random inputs, which say little about speech. Give some recordings.`);
  const batches = data ?? units.analysed.trace.runs.map((run) => run.inputs);
  const total = countOf(batches);
  const { model, names } = exposing(units, sites);
  const executable = await backend.compile(model, { optimise: 'none' });
  let done = 0;
  try {
    for await (const batch of batches) {
      const outputs = names.length > 0 ? await executable.run(batch, names) : {};
      for (const site of sites) addSite(units, session, site, { ...batch, ...outputs });
      await session.endBatch();
      onProgress?.({ stage: 'activations', done: ++done, total });
    }
  } finally {
    await executable.dispose();
  }
  session.assertBatches('activations');
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
function addSite(units: Units, session: Scoring, { value, parts, readers }: Site, tensors: NamedTensors): void {
  const { values } = units.analysed.program;
  const shown = tensors[values[value].name];
  const elements = toFloat32(shown);
  const withWeights = session.needs('weights');
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
      if (byValue.size === 0) session.add({ unit, role: 'in', operator, operand, initializer: '', activations });
      for (const slices of byValue.values()) session.add({ ...placeOf(units, slices[0]), weights: withWeights ? weightsOf(slices) : NOTHING, activations });
    }
  }
}
