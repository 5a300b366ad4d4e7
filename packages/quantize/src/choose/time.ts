import type { Backend, Executable, NamedTensors } from '@coppice/core';
import { CoppiceError, dataTypes, graphOf, makeGraph, makeValueInfo, toTensorProto, withFields, type Model, type TensorProto, type ValueInfoProto } from '@coppice/graph';
import type { Site, Sites } from '../site.ts';

/** A model of one operator, and what it read in a run of the whole one. */
export interface OneOperator {
  readonly model: Model;
  readonly inputs: NamedTensors;
}

/** The activations that an operator reads: names by value. */
export const activationsOf = (site: Site, sites: Sites): string[] =>
  [...new Set(site.step.inputs.filter((id) => id >= 0 && !sites.contents(id)).map((id) => sites.program.values[id].name))];

/** The operator alone, its constants as initializers and its activations as inputs. */
export function oneOperator(site: Site, sites: Sites, activations: NamedTensors): OneOperator {
  const { proto, inputs, outputs } = site.step;
  const initializers = new Map<string, TensorProto>();
  const declared = new Map<string, ValueInfoProto>();
  for (const id of inputs) {
    if (id < 0) continue;
    const { name } = sites.program.values[id];
    const tensor = sites.contents(id);
    if (tensor) initializers.set(name, toTensorProto(name, tensor));
    else declared.set(name, makeValueInfo(name, activations[name].dtype, activations[name].dims));
  }
  const results = outputs.filter((id) => id >= 0).map((id) => makeValueInfo(sites.program.values[id].name, sites.typeOf(id) ?? 'float32'));
  const graph = makeGraph({ inputs: [...declared.values()], outputs: results, nodes: [proto], initializers: [...initializers.values()] });
  // Everything that it reads is in its own initializers.
  return { model: { proto: withFields(sites.model.proto, { graph }) }, inputs: Object.fromEntries([...declared.keys()].map((name) => [name, activations[name]])) };
}

/** Reads activations of a model, whatever their types. */
export function exposingAll({ model, program }: Sites, names: readonly string[]): Model {
  const graph = graphOf(model);
  const known = new Set([...graph.output, ...graph.input].map(({ name }) => name));
  const types = new Map(program.values.map(({ name, elementType }) => [name, elementType]));
  const wanted = names.filter((name) => !known.has(name)).map((name) => {
    const info = makeValueInfo(name, 'float32');
    const type = info.type!.value;
    return type.case === 'tensorType' ? withFields(info, { type: withFields(info.type!, { value: { case: 'tensorType', value: withFields(type.value, { elemType: types.get(name) || dataTypes.float32 }) } }) }) : info;
  });
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { output: [...graph.output, ...wanted] }) }) };
}

export interface TimingOptions {
  /** Rounds that count, after two that do not. Default 15. */
  readonly repeats?: number;
  /** Milliseconds of a clock. */
  readonly now?: () => number;
  /** The middle of the rounds (the default), or the least, which says more on a machine that is busy with other things. */
  readonly statistic?: 'median' | 'least';
}

/**
 * Milliseconds of one run of each model on the same inputs, one thread: all are run in turn, so that what else the machine does hits them
 * alike. A model that the runtime refuses gives undefined.
 */
export async function interleavedTimes(models: readonly Model[], inputs: NamedTensors, backend: Backend, { repeats = 15, now = () => performance.now(), statistic = 'median' }: TimingOptions = {}): Promise<(number | undefined)[]> {
  const executables: (Executable | undefined)[] = [];
  const times: number[][] = models.map(() => []);
  try {
    for (const model of models) {
      executables.push(await backend.compile(model).catch((error: unknown) => {
        if (error instanceof CoppiceError && error.code === 'COPPICE_BACKEND_REFUSED') return undefined;
        throw error;
      }));
    }
    for (let round = -2; round < repeats; round++) {
      for (const [k, executable] of executables.entries()) {
        if (!executable) continue;
        const start = now();
        await executable.run(inputs);
        if (round >= 0) times[k].push(now() - start);
      }
    }
  } finally {
    for (const executable of executables) await executable?.dispose();
  }
  return times.map((list) => (list.length === 0 ? undefined : list.toSorted((a, b) => a - b)[statistic === 'least' ? 0 : list.length >> 1]));
}
