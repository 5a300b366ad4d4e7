// Test-only: good backends made bad, one fault each, to show that the suite notices.
import type { Backend, Executable, NamedTensors } from '@coppice/core';
import { attributeOf, graphOf, makeAttribute, makeInitializer, makeNode, makeValueInfo, readTensor, withFields, type GraphProto, type Model, type NodeProto, type Tensor } from '@coppice/graph';
import type { ClaimFamily } from './claim.ts';

/** A fault, and the family of claims that has to notice it. */
export interface PlantedFault {
  readonly name: string;
  readonly family: ClaimFamily;
  /** The backend with the fault, and its memory where the fault is one of memory. */
  plant(good: Backend): { readonly backend: Backend; readonly memory?: () => number };
}

type Run = Executable['run'];

/** Another way to run whatever is compiled; made anew for each executable, so that it may keep something. */
const running = (name: string, family: ClaimFamily, wrap: (run: Run, model: Model, good: Backend) => Run | Promise<Run>): PlantedFault => ({
  name, family,
  plant: (good) => ({
    backend: {
      ...good,
      async compile(model, options) {
        const executable = await good.compile(model, options);
        return { run: await wrap((inputs, outputs) => executable.run(inputs, outputs), model, good), dispose: () => executable.dispose() };
      },
    },
  }),
});

/** Another model than the one that was handed over: each node in the main graph replaced by others. */
const rewriting = (name: string, family: ClaimFamily, rewrite: (node: NodeProto, model: Model) => readonly NodeProto[]): PlantedFault => ({
  name, family,
  plant: (good) => ({ backend: { ...good, compile: (model, options) => good.compile(withNodes(model, (node) => rewrite(node, model)), options) } }),
});

const withGraph = (model: Model, patch: Partial<GraphProto>): Model => ({ ...model, proto: withFields(model.proto, { graph: withFields(graphOf(model), patch) }) });
const withNodes = (model: Model, rewrite: (node: NodeProto) => readonly NodeProto[]): Model => withGraph(model, { node: graphOf(model).node.flatMap(rewrite) });

const mapTensors = (tensors: NamedTensors, change: (tensor: Tensor, name: string) => Tensor): NamedTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor, name)]));

/** Gates in another order, for all that a layer's operand holds of them. */
function permuted(input: string, prefix: string, order: readonly number[], parts: number): NodeProto[] {
  const pieces = Array.from({ length: parts }, (_, k) => `${prefix}/${input}/${k}`);
  const blocks = Array.from({ length: parts / order.length }, (_, half) => order.map((k) => pieces[half * order.length + k])).flat();
  return [
    makeNode({ op: 'Split', inputs: [input], outputs: pieces, attributes: { axis: 1, num_outputs: parts } }),
    makeNode({ op: 'Concat', inputs: blocks, outputs: [`${prefix}/${input}`], attributes: { axis: 1 } }),
  ];
}

const swappedGates = (op: string, order: readonly number[]): PlantedFault => rewriting(`two gates of ${op} swapped`, 'recurrent', (node) => {
  if (node.opType !== op) return [node];
  const [x, w, r, b, ...rest] = node.input;
  const prefix = `swapped/${node.output[0]}`;
  const named = (name: string | undefined): string => (name ? `${prefix}/${name}` : '');
  return [
    ...permuted(w, prefix, order, order.length), ...permuted(r, prefix, order, order.length), ...(b ? permuted(b, prefix, order, 2 * order.length) : []),
    withFields(node, { input: [x, named(w), named(r), named(b), ...rest] }),
  ];
});

/** The last state of each layer without an initial one, handed to the next run. */
async function keepingStates(run: Run, model: Model, good: Backend): Promise<Run> {
  const graph = graphOf(model);
  const layer = graph.node.find(({ opType, input }) => opType === 'GRU' && !input[5]);
  if (!layer || !layer.output[1] || graph.output.every(({ name }) => name !== layer.output[1])) return run;
  const [x, w, r, b = '', lengths = ''] = layer.input;
  const stateful = await good.compile(withGraph(model, {
    input: [...graph.input, makeValueInfo('kept state', 'float32')],
    node: graph.node.map((node) => (node === layer ? withFields(node, { input: [x, w, r, b, lengths, 'kept state'] }) : node)),
  }));
  let state: Tensor | undefined;
  return async (inputs, outputs) => {
    const wanted = outputs && [...new Set([...outputs, layer.output[1]])];
    const fits = state?.dims[1] === Object.values(inputs)[0]?.dims[0];
    const results = await (state && fits ? stateful.run({ ...inputs, 'kept state': state }, wanted) : run(inputs, wanted));
    const last = results[layer.output[1]];
    state = { ...last, data: (last.data as Float32Array).slice() };
    return Object.fromEntries(Object.entries(results).filter(([name]) => outputs?.includes(name) ?? true));
  };
}

