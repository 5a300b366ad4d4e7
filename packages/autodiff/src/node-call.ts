import type { Program, Trace } from '@coppice/core';
import { normaliseNode, opsetOf, schemaOf, type Model, type NodeProto, type OperatorName } from '@coppice/graph';
import type { Known } from './emit.ts';
import { gradientOf } from './table.ts';
import type { Call, Row } from './vjp.ts';

/** A node of the graph as rules see it. */
export interface NodeCall {
  readonly node: NodeProto;
  /** Undefined for constants. */
  readonly step?: Program['steps'][number];
  readonly row: Row<OperatorName> | undefined;
  /** Name of the operand in the specification, place within a variadic one, the value. */
  readonly operands: readonly ({ readonly input: string; readonly place: number; readonly id: number; readonly name: string } | undefined)[];
  readonly results: readonly { readonly output: string; readonly name: string }[];
  readonly call: Omit<Call<OperatorName>, 'training' | 'emit' | 'wants'>;
}

/** What rules may know of a node of the modern form of a traced model. */
export function callOf(trace: Trace, model: Model, node: NodeProto): NodeCall {
  const { program } = trace;
  const normal = normaliseNode(node, opsetOf(model.proto), () => undefined);
  const step = stepsByOutput(program).get(node.output.find((name) => name !== '') ?? '');
  const schema = schemaOf(normal.domain, normal.op);
  const row = gradientOf(normal.domain, normal.op);
  const named = (names: readonly string[], k: number): [name: string, place: number, variadic: boolean] => {
    const at = Math.min(k, names.length - 1);
    return [names[at].replace(/\?$|\.\.\.$/, ''), k - at, names[at].endsWith('...')];
  };
  const inputs: Record<string, unknown> = {};
  const constants: Record<string, readonly number[]> = {};
  const operands = normal.operands.map((operand, k) => {
    if (operand?.value === undefined || !schema) return undefined;
    const [input, place, variadic] = named(schema.inputs, k);
    const id = step && step.inputs[k] >= 0 ? step.inputs[k] : -1;
    const value = knownOf(trace, id, operand.value);
    if (variadic) (inputs[input] ??= [] as Known[]) as Known[];
    if (variadic) (inputs[input] as Known[])[place] = value;
    else inputs[input] = value;
    const contents = numbersOf(step, k) ?? (id >= 0 ? trace.constants.get(id)?.values : undefined);
    if (contents) constants[input] = contents;
    return { input, place, id, name: operand.value };
  });
  // Operands that were attributes in the file are initializers in the modern form, and their contents are in the step.
  normal.operands.forEach((_, k) => {
    const contents = numbersOf(step, k);
    if (schema && contents) constants[named(schema.inputs, k)[0]] ??= contents;
  });
  const outputs: Record<string, unknown> = {};
  const results = node.output.flatMap((name, k) => {
    if (name === '' || !schema) return [];
    const [output, place, variadic] = named(schema.outputs, k);
    const value = knownOf(trace, step?.outputs[k] ?? -1, name);
    if (variadic) ((outputs[output] ??= []) as Known[])[place] = value;
    else outputs[output] = value;
    return [{ output: variadic ? `${output}.${place}` : output, name }];
  });
  return { node, step, row, operands, results, call: { op: normal.op as OperatorName, attributes: normal.attributes as never, legacy: normal.legacy, inputs, outputs, constants } as unknown as NodeCall['call'] };
}

const numbersOf = (step: NodeCall['step'], k: number): readonly number[] | undefined => step?.node.operands[k]?.constant;

const byOutput = new WeakMap<Program, Map<string, Program['steps'][number]>>();

/** Steps of the main graph by the names of their results. */
function stepsByOutput(program: Program): Map<string, Program['steps'][number]> {
  let map = byOutput.get(program);
  if (!map) byOutput.set(program, (map = new Map(program.steps.filter(({ scope }) => scope.parent === undefined).flatMap((step) => step.outputs.filter((id) => id >= 0).map((id) => [program.values[id].name, step] as const)))));
  return map;
}

/** A value with the sizes that it had in both runs. */
function knownOf({ program, runs: [first, second] }: Trace, id: number, name: string): Known {
  const dims = id >= 0 ? program.values[id].tensor?.dims.map(Number) : undefined;
  const [a, b] = id >= 0 ? [first.shapes[id] ?? dims, second.shapes[id] ?? dims] : [];
  return { name, shape: a?.map((size, axis) => (size === b?.[axis] ? size : undefined)) ?? [] };
}

