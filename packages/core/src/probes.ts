import { opsetOf,
  attributeOf, dataTypes, graphOf, makeInitializer, makeNode, makeValueInfo, withFields,
  type GraphProto, type Model, type NodeProto, type Payload, type TensorProto, type ValueInfoProto,
} from '@coppice/graph';
import { isDefault, type Program, type ProgramValue } from './program.ts';
import type { Scope } from './scope.ts';
import { namesIn, renamedNode, shadowing, unchanged, type Rename } from './renaming.ts';

/** How much of an If (`all`: both branches), a Loop or a Scan (`shapes`: no contents) a tracing model looks into. */
export type Opening = 'all' | 'then_branch' | 'else_branch' | 'shapes' | 'closed';

/** What may be tried for each operator with bodies, most informative first. */
export const openings: Readonly<Record<string, readonly Opening[]>> = {
  If: ['all', 'then_branch', 'else_branch', 'closed'],
  Loop: ['all', 'shapes', 'closed'],
  Scan: ['all', 'shapes', 'closed'],
};

/** An output of a tracing model that tells something about one value of the program. */
export interface Probe {
  readonly value: number;
  /** `shape`: int64[rank]; `contents`: the elements in one row, cut off behind `limit` + 1. In bodies one more axis in front for each Loop around. */
  readonly kind: 'shape' | 'contents';
  readonly output: string;
  /** Loops and Scans around the value, each of which puts its iterations in front as an axis. */
  readonly depth: number;
  readonly limit: number;
}

/** A node with bodies that a tracing model reaches, the outer before the inner. */
export interface Control {
  readonly path: string;
  readonly op: string;
}

/** A model that computes what the original does, and returns shapes and small contents instead of the results. */
export interface ProbedModel {
  readonly model: Model;
  readonly probes: readonly Probe[];
  readonly controls: readonly Control[];
}

export interface ProbeOptions {
  /** Asked for each node with bodies. */
  readonly openingOf: (path: string) => Opening;
  /** Values to leave out because the runtime refuses to measure them. */
  readonly without?: ReadonlySet<number>;
  /** Which contents to ask for: all that matter, only those that no weight plays into, or none. */
  readonly contents: 'all' | 'unweighted' | 'none';
}

/** Contents are asked for up to this number of elements. */
export const contentsLimit = 65536;

const PREFIX = 'coppice.trace';
/** Element types whose contents a run can return. */
const READABLE: ReadonlySet<number> = new Set([
  dataTypes.float32, dataTypes.float64, dataTypes.float16, dataTypes.bool, dataTypes.int8, dataTypes.int16, dataTypes.int32, dataTypes.int64,
  dataTypes.uint8, dataTypes.uint16, dataTypes.uint32, dataTypes.uint64,
]);

/** What goes into one graph of the tracing model: the main one, or the body of a Loop. */
interface Contents {
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
  readonly probes: Probe[];
}

/** Where the nodes of a scope are put. */
interface Place {
  readonly into: Contents;
  /** From the names that the scope sees to those they have in the graph they are put into. */
  readonly rename: Rename;
  readonly depth: number;
  readonly contents: boolean;
}

/** The value id in the name of a node that measures it, as a runtime's error quotes it. */
export const probedValue = (words: string): number | undefined => {
  const id = /coppice\.trace\/measure\/(\d+)/.exec(words)?.[1];
  return id === undefined ? undefined : Number(id);
};

/**
 * Builds the tracing model of a program. The branches of an If also run beside it, whatever its condition; the bodies of Loop and Scan
 * collect the shapes of each iteration.
 * @param runnable the program's model, or the same with its operators upgraded
 */
