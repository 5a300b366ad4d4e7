import { gradientName, type Loss } from '@coppice/core';
import { CoppiceError, graphOf, makeInitializer, makeNode, makeValueInfo, renamedGraph, type ValueInfoProto } from '@coppice/graph';
import { asLoss } from './loss-graph.ts';

/** A loss and how much it counts. */
export interface WeightedLoss {
  readonly loss: Loss;
  readonly weight: number;
}

/**
 * The weighted sum of losses as one. Outputs of the model and labels of the same name are one input; the weights are constants. Each
 * part's own value, without its weight, is the output `loss/<n>.<name>`, counted from 1; the gradient of an output is the sum over the
 * parts that read it. Outputs that a part has beyond the contract are dropped.
 * @throws CoppiceError `COPPICE_LOSS_INVALID` when there are none, a weight is not a finite number, one name is two kinds of input, or a part has no gradient
 */
export function combineLosses(parts: readonly WeightedLoss[]): Loss {
  if (parts.length === 0) throw invalid('there are none', 'Give at least one');
  const bad = parts.find(({ weight }) => !Number.isFinite(weight));
  if (bad) throw invalid(`'${bad.loss.name}' has the weight ${bad.weight}`, 'Give a finite number');
  const reads = inputsOf(parts, 'reads');
  const labels = inputsOf(parts, 'labels');
  const both = [...reads.keys()].find((name) => labels.has(name));
  if (both !== undefined) throw invalid(`'${both}' is an output of the model for one and a label for another`, 'Rename the label');

  const scaled = parts.map(({ loss, weight }, k) => {
    const prefix = `${k + 1}.${loss.name}`;
    const shared = new Set([...loss.reads, ...loss.labels]);
    const graph = renamedGraph(graphOf(loss.graph), (name) => (name === '' || shared.has(name) ? name : `${prefix}/${name}`));
    const value = `loss/${prefix}`;
    const products = ['loss', ...loss.reads.map(gradientName)].map((name) => ({ name, product: `${prefix}/weighted/${name}` }));
    const lacking = products.find(({ name }) => graph.output.every((output) => output.name !== `${prefix}/${name}`));
    if (lacking) throw invalid(`'${loss.name}' has no output '${lacking.name}'`, 'Its graph must output the loss and one gradient for each output of the model that it reads');
    const nodes = [
      ...graph.node,
      makeNode({ op: 'Identity', name: value, inputs: [`${prefix}/loss`], outputs: [value] }),
      ...products.map(({ name, product }) => makeNode({ op: 'Mul', name: product, inputs: [`${prefix}/${name}`, `${prefix}/weight`], outputs: [product] })),
    ];
    return { value, products, nodes, initializers: [...graph.initializer, makeInitializer(`${prefix}/weight`, 'float32', [], [weight])] };
  });
  const sums = ['loss', ...[...reads.keys()].map(gradientName)].map((name) => {
    const inputs = scaled.flatMap(({ products }) => products.filter((part) => part.name === name).map(({ product }) => product));
    return makeNode({ op: 'Sum', name, inputs, outputs: [name] });
  });
  return asLoss({
    name: parts.map(({ loss, weight }) => `${weight}·${loss.name}`).join(' + '),
    reads: [...reads.values()],
    labels: [...labels.values()],
    extras: scaled.map(({ value }) => makeValueInfo(value, 'float32', [])),
    written: { nodes: [...scaled.flatMap(({ nodes }) => nodes), ...sums], initializers: scaled.flatMap(({ initializers }) => initializers) },
  });
}

const invalid = (what: string, next: string): CoppiceError => new CoppiceError('COPPICE_LOSS_INVALID', `These losses cannot be combined: ${what}. ${next}.`);

/** Inputs of one kind by name, as the first part that has them declares them. */
function inputsOf(parts: readonly WeightedLoss[], kind: 'reads' | 'labels'): Map<string, ValueInfoProto> {
  const found = new Map<string, ValueInfoProto>();
  for (const { loss } of parts) {
    for (const name of loss[kind]) {
      const value = graphOf(loss.graph).input.find((input) => input.name === name);
      if (value === undefined) throw invalid(`'${loss.name}' reads '${name}', which its graph has not as an input`, 'Add the input to the graph');
      const known = found.get(name);
      if (known !== undefined && elementType(known) !== elementType(value)) throw invalid(`'${name}' has two element types`, 'Rename one of the two');
      if (known === undefined) found.set(name, value);
    }
  }
  return found;
}

const elementType = ({ type }: ValueInfoProto): number | undefined => (type?.value.case === 'tensorType' ? type.value.value.elemType : undefined);
