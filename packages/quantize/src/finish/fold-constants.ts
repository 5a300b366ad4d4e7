import { GraphEdits, type Backend } from '@coppice/core';
import { CoppiceError, graphOf, toTensorProto, type Model } from '@coppice/graph';
import { bytesOf, constantValues, evaluateConstants, isConstantNode, storedBytes, type ConstantValue } from '../constants.ts';
import { readsOf } from '../prepare.ts';
import { unchanged, type Pass } from './step.ts';

/** Folding may make a tensor this much larger than what it is computed from. */
const SLACK_BYTES = 1024;

/**
 * What the main graph computes from stored tensors alone becomes stored itself. Weights that the file keeps in few bits on purpose
 * (DequantizeLinear; a Cast or a Mul behind 8- or 16-bit numbers) stay, because the file would grow.
 */
export async function foldConstants(model: Model, backend: Backend): Promise<Pass> {
  const graph = graphOf(model);
  const constants = constantValues(graph);
  const wanted = handedOn(model, constants).filter(({ dequantized }) => !dequantized);
  if (wanted.length === 0) return unchanged(model);
  let contents;
  try {
    contents = await evaluateConstants(model, wanted.map(({ name }) => name), backend);
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    return unchanged(model, [`The backend did not compute the constants by themselves: ${error.message}`]);
  }
  const bytes = storedBytes(model);
  const edits = new GraphEdits(model);
  const [changed, left]: string[][] = [[], []];
  for (const { name, node, sources } of wanted) {
    const tensor = contents.get(name)!;
    const before = [...sources].reduce((sum, source) => sum + bytes(source), 0);
    if (tensor.dtype !== 'string' && bytesOf(tensor) > before + SLACK_BYTES) {
      left.push(`'${name}' would take ${bytesOf(tensor)} bytes and is computed from ${before}`);
      continue;
    }
    edits.freeOutput(node, node.output.indexOf(name));
    edits.addTensor(toTensorProto(name, tensor));
    changed.push(name);
  }
  return changed.length === 0 ? unchanged(model, left) : { model: edits.apply(), changed, left };
}

/** The constants that something else than a constant reads. Results of the model stay computed: they are part of its contract. */
function handedOn(model: Model, constants: ReadonlyMap<string, ConstantValue>): ConstantValue[] {
  const { node, output } = graphOf(model);
  const results = new Set(output.map(({ name }) => name));
  const read = new Set<string>();
  for (const n of node) if (!isConstantNode(n) && !n.output.some((name) => constants.has(name))) readsOf(n, read);
  return [...constants.values()].filter(({ name }) => read.has(name) && !results.has(name));
}