export function probeModel(program: Program, runnable: Model, options: ProbeOptions): ProbedModel {
  const main: Contents = { nodes: [], initializers: [], probes: [] };
  const controls: Control[] = [];
  const payloads = new Map<TensorProto, Payload>(runnable.payloads);
  const unmeasurable = nonTensors(program);
  const childScope = bodyScopes(program);
  const opset = opsetOf(runnable.proto);
  let fresh = 0;

  const measure = (scope: Scope, name: string, { into, rename, depth, contents }: Place): void => {
    const value = program.values[scope.names.get(name) ?? -1];
    if (!value || value.tensor || unmeasurable.has(value.id) || options.without?.has(value.id)) return;
    const add = (kind: Probe['kind'], limit: number, nodes: (output: string) => readonly NodeProto[]): void => {
      const output = `${PREFIX}/${kind}/${value.id}`;
      into.nodes.push(...nodes(output));
      into.probes.push({ value: value.id, kind, output, depth, limit });
    };
    const from = rename(name);
    add('shape', 0, (output) => [makeNode({ op: 'Shape', name: `${PREFIX}/measure/${value.id}`, inputs: [from], outputs: [output] })]);
    if (!contents || !isWorthReading(value) || (value.weighted && options.contents !== 'all')) return;
    const limit = value.weighted ? 1 : contentsLimit;
    add('contents', limit, (output) => [
      makeNode({ op: 'Reshape', name: `${PREFIX}/measure/${value.id}/flat`, inputs: [from, `${PREFIX}/flat`], outputs: [`${output}/flat`] }),
      opset < 10
        ? makeNode({ op: 'Slice', name: `${PREFIX}/measure/${value.id}/slice`, inputs: [`${output}/flat`], outputs: [output], attributes: { axes: [0], starts: [0], ends: [limit + 1] } })
        : makeNode({ op: 'Slice', name: `${PREFIX}/measure/${value.id}/slice`, inputs: [`${output}/flat`, `${PREFIX}/start`, `${PREFIX}/end/${limit}`], outputs: [output] }),
    ]);
  };

  const putNodes = (graph: GraphProto, scope: Scope, place: Place): void => {
    for (const node of graph.node) {
      const opening = hasBodies(node, opset) ? openControl(node, scope) : 'closed';
      if (opening === 'closed') place.into.nodes.push(renamedNode(node, place.rename));
      else if (node.opType === 'If') putBranches(node, scope, place, opening);
      else putLoop(node, scope, { ...place, contents: place.contents && opening === 'all' });
      for (const name of node.output) if (name !== '') measure(scope, name, place);
    }
  };

  const openControl = (node: NodeProto, scope: Scope): Opening => {
    const path = `${scope.path}${node.name || node.output[0]}`;
    controls.push({ path, op: node.opType });
    return options.openingOf(path);
  };

  const putBranches = (node: NodeProto, scope: Scope, place: Place, opening: Opening): void => {
    place.into.nodes.push(renamedNode(node, place.rename));
    for (const { name: branch, g: body } of node.attribute) {
      const inner = body && childScope(scope, node, branch);
      if (!inner || (opening !== 'all' && opening !== branch)) continue;
      const own = namesIn(body);
      const prefix = `${PREFIX}/branch/${fresh++}/`;
      const rename: Rename = (name) => (own.has(name) ? prefix + name : place.rename(name));
      for (const tensor of body.initializer) {
        const copy = withFields(tensor, { name: rename(tensor.name) });
        const payload = payloads.get(tensor);
        if (payload) payloads.set(copy, payload);
        place.into.initializers.push(copy);
      }
      putNodes(body, inner, { ...place, rename });
    }
  };

  const putLoop = (node: NodeProto, scope: Scope, place: Place): void => {
    const body = attributeOf(node, 'body')?.g;
    const inner = body && childScope(scope, node, 'body');
    if (!inner) {
      place.into.nodes.push(renamedNode(node, place.rename));
      return;
    }
    const into: Contents = { nodes: [], initializers: [], probes: [] };
    const rename = shadowing(place.rename, namesIn(body));
    const insidePlace: Place = { ...place, into, rename, depth: place.depth + 1 };
    for (const { name } of body.input) measure(inner, name, insidePlace);
    putNodes(body, inner, insidePlace);
    const probed = withFields(body, {
      node: into.nodes,
      initializer: [...body.initializer, ...into.initializers],
      output: [...body.output.map((o) => withFields(o, { name: rename(o.name) })), ...into.probes.map(({ output }) => declared(output))],
      valueInfo: [],
    });
    const results = body.output.length - (node.opType === 'Loop' ? 1 : 0);
    const known = Array.from({ length: results }, (_, k) => node.output[k] || `${PREFIX}/unused/${fresh++}`).map((name) => (name.startsWith(PREFIX) ? name : place.rename(name)));
    const scanned = into.probes.map((probe) => ({ ...probe, output: `${probe.output}/each` }));
    place.into.nodes.push(withFields(renamedNode(node, place.rename), {
      output: [...known, ...scanned.map(({ output }) => output)],
      attribute: node.attribute.map((a) => {
        if (a.name === 'body') return withFields(a, { g: probed });
        // A list that names the axis or the direction of each scanned result must go on for the new ones.
        return /^scan_output_(axes|directions)$/.test(a.name) ? withFields(a, { ints: [...a.ints, ...scanned.map(() => 0n)] }) : a;
      }),
    }));
    place.into.probes.push(...scanned);
  };

  const graph = graphOf(runnable);
  const scope = mainScope(program);
  if (scope) putNodes(graph, scope, { into: main, rename: unchanged, depth: 0, contents: options.contents !== 'none' });
  const constants = [
    makeInitializer(`${PREFIX}/flat`, 'int64', [1], [-1]),
    makeInitializer(`${PREFIX}/start`, 'int64', [1], [0]),
    ...[1, contentsLimit].map((limit) => makeInitializer(`${PREFIX}/end/${limit}`, 'int64', [1], [limit + 1])),
  ];
  return {
    controls,
    probes: main.probes,
    model: {
      ...runnable,
      ...(payloads.size > 0 && { payloads }),
      proto: withFields(runnable.proto, {
        // In format 3, initializers have to be listed among the inputs.
        irVersion: runnable.proto.irVersion === 3n ? 4n : runnable.proto.irVersion,
        graph: withFields(graph, {
          node: main.nodes,
          initializer: [...graph.initializer, ...main.initializers, ...constants],
          output: main.probes.map(({ output }) => declared(output)),
          valueInfo: [],
        }),
      }),
    },
  };
}

