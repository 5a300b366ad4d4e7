import { dataTypeOf, readTensor, nodeLabel, normaliseNode, type DataType, type GraphProto, type Model, type NodeProto } from '@coppice/graph';
import type { Device } from './adapter.ts';
import { resultTypes } from './element-types.ts';
import { FLOAT, NUMBERS, type AnyComputed, type AnyExpanded, type Memory, type Stated } from './row.ts';
import { runStep } from './run.ts';
import { schedule } from './schedule.ts';
import { hasKernels } from './step-for.ts';
import type { Plan, Step } from './step.ts';
import { rowOf } from './table.ts';
import { hostOf } from './tensors.ts';
import { Value, type Host } from './value.ts';

/** A node that is not computed, and why. */
export interface Refusal {
  readonly op: string;
  readonly label: string;
  readonly because: string;
}

/** What the plans of a model share. */
export interface Planning {
  readonly model: Model;
  readonly opset: number;
  readonly device: Device;
  readonly refusals: Refusal[];
  /** Every constant, to be freed with the executable. */
  readonly constants: Value[];
  readonly memories: Memory[];
}

/** Names that a graph can see. */
interface Scope {
  readonly outer: Scope | undefined;
  readonly places: Map<string, number>;
  readonly values: (Value | undefined)[];
  readonly types: (DataType | undefined)[];
  readonly captures: (readonly [number, number])[];
  /** Names that a node or an output reads. */
  readonly read: ReadonlySet<string>;
}

/**
 * Plans a graph: chooses rows, computes what depends on constants alone, and refuses what cannot be run. A generator because constants
 * may have to be read back from the device: it yields values whose elements are wanted in JavaScript.
 * @param inputTypes types of the inputs where the graph does not declare them
 */
export function* planGraph(graph: GraphProto, planning: Planning, outer?: Scope, inputTypes: readonly (DataType | undefined)[] = []): Generator<Value, Plan> {
  const scope: Scope = { outer, places: new Map(), values: [], types: [], captures: [], read: namesRead(graph) };
  const initial = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.map((info, k) => {
    if (initial.has(info.name) && !outer) return undefined;
    const declared = info.type?.value.case === 'tensorType' ? info.type.value.value.elemType : 0;
    return define(scope, info.name, undefined, inputTypes[k] ?? (declared ? dataTypeOf(declared) : undefined));
  });
  for (const tensor of graph.initializer) constant(scope, planning, tensor.name, () => hostOf(readTensor(planning.model, tensor)), dataTypeOf(tensor.dataType));
  for (const { values } of graph.sparseInitializer) {
    planning.refusals.push({ op: 'sparse initializer', label: `'${values?.name ?? ''}'`, because: 'sparse tensors are not read' });
    define(scope, values?.name ?? '', undefined, undefined);
  }
  const steps: Step[] = [];
  for (const node of graph.node) {
    const step = yield* planNode(node, scope, planning);
    if (step) steps.push(step);
  }
  const outputs = graph.output.map(({ name }) => (name === '' ? -1 : placeOf(scope, name)));
  return {
    inputs, outputs, steps,
    outputNames: graph.output.map(({ name }) => name),
    types: outputs.map((place) => scope.types[place]),
    template: scope.values,
    captures: scope.captures,
    schedule: schedule(steps, outputs, scope.values, scope.captures),
  };
}

function define(scope: Scope, name: string, value: Value | undefined, type: DataType | undefined): number {
  const place = scope.values.length;
  scope.values.push(value);
  scope.types.push(type);
  scope.places.set(name, place);
  return place;
}

function constant(scope: Scope, { constants }: Planning, name: string, read: () => Host, type: DataType): void {
  const value = Value.host(read());
  value.constant = true;
  constants.push(value);
  define(scope, name, value, type);
}

/** The place of a name, taken over from the graphs around this one where it is theirs. */
function placeOf(scope: Scope, name: string): number {
  const own = scope.places.get(name);
  if (own !== undefined) return own;
  if (!scope.outer) throw new Error(`the value '${name}' is computed by no node`);
  const outer = placeOf(scope.outer, name);
  const place = define(scope, name, scope.outer.values[outer]?.constant ? scope.outer.values[outer] : undefined, scope.outer.types[outer]);
  if (!scope.values[place]) scope.captures.push([outer, place]);
  return place;
}

/** Names that the nodes of a graph and of its bodies read, and its outputs. */
function namesRead({ node, output }: GraphProto, names = new Set<string>()): Set<string> {
  for (const { name } of output) names.add(name);
  for (const { input, attribute } of node) {
    for (const name of input) names.add(name);
    for (const { g } of attribute) if (g) namesRead(g, names);
  }
  names.delete('');
  return names;
}

/** The elements of a constant in a scope, where they are in JavaScript. */
function constantAt({ values }: Scope, place: number): Host | undefined {
  const value = values[place];
  return value?.constant && value.data !== undefined ? (value as Value & Host) : undefined;
}