/** A tensor cut, or filled with zeros, to another shape. */
function forced({ dtype, dims, data }: Tensor, to: readonly number[]): Tensor {
  const forcedData = new (data.constructor as Float32ArrayConstructor)(to.reduce((p, n) => p * n, 1));
  for (let place = 0; place < forcedData.length; place++) {
    let [from, rest, stride, inside] = [0, place, 1, true];
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const index = rest % to[axis];
      rest = Math.floor(rest / to[axis]);
      inside &&= index < dims[axis];
      from += index * stride;
      stride *= dims[axis];
    }
    if (inside) forcedData[place] = (data as Float32Array)[from];
  }
  return { dtype, dims: to, data: forcedData };
}

const throughFloat32 = (tensor: Tensor): Tensor => (tensor.dtype === 'int64' ? { ...tensor, data: (tensor.data as BigInt64Array).map((value) => BigInt(Math.fround(Number(value)))) } : tensor);
const throughInt32 = (tensor: Tensor): Tensor => (tensor.dtype === 'int64' ? { ...tensor, data: (tensor.data as BigInt64Array).map((value) => BigInt.asIntN(32, value)) } : tensor);

/** Whole numbers of the file, of inputs and of results in a type that does not hold them all. */
const narrowed = (name: string, narrow: (tensor: Tensor) => Tensor): PlantedFault => ({
  name, family: 'shape arithmetic',
  plant: (good) => ({
    backend: {
      ...good,
      async compile(model, options) {
        const initializer = graphOf(model).initializer.map((tensor) => {
          const whole = readTensor(model, tensor);
          return whole.dtype === 'int64' ? makeInitializer(tensor.name, 'int64', whole.dims, narrow(whole).data) : tensor;
        });
        const executable = await good.compile(withGraph(model, { initializer }), options);
        return { run: async (inputs, outputs) => mapTensors(await executable.run(mapTensors(inputs, narrow), outputs), narrow), dispose: () => executable.dispose() };
      },
    },
  }),
});

/** A backend that counts what it holds, and forgets to give back. */
const leaking = (name: string, atRun: number, atDispose: number): PlantedFault => ({
  name, family: 'memory',
  plant(good) {
    let held = 0;
    return {
      memory: () => held,
      backend: {
        ...good,
        async compile(model, options) {
          const executable = await good.compile(model, options);
          held += 10;
          let disposed = false;
          return {
            run: (inputs, outputs) => { held += atRun; return executable.run(inputs, outputs); },
            async dispose() {
              if (!disposed) held -= 10 - atDispose;
              disposed = true;
              await executable.dispose();
            },
          };
        },
      },
    };
  },
});

