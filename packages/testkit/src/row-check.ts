import { createRandom, cutModel, findUnits, traceModel, verifyCut, type Backend, type Random, type Units } from '@coppice/core';
import { dataTypes, makeInitializer, makeModel, makeNode, makeValueInfo, type AttributeInput, type DataType, type Model, type NodeProto, type TensorProto } from '@coppice/graph';

/** Sizes of one operand; names are sizes that differ between the runs. */
export type Dims = readonly (number | string)[];

/** What a node reads: data, data of a kind that the operator needs, a weight, a constant, or nothing. */
export type SampleInput =
  | Dims
  | { readonly positive: Dims } | { readonly unit: Dims } | { readonly bool: Dims } | { readonly integer: Dims }
  | { readonly weight: readonly number[]; readonly positive?: boolean; readonly dtype?: DataType }
  | { readonly ints: readonly number[]; readonly dims?: readonly number[]; readonly dtype?: DataType }
  | { readonly scalar: number; readonly dtype?: DataType }
  | undefined;

/** One node with operands whose sizes are pairwise different, so that no wrong alignment fits by chance. */
export interface Sample {
  readonly op: string;
  readonly domain?: string;
  readonly opset?: number;
  readonly attributes?: Readonly<Record<string, AttributeInput>>;
  readonly inputs: readonly SampleInput[];
  /** Types of the results; default one of float32. Undefined leaves a result out. */
  readonly outputs?: readonly (DataType | undefined)[];
}

/** What the check of one sample found. */
export interface RowCheck {
  /** Labels that were cut, with the signature they are from. */
  readonly cut: readonly string[];
  readonly signature: string;
  /** A sentence for each label whose cut was wrong. */
  readonly wrong: readonly string[];
}

const before: Readonly<Record<string, (name: string, source: string) => readonly NodeProto[]>> = {
  positive: (name, source) => [makeNode({ op: 'Exp', inputs: [source], outputs: [name] })],
  unit: (name, source) => [makeNode({ op: 'Tanh', inputs: [source], outputs: [name] })],
  bool: (name, source) => [makeNode({ op: 'Greater', inputs: [source, 'nought'], outputs: [name] })],
  integer: (name, source) => [makeNode({ op: 'Cast', inputs: [source], outputs: [name], attributes: { to: dataTypes.int32 } })],
};

/** A model of one node (and of what turns standard normal data into the kind it needs). */
export function sampleModel({ op, domain, opset = 21, attributes, inputs, outputs = ['float32'] }: Sample): { readonly model: Model; readonly names: readonly string[] } {
  const random = createRandom(`sample/${op}`);
  const [nodes, initializers]: [NodeProto[], TensorProto[]] = [[], [makeInitializer('nought', 'float32', [], [0])]];
  const declared: { name: string; dims: Dims }[] = [];
  const operands = inputs.map((input, k): string => {
    const name = `in${k}`;
    if (input === undefined) return '';
    if (Array.isArray(input)) {
      declared.push({ name, dims: input as Dims });
      return name;
    }
    const given = input as Exclude<SampleInput, Dims | undefined>;
    if ('weight' in given) initializers.push(makeInitializer(name, given.dtype ?? 'float32', given.weight, weightValues(random, given.weight, given.positive === true, given.dtype)));
    else if ('ints' in given) initializers.push(makeInitializer(name, given.dtype ?? 'int64', given.dims ?? [given.ints.length], given.ints));
    else if ('scalar' in given) initializers.push(makeInitializer(name, given.dtype ?? 'float32', [], [given.scalar]));
    else {
      const [[kind, dims]] = Object.entries(given) as [string, Dims][];
      declared.push({ name: `${name}_raw`, dims });
      nodes.push(...before[kind](name, `${name}_raw`));
    }
    return name;
  });
  const results = outputs.map((type, k) => (type === undefined ? '' : `out${k}`));
  nodes.push(makeNode({ op, domain, name: 'node', inputs: operands, outputs: results, attributes }));
  const model = makeModel({
    opset: { '': opset, ...(domain && { [domain]: 1 }) },
    graph: {
      inputs: declared.map(({ name, dims }) => makeValueInfo(name, 'float32', dims)),
      outputs: outputs.flatMap((type, k) => (type === undefined ? [] : [makeValueInfo(results[k], type)])),
      nodes, initializers,
    },
  });
  return { model, names: [...declared.map(({ name }) => name), ...results.filter((name) => name !== '')] };
}

