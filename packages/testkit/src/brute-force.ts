import type { Backend, NamedTensors } from '@coppice/core';
import { elementCount, graphOf, makeInitializer, readTensor, withFields, type Model, type TensorProto } from '@coppice/graph';

/** One slice of one initializer: an index along an axis, narrowed to one index of another axis where `at` says so. */
export interface Pick {
  readonly initializer: string;
  readonly axis: number;
  readonly index: number;
  readonly at?: Readonly<Record<number, number>>;
}

/** How a pick is written in a finding. */
export const nameOf = ({ initializer, axis, index, at }: Pick): string => `${initializer}[${axis}]=${index}${at ? JSON.stringify(at) : ''}`;

/** Every slice of every axis of the float initializers of a model. */
export function everySlice(model: Model): Pick[][] {
  return graphOf(model).initializer.filter(({ dataType }) => dataType === 1).flatMap(({ name, dims }) =>
    dims.map((n, axis) => Array.from({ length: Number(n) }, (_, index): Pick => ({ initializer: name, axis, index }))));
}

/**
 * A surgeon who knows nothing of the graph: compresses initializers (float32, row-major), corrects `hidden_size` from the width of R, and
 * leaves everything else alone.
 * @returns undefined when what is left of a tensor is not a box
 */
export function removeSlices(model: Model, picks: readonly Pick[]): Model | undefined {
  let torn = false;
  const changed = edited(model, (tensor, dims, own) => {
    const values = readTensor(model, tensor).data as Float32Array;
    const kept: number[] = [];
    const counts = new Map<string, number>();
    eachPlace(dims, (place, flat) => {
      if (own.some((pick) => hits(pick, place))) return;
      kept.push(values[flat]);
      place.forEach((_, axis) => {
        const row = `${axis}:${place.filter((__, a) => a !== axis).join()}`;
        counts.set(row, (counts.get(row) ?? 0) + 1);
      });
    });
    const after = dims.map((_, axis) => Math.max(0, ...[...counts].filter(([row]) => row.startsWith(`${axis}:`)).map(([, n]) => n)));
    if (elementCount(after) !== kept.length) torn = true;
    return torn ? tensor : makeInitializer(tensor.name, 'float32', after, Float32Array.from(kept));
  }, picks);
  return torn ? undefined : withHiddenSizes(changed);
}

/** The same model with the numbers of the slices replaced by zero. */
export const zeroSlices = (model: Model, picks: readonly Pick[]): Model =>
  edited(model, (tensor, dims, own) => {
    const values = Float32Array.from(readTensor(model, tensor).data as Float32Array);
    eachPlace(dims, (place, flat) => {
      if (own.some((pick) => hits(pick, place))) values[flat] = 0;
    });
    return makeInitializer(tensor.name, 'float32', dims, values);
  }, picks);

const hits = ({ axis, index, at = {} }: Pick, place: readonly number[]): boolean => place[axis] === index && Object.entries(at).every(([a, k]) => place[Number(a)] === k);

function eachPlace(dims: readonly number[], visit: (place: readonly number[], flat: number) => void): void {
  const count = elementCount(dims);
  for (let flat = 0; flat < count; flat++) {
    let rest = flat;
    const place = dims.map(() => 0);
    for (let a = dims.length - 1; a >= 0; a--) {
      place[a] = rest % dims[a];
      rest = Math.floor(rest / dims[a]);
    }
    visit(place, flat);
  }
}

function edited(model: Model, edit: (tensor: TensorProto, dims: readonly number[], own: readonly Pick[]) => TensorProto, picks: readonly Pick[]): Model {
  const graph = graphOf(model);
  const initializer = graph.initializer.map((tensor) => {
    const own = picks.filter(({ initializer: name }) => name === tensor.name);
    return own.length === 0 ? tensor : edit(tensor, tensor.dims.map(Number), own);
  });
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { initializer }) }) };
}

function withHiddenSizes(model: Model): Model {
  const graph = graphOf(model);
  const width = (name: string) => Number(graph.initializer.find((t) => t.name === name)?.dims[2]);
  const node = graph.node.map((n) => (/^(LSTM|GRU|RNN)$/.test(n.opType)
    ? withFields(n, { attribute: n.attribute.map((a) => (a.name === 'hidden_size' ? withFields(a, { i: BigInt(width(n.input[2])) }) : a)) })
    : n));
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { node }) }) };
}

/** Runs models of one graph, and remembers nothing. */
export class BruteForce {
  readonly model: Model;
  readonly inputs: NamedTensors;
  readonly backend: Backend;
  /** Removals that were tried. */
  tried = 0;

  constructor(model: Model, inputs: NamedTensors, backend: Backend) {
    this.model = model;
    this.inputs = inputs;
    this.backend = backend;
  }

  /** Whether the graph without the slices runs and computes what it computes with zeros in their place. */
  async canGo(picks: readonly Pick[]): Promise<boolean> {
    this.tried++;
    const slim = removeSlices(this.model, picks);
    const got = slim && (await this.run(slim));
    if (!got) return false;
    const expected = await this.run(zeroSlices(this.model, picks));
    return expected !== undefined && Object.keys(expected).every((name) => same(got[name].data as Float32Array, expected[name].data as Float32Array) && String(got[name].dims) === String(expected[name].dims));
  }

  private async run(model: Model): Promise<NamedTensors | undefined> {
    let executable;
    try {
      executable = await this.backend.compile(model, { optimise: 'none' });
      return await executable.run(this.inputs);
    } catch {
      return undefined;
    } finally {
      await executable?.dispose();
    }
  }
}

const same = (a: Float32Array, b: Float32Array): boolean => a.length === b.length && a.every((v, k) => Number.isFinite(v) && Math.abs(v - b[k]) <= 1e-5 * (1 + Math.abs(b[k])));

/** All sets of `count` slices, each from another axis. */
export function* combinations(axes: readonly (readonly Pick[])[], count: number, from = 0): Generator<Pick[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let k = from; k <= axes.length - count; k++) {
    for (const pick of axes[k]) for (const rest of combinations(axes, count - 1, k + 1)) yield [pick, ...rest];
  }
}
