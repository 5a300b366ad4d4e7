import type { GraphProto, NodeProto } from '@coppice/graph';

/** Operators whose result holds elements of their first input and no others. */
const CARRIERS = new Set(['Cast', 'Identity', 'Unsqueeze', 'Squeeze', 'Reshape', 'Flatten', 'Transpose', 'Expand', 'Slice', 'Split', 'Tile', 'Gather', 'Concat', 'Clip']);
/** Operators through which a table of a file reaches its Gather with its rows in place. */
const DECODERS = new Set(['Cast', 'Identity', 'DequantizeLinear', 'Mul']);

/**
 * The number of rows of the smallest table of the file that the elements of a value choose from, followed to the indices of Gather;
 * undefined when they choose from none.
 */
export function vocabularyOf(graph: GraphProto, value: string): number | undefined {
  const tables = tableShapes(graph);
  const consumers = new Map<string, NodeProto[]>();
  for (const node of graph.node) for (const name of new Set(node.input)) consumers.set(name, [...(consumers.get(name) ?? []), node]);
  const seen = new Set<string>();
  const queue = [value];
  let smallest: number | undefined;
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const node of consumers.get(name) ?? []) {
      const table = node.opType === 'Gather' && node.input[1] === name ? tables.get(node.input[0]) : undefined;
      if (table !== undefined) {
        const axis = Number(node.attribute.find((a) => a.name === 'axis')?.i ?? 0n);
        const rows = table[axis < 0 ? axis + table.length : axis];
        if (rows !== undefined) smallest = Math.min(smallest ?? rows, rows);
      } else if (CARRIERS.has(node.opType) && (node.input[0] === name || node.opType === 'Concat')) queue.push(...node.output);
    }
  }
  return smallest;
}

/** Dimensions of the tensors of the file, also of those behind a Cast or a scale. */
function tableShapes({ initializer, node }: GraphProto): Map<string, readonly number[]> {
  const shapes = new Map(initializer.map(({ name, dims }) => [name, dims.map(Number)] as const));
  for (const { opType, input, output, attribute } of node) {
    const constant = opType === 'Constant' ? attribute[0]?.t?.dims.map(Number) : undefined;
    const shape = constant ?? (DECODERS.has(opType) ? shapes.get(input[0]) : undefined);
    if (shape) shapes.set(output[0], shape);
  }
  return shapes;
}