/** Whether a node has bodies that can be looked into. Before opset 9, Scan had a batch axis that its body does not see. */
const hasBodies = ({ opType, domain, attribute }: NodeProto, opset: number): boolean =>
  isDefault(domain) && openings[opType] !== undefined && (opType !== 'Scan' || opset >= 9) && attribute.some(({ g }) => g);

/** An output of whatever type the runtime infers: only its name is known to be right. */
const declared = (name: string): ValueInfoProto => withFields(makeValueInfo(name, 'int64'), { type: undefined });

/** Contents matter where the data do not change them and the file does not state them; of values made from weights, only single numbers. */
const isWorthReading = ({ tainted, elementType }: ProgramValue): boolean => !tainted && READABLE.has(elementType);

const mainScope = (program: Program): Scope | undefined => [...scopesIn(program)].find(({ parent }) => !parent);

/** Every scope of a program, bodies included. */
function scopesIn({ values }: Program): ReadonlySet<Scope> {
  const scopes = new Set<Scope>();
  for (const { scope } of values) for (let s: Scope | undefined = scope; s && !scopes.has(s); s = s.parent) scopes.add(s);
  return scopes;
}

/** Finds the scope of a body by its graph or, where upgrading copied the graph, by its path. */
function bodyScopes(program: Program): (parent: Scope, node: NodeProto, attribute: string) => Scope | undefined {
  const byGraph = new Map<GraphProto, Scope>();
  const byPath = new Map<string, Scope | undefined>();
  for (const scope of scopesIn(program)) {
    byGraph.set(scope.graph, scope);
    byPath.set(scope.path, byPath.has(scope.path) ? undefined : scope);
  }
  return (parent, node, attribute) =>
    byGraph.get(attributeOf(node, attribute)!.g!) ?? byPath.get(`${parent.path}${node.name || node.output[0]}/${attribute}/`);
}

const SEQUENCES = new Set(['SequenceConstruct', 'SequenceEmpty', 'SequenceInsert', 'SequenceErase', 'SequenceMap', 'SplitToSequence', 'Optional', 'OptionalGetElement', 'ZipMap']);

/** Values that are sequences, optionals or maps, and so have no shape. */
function nonTensors(program: Program): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { graph, names } of scopesIn(program)) {
    for (const { name, type } of graph.input) if (type?.value.case !== undefined && type.value.case !== 'tensorType') found.add(names.get(name)!);
  }
  // Twice, because the input of a Loop's body is known only behind the Loop.
  for (let pass = 0; pass < 2; pass++) {
    for (const { node, inputs, outputs, link } of program.steps) {
      if (SEQUENCES.has(node.op) || (node.op === 'Identity' && found.has(inputs[0]))) for (const id of outputs) found.add(id);
      for (const { outer, inner } of link?.pairs ?? []) {
        if (found.has(inner)) found.add(outer);
        else if (found.has(outer)) found.add(inner);
      }
    }
  }
  return found;
}