/** The tensor of a Constant node; undefined for a sparse one. */
function constantNode({ attribute: [attribute] }: NodeProto, model: Model): Host | undefined {
  const { name } = attribute;
  if (name === 'value') return hostOf(readTensor(model, attribute.t!));
  if (name === 'value_int') return { dtype: 'int64', dims: [], data: BigInt64Array.of(attribute.i) };
  if (name === 'value_ints') return { dtype: 'int64', dims: [attribute.ints.length], data: BigInt64Array.from(attribute.ints) };
  if (name === 'value_float') return { dtype: 'float32', dims: [], data: Float32Array.of(attribute.f) };
  if (name === 'value_floats') return { dtype: 'float32', dims: [attribute.floats.length], data: Float32Array.from(attribute.floats) };
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (name === 'value_string') return { dtype: 'string', dims: [], data: [text(attribute.s)] };
  if (name === 'value_strings') return { dtype: 'string', dims: [attribute.strings.length], data: attribute.strings.map(text) };
  return undefined;
}

/** Why operands of these types are not computed; undefined where they are, or a type is not known. */
function refusedTypes({ host, device, takes = FLOAT, hostTakes = NUMBERS, reads = [] }: AnyComputed, types: readonly (DataType | undefined)[], present: readonly boolean[]): string | undefined {
  const own = types.filter((type, k) => present[k] && type !== undefined && !reads.includes(k)) as DataType[];
  if (device && own.every((type) => takes.includes(type))) return undefined;
  if (host && own.every((type) => hostTakes.includes(type))) return undefined;
  const bad = own.find((type) => !(device && takes.includes(type)) && !(host && hostTakes.includes(type)));
  return `it is not computed for ${bad ?? [...new Set(own)].join(' with ')}`;
}

const refusedFirst = ({ takes = FLOAT }: AnyExpanded, type: DataType | undefined): string | undefined =>
  (type === undefined || takes.includes(type) ? undefined : `it is not computed for ${type}`);

function* planNode(node: NodeProto, scope: Scope, planning: Planning): Generator<Value, Step | undefined> {
  const { opset, device, refusals } = planning;
  const label = nodeLabel(node);
  if (node.opType === 'Constant' && node.domain === '') {
    const host = constantNode(node, planning.model);
    if (host) constant(scope, planning, node.output[0], () => host, host.dtype);
    else refusals.push({ op: 'Constant', label, because: 'a sparse constant is not read' });
    return undefined;
  }
  const { op, domain, attributes, operands } = normaliseNode(node, opset, () => undefined);
  const row = rowOf(domain, op);
  const inputs = operands.map((operand) => (operand?.value === undefined ? -1 : placeOf(scope, operand.value)));
  const types = inputs.map((place) => (place < 0 ? undefined : scope.types[place]));
  const constants = inputs.map((place) => (place < 0 ? undefined : constantAt(scope, place)));
  const stated: Stated<never> = { attributes: attributes as never, types, constants, present: inputs.map((place) => place >= 0), wanted: node.output.map((name) => scope.read.has(name)) };
  const results = resultTypes(op, attributes, types, constants);
  const addOutputs = (found: readonly (DataType | undefined)[]): number[] => node.output.map((name, k) => (scope.read.has(name) ? define(scope, name, undefined, found[Math.min(k, found.length - 1)]) : -1));

  if (row === undefined || 'refused' in row || 'lowered' in row) {
    refusals.push({ op: domain === '' ? op : `${domain}.${op}`, label, because: row === undefined ? 'it is not an operator that Coppice knows' : 'refused' in row ? row.refused : 'this form of it could not be replaced by simpler operators' });
    addOutputs(results);
    return undefined;
  }
  const bodies: Record<string, Plan> = {};
  if ('control' in row) {
    let found: readonly (DataType | undefined)[] = [];
    for (const attribute of node.attribute) {
      if (!attribute.g) continue;
      const carried = row.control === 'Loop' ? ['int64' as const, 'bool' as const, ...types.slice(2)] : row.control === 'Scan' ? types : [];
      const plan = yield* planGraph(attribute.g, planning, scope, carried);
      bodies[attribute.name] = plan;
      if (found.length === 0) found = row.control === 'Loop' ? plan.types.slice(1) : plan.types;
    }
    return step(addOutputs(found));
  }
  const because = row.refuse?.(stated) ?? ('expand' in row ? refusedFirst(row, types[0]) : refusedTypes(row, types, stated.present));
  if (because !== undefined) refusals.push({ op, label, because });
  const outputs = addOutputs(results);
  const made = step(outputs);
  if (because === undefined && refusals.length === 0 && !('random' in row && row.random) && inputs.every((place) => place < 0 || scope.values[place]?.constant)) {
    const values = yield* runStep(made, inputs.map((place) => (place < 0 ? undefined : scope.values[place])), device);
    outputs.forEach((place, k) => {
      const value = values[k];
      if (place < 0) return;
      if (!value) throw new Error(`${label} left out the result '${node.output[k]}'`);
      scope.values[place] = value;
      if (value.constant) return;
      value.constant = true;
      planning.constants.push(value);
    });
    return undefined;
  }
  return made;

  function step(outputs: number[]): Step {
    const memory: Memory = new Map();
    planning.memories.push(memory);
    const computed = row && ('control' in row || 'expand' in row) ? undefined : (row as AnyComputed);
    return {
      label, op, attributes, inputs, outputs, bodies, memory, computed,
      expanded: row && 'expand' in row ? row : undefined,
      control: row && 'control' in row ? row.control : undefined,
      device: computed !== undefined && hasKernels(computed, device) && (computed.deviceWhen?.(stated) ?? true),
      reads: inputs.map((_, k) => computed?.reads?.includes(k) ?? false),
      wanted: outputs.map((place) => place >= 0),
      captured: [...new Set(Object.values(bodies).flatMap((body) => body.captures.map(([outer]) => outer)))],
    };
  }
}