/** The faults that the suite was asked to catch. */
export const plantedFaults: readonly PlantedFault[] = [
  rewriting('pads on the wrong side', 'convolution', (node) => {
    const pads = attributeOf(node, 'pads');
    if (!pads) return [node];
    const half = pads.ints.length / 2;
    return [withFields(node, { attribute: [...node.attribute.filter((a) => a !== pads), makeAttribute('pads', [...pads.ints.slice(half), ...pads.ints.slice(0, half)])] })];
  }),
  swappedGates('LSTM', [0, 2, 1, 3]),
  swappedGates('GRU', [1, 0, 2]),
  running('a stale buffer comes back', 'fresh results', (run) => {
    const buffers = new Map<string, Tensor['data']>();
    return async (inputs, outputs) => mapTensors(await run(inputs, outputs), (tensor, name) => {
      const key = `${name}/${tensor.data.length}`;
      const buffer = buffers.get(key) as Float32Array | undefined;
      if (buffer) buffer.set(tensor.data as Float32Array);
      else buffers.set(key, tensor.data);
      return { ...tensor, data: buffers.get(key)! };
    });
  }),
  running('a state is kept between runs', 'state', keepingStates),
  running('outputs share memory', 'aliasing', (run) => async (inputs, outputs) => {
    const seen = new Map<string, Tensor['data']>();
    return mapTensors(await run(inputs, outputs), (tensor) => {
      const key = `${tensor.dtype}/${(tensor.data as Float32Array).join()}`;
      if (!seen.has(key)) seen.set(key, tensor.data);
      return { ...tensor, data: seen.get(key)! };
    });
  }),
  running('a dimension parameter is ignored', 'dimension parameters', (run) => {
    let first: NamedTensors | undefined;
    return async (inputs, outputs) => {
      first ??= inputs;
      return run(mapTensors(inputs, (tensor, name) => (first![name]?.dims.length === tensor.dims.length ? forced(tensor, first![name].dims) : tensor)), outputs);
    };
  }),
  narrowed('int64 is float32 inside', throughFloat32),
  leaking('every run leaves a tensor behind', 1, 0),
  leaking('dispose leaves the constants behind', 0, 4),
  running('answers are not the same twice', 'determinism', (run) => {
    let runs = 0;
    return async (inputs, outputs) => {
      runs++;
      return mapTensors(await run(inputs, outputs), (tensor) => (tensor.dtype === 'float32' && runs % 3 === 0 ? { ...tensor, data: (tensor.data as Float32Array).map((value) => value * (1 + 2 ** -23)) } : tensor));
    };
  }),
  running('two outputs have each other\'s names', 'outputs', (run) => async (inputs, outputs) => {
    const results = { ...await run(inputs, outputs) };
    const [a, b] = Object.keys(results);
    return b !== undefined && results[a].dtype === results[b].dtype ? { ...results, [a]: results[b], [b]: results[a] } : results;
  }),
];

/** Others that authors of backends make. */
export const moreFaults: readonly PlantedFault[] = [
  narrowed('int64 is int32 inside', throughInt32),
  running('an output has another name', 'outputs', (run) => async (inputs, outputs) => Object.fromEntries(Object.entries(await run(inputs, outputs)).map(([name, tensor], k) => [k === 1 ? `${name}:0` : name, tensor]))),
  running('all outputs come whatever is asked for', 'outputs', (run) => (inputs, outputs) => run(inputs, outputs?.length === 0 ? [] : undefined)),
  running('an input is handed out as an output', 'aliasing', (run) => async (inputs, outputs) => {
    const given = new Map(Object.values(inputs).map(({ data }) => [(data as Float32Array).join(), data]));
    return mapTensors(await run(inputs, outputs), (tensor) => ({ ...tensor, data: given.get((tensor.data as Float32Array).join()) ?? tensor.data }));
  }),
  running('inputs are written to', 'inputs', (run) => async (inputs, outputs) => {
    const results = await run(inputs, outputs);
    for (const { data } of Object.values(inputs)) if (data instanceof Float32Array) data.forEach((value, k) => { data[k] = Math.max(value, 0); });
    return results;
  }),
  running('runs at once read each other\'s inputs', 'concurrency', (run) => {
    let slot: NamedTensors;
    return async (inputs, outputs) => {
      slot = inputs;
      await Promise.resolve();
      return run(slot, outputs);
    };
  }),
  running('a missing input counts as zero', 'inputs', (run) => (inputs, outputs) => run(inputs.x && !inputs.gain && inputs.x.dims.length === 3 ? { ...inputs, gain: { dtype: 'float32', dims: [inputs.x.dims[0], 1, 1], data: new Float32Array(inputs.x.dims[0]) } } : inputs, outputs)),
  rewriting('the last of several reductions is over another axis', 'reduction', (node) => (node.opType === 'ReduceMax' ? [withFields(node, { opType: 'ReduceMin' })] : [node])),
  {
    name: 'a model is looked at only when it runs', family: 'refusals',
    plant: (good) => ({
      backend: {
        ...good,
        async compile(model, options) {
          const executable = good.compile(model, options);
          executable.catch(() => undefined);
          return { run: async (inputs, outputs) => (await executable).run(inputs, outputs), dispose: async () => executable.then((e) => e.dispose(), () => undefined) };
        },
      },
    }),
  },
  {
    name: 'a disposed executable still answers', family: 'life cycle',
    plant: (good) => ({ backend: { ...good, compile: async (model, options) => { const executable = await good.compile(model, options); return { run: (inputs, outputs) => executable.run(inputs, outputs), dispose: async () => {} }; } } }),
  },
];