function weightValues(random: Random, dims: readonly number[], positive: boolean, dtype: DataType = 'float32'): number[] {
  return Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => {
    if (dtype !== 'float32') return random.integer(200) - (dtype.startsWith('u') ? 0 : 100);
    const value = random.normal();
    return positive ? 0.3 + Math.abs(value) : value + Math.sign(value) * 0.1;
  });
}

/**
 * Validates the row of one operator by itself: each label that may be cut is cut, with every input and output allowed to shrink, and the node
 * is compared with the masked one. No unit of a real model takes part, so a row cannot hide behind what freezes around it.
 */
export async function checkRow(sample: Sample, backend: Backend): Promise<RowCheck> {
  const { model, names } = sampleModel(sample);
  const open = new Set(sample.inputs.flatMap((input) => (input === undefined ? [] : Array.isArray(input) ? input : Object.values(input).flat())));
  const dims = Object.fromEntries(([['batch', [2, 3]], ['time', [7, 10]]] as const).filter(([name]) => open.has(name)));
  const trace = await traceModel(model, backend, { dims });
  const found = findUnits(trace, { release: names });
  const step = found.analysed.steps.find((s) => s.step.node.name === 'node')!;
  if ('frozen' in step.signature) return { cut: [], signature: `frozen: ${step.signature.frozen}`, wrong: [] };
  const { elements } = found;
  const { axes } = step.signature;
  // Every set of elements that is free, whether somebody makes and reads it or not.
  const sets = new Map<number, number>();
  // What names the lanes of another label has no elements of its own.
  const namesLanes = (label: string) => axes.includes(`@${label}`);
  const labels = [...elements.table.labelsOf(step)].filter(([label]) => !namesLanes(label)).map(([label, id]) => {
    const size = elements.sizeOf(id);
    const lanes = size / elements.table.lengths[id];
    const own = Array.from({ length: lanes }, (_, lane) => new Set(Array.from({ length: size / lanes }, (_, k) => (elements.isFrozen(id, lane * (size / lanes) + k) ? -1 : elements.setOf(id, lane * (size / lanes) + k)))));
    for (const lane of own) for (const set of lane) if (set >= 0 && !sets.has(set)) sets.set(set, sets.size);
    return { label, lanes: own.map((lane) => [...lane].filter((set) => set >= 0)) };
  });
  const units: Units = { ...found, units: [...sets.keys()].map((set, id) => ({ id, set, slices: [], producers: [] })), groups: [] };
  const random = createRandom(sample.op);
  const [cut, wrong]: [string[], string[]] = [[], []];
  for (const { label, lanes } of labels) {
    const fewest = Math.min(...lanes.map((lane) => lane.length));
    if (fewest < 2) continue;
    cut.push(label);
    for (const count of new Set([1, 1 + random.integer(fewest - 1)])) {
      const removed = [...new Set(lanes.flatMap((lane) => random.shuffle(lane).slice(0, count)))].map((set) => sets.get(set)!);
      try {
        const verdict = await verifyCut(units, removed, cutModel(units, removed), backend);
        if (!verdict.equal) wrong.push(`${label}: without ${count} of them '${verdict.worst.output}' differs by ${verdict.worst.relative.toExponential(1)}`);
      } catch (error) {
        wrong.push(`${label}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { cut, signature: axes, wrong };
}
