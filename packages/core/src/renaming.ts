import { withFields, type GraphProto, type NodeProto } from '@coppice/graph';

/** From the name of a value to the one it gets. */
export type Rename = (name: string) => string;

export const unchanged: Rename = (name) => name;

/** Names that a graph defines itself: inputs, initializers, results of nodes. Those of bodies within it are not among them. */
export const namesIn = ({ input, initializer, sparseInitializer, node }: GraphProto): ReadonlySet<string> => new Set([
  ...input.map(({ name }) => name),
  ...initializer.map(({ name }) => name),
  ...sparseInitializer.map(({ values }) => values?.name ?? ''),
  ...node.flatMap(({ output }) => output),
]);

/** The same renaming for a body whose own names stay as they are. */
export const shadowing = (rename: Rename, own: ReadonlySet<string>): Rename =>
  rename === unchanged ? unchanged : (name) => (own.has(name) ? name : rename(name));

/** A node in other names, also where its bodies read values around them. */
export function renamedNode(node: NodeProto, rename: Rename): NodeProto {
  if (rename === unchanged) return node;
  const known = (name: string): string => (name === '' ? '' : rename(name));
  return withFields(node, {
    input: node.input.map(known),
    output: node.output.map(known),
    attribute: node.attribute.map((a) => (a.g ? withFields(a, { g: renamedBody(a.g, rename) }) : a)),
  });
}

function renamedBody(body: GraphProto, rename: Rename): GraphProto {
  const inside = shadowing(rename, namesIn(body));
  return withFields(body, {
    node: body.node.map((node) => renamedNode(node, inside)),
    output: body.output.map((o) => withFields(o, { name: inside(o.name) })),
    valueInfo: [],
  });
}
