import { flattenModel, type Program } from '@coppice/core';
import { graphOf, withFields, type GraphProto, type Model, type NodeProto } from '@coppice/graph';
import { dropUnread, namesRead } from '../prepare.ts';
import { unchanged, type Pass } from './step.ts';

type Step = Program['steps'][number];

/**
 * Nodes of the main graph that hand on what they read: Identity, Dropout outside training, Cast to the type there is, Transpose that
 * leaves the order or undoes another, Concat of one. Those in bodies stay: runtimes need them there between states and outputs.
 */
export function dropIdentities(model: Model): Pass {
  let current = model;
  const changed: string[] = [];
  // One at a time, since dropping one may make its neighbour an identity; chains are short.
  for (;;) {
    const program = flattenModel(current);
    const makers = new Map(program.steps.flatMap((step) => step.outputs.map((id) => [id, step] as const)));
    const read = namesRead(graphOf(current));
    const batch = new Map<string, string>();
    const touched = new Set<string>();
    for (const step of program.steps) {
      const source = step.scope.parent === undefined ? sourceOf(step, program, makers, read) : undefined;
      if (source === undefined) continue;
      const [from, to] = [program.values[source].name, step.proto.output[0]];
      if (touched.has(from) || touched.has(to)) continue;
      const renamed = renaming(program, makers, source, step);
      if (!renamed) continue;
      touched.add(from).add(to);
      batch.set(...renamed);
      changed.push(step.proto.name || to);
      current = without(current, step.proto, renamed);
    }
    if (batch.size === 0) break;
  }
  return changed.length === 0 ? unchanged(model) : { model: dropUnread(current), changed, left: [] };
}

/** The value that a node hands on unchanged; undefined for a node that does something. */
function sourceOf({ node, inputs, outputs, proto }: Step, { values }: Program, makers: ReadonlyMap<number, Step>, read: ReadonlySet<string>): number | undefined {
  if (node.domain !== '' || proto.output.slice(1).some((name) => name !== '' && read.has(name))) return undefined;
  const [x] = inputs;
  if (x === undefined || x < 0 || values[x].scope.parent !== undefined) return undefined;
  switch (node.op) {
    case 'Identity': return x;
    case 'Dropout': {
      const training = node.operands[2];
      return training === undefined ? x : undefined;
    }
    case 'Cast': return values[x].elementType !== 0 && values[x].elementType === node.attributes.to && values[outputs[0]].elementType === values[x].elementType ? x : undefined;
    case 'Concat': return node.operands.length === 1 ? x : undefined;
    case 'Transpose': {
      const perm = node.attributes.perm as readonly number[] | undefined;
      if (!perm) return undefined;
      if (perm.every((axis, k) => axis === k)) return x;
      const before = makers.get(x);
      const first = before?.node.op === 'Transpose' && before.scope.parent === undefined ? (before.node.attributes.perm as readonly number[] | undefined) : undefined;
      return first && perm.every((axis, k) => first[axis] === k) ? before!.inputs[0] : undefined;
    }
    default: return undefined;
  }
}

/** Which name is to be read instead of which, so that results of the model keep theirs; undefined where both ends are fixed. */
function renaming(program: Program, makers: ReadonlyMap<number, Step>, source: number, step: Step): readonly [string, string] | undefined {
  const [from, to] = [program.values[source].name, step.proto.output[0]];
  if (!program.outputs.includes(step.outputs[0])) return [to, from];
  const maker = makers.get(source);
  // A result of the model keeps its name, and its maker takes it over, if the maker is a node and its own result is none.
  return maker && maker.scope.parent === undefined && !program.outputs.includes(source) ? [from, to] : undefined;
}

function without(model: Model, dropped: NodeProto, [from, to]: readonly [string, string]): Model {
  const rename = (name: string): string => (name === from ? to : name);
  const graph = graphOf(model);
  const node = graph.node.filter((n) => n.output[0] !== dropped.output[0] || n.opType !== dropped.opType).map((n) => renamed(n, rename));
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { node, valueInfo: graph.valueInfo.filter(({ name }) => name !== from) }) }) };
}

function renamed(node: NodeProto, rename: (name: string) => string): NodeProto {
  const body = (graph: GraphProto): GraphProto => withFields(graph, { node: graph.node.map((n) => renamed(n, rename)), output: graph.output.map((o) => withFields(o, { name: rename(o.name) })) });
  return withFields(node, {
    input: node.input.map(rename),
    output: node.output.map(rename),
    attribute: node.attribute.map((a) => (a.g ? withFields(a, { g: body(a.g) }) : a)),
  });
}
