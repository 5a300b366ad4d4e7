import { freshNames, graphOf, makeNode, valueNames, withFields, type GraphProto, type Model, type NodeProto, type TensorProto } from '@coppice/graph';
import { namesIn, renamedNode, type Rename } from './renaming.ts';
import type { Step } from './program.ts';
import type { Scope } from './scope.ts';
import type { Trace } from './trace.ts';

/**
 * An If whose condition does not depend on data and was the same in all runs (exporters leave tests of ranks and batch sizes behind)
 * always takes the same branch. Where its other branch could not be run, or ends in other shapes, it would freeze what it touches; then
 * the branch that is taken stands in its place.
 * @returns the same model when there is no such If
 */
export function decideIfs(trace: Trace): { model: Model; decided: readonly string[] } {
  const { program } = trace;
  const taken = new Map<NodeProto, 'then_branch' | 'else_branch'>();
  for (const step of program.steps) {
    const condition = step.node.op === 'If' ? trace.constants.get(step.inputs[0])?.values[0] : undefined;
    if (condition !== undefined && isTroubled(step, trace)) taken.set(step.proto, condition ? 'then_branch' : 'else_branch');
  }
  if (taken.size === 0) return { model: program.model, decided: [] };
  const fresh = freshNames(valueNames(graphOf(program.model)));
  const graph = rewrite(graphOf(program.model), taken, fresh);
  return { model: { ...program.model, proto: withFields(program.model.proto, { graph }) }, decided: [...taken.keys()].map((node) => node.name || node.output[0]) };
}

/** Whether shapes in the branches or at their ends are unknown or differ. */
function isTroubled(step: Step, trace: Trace): boolean {
  const shape = (id: number) => trace.runs[0].shapes[id];
  if (step.link?.pairs.some(({ inner, outer }) => shape(inner) === undefined || String(shape(inner)) !== String(shape(outer)))) return true;
  const bodies = new Set(step.proto.attribute.map((a) => a.g));
  const within = (scope: Scope | undefined): boolean => scope !== undefined && (bodies.has(scope.graph) || within(scope.parent));
  return trace.program.steps.some((inner) => within(inner.scope) && inner.outputs.some((id) => id >= 0 && shape(id) === undefined));
}

function rewrite(graph: GraphProto, taken: ReadonlyMap<NodeProto, string>, fresh: (name: string) => string): GraphProto {
  const initializer: TensorProto[] = [...graph.initializer];
  const node = graph.node.flatMap((n): NodeProto[] => {
    const choice = taken.get(n);
    if (choice === undefined) return [n.attribute.some((a) => a.g) ? withFields(n, { attribute: n.attribute.map((a) => (a.g ? withFields(a, { g: rewrite(a.g, taken, fresh) }) : a)) }) : n];
    const branch = rewrite(n.attribute.find((a) => a.name === choice)!.g!, taken, fresh);
    const names = new Map([...namesIn(branch)].filter((name) => name !== '').map((name) => [name, fresh(name)]));
    const rename: Rename = (name) => names.get(name) ?? name;
    for (const tensor of branch.initializer) initializer.push(withFields(tensor, { name: rename(tensor.name) }));
    const ends = branch.output.flatMap((o, k) => (n.output[k] ? [makeNode({ op: 'Identity', name: fresh(`${n.name || 'If'}/${k}`), inputs: [rename(o.name)], outputs: [n.output[k]] })] : []));
    return [...branch.node.map((inner) => renamedNode(inner, rename)), ...ends];
  });
  return withFields(graph, { node, initializer });
}
