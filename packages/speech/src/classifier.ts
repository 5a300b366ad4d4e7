import { CoppiceError, freshNames, graphOf, makeInitializer, makeNode, makeValueInfo, opsetOf, valueNames, withFields, type Model } from '@coppice/graph';

/** The exponential of it is 0 in float32, and sums with it stay finite. */
const NEVER = -1e4;

/** What `classifierAsCtc` takes. */
export interface ClassifierOptions {
  /** The output [batch, class], logits or logarithms of probabilities. */
  readonly output: string;
  readonly classes: number;
  /** What the output with log-probabilities is called. Default `log_probs`. */
  readonly name?: string;
}

/**
 * A classifier of clips as a CTC model whose output has one frame, [batch, 1, class + 1]: the log-softmax of its classes, and behind them a blank that
 * never wins. The CTC loss of one label is its cross-entropy then, greedy decoding takes the best class, and the word error rate is the share of wrong
 * clips; so what can be done with a CTC model can be done with it. Its description has a `frameStride` of as many frames as a clip has.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_OPSET` below opset 13, `COPPICE_INPUT_MISMATCH` when there is no such output
 */
export function classifierAsCtc(model: Model, { output, classes, name: wanted = 'log_probs' }: ClassifierOptions): Model {
  const opset = opsetOf(model.proto);
  if (opset < 13) throw new CoppiceError('COPPICE_UNSUPPORTED_OPSET', `The model uses opset ${opset}, and a frame can be put behind a classifier from opset 13 on. Lift it with toModernOpset, or export it with a newer one.`);
  const graph = graphOf(model);
  if (!graph.output.some(({ name }) => name === output)) throw new CoppiceError('COPPICE_INPUT_MISMATCH', `The model has no output '${output}'. It has: ${graph.output.map(({ name }) => name).join(', ')}.`);
  const fresh = freshNames(valueNames(graph));
  const [name, logs, frame, axis, pads, never] = [wanted, 'classes.log', 'classes.frame', 'classes.axis', 'classes.pads', 'classes.never'].map(fresh);
  const nodes = [
    makeNode({ op: 'LogSoftmax', name: logs, inputs: [output], outputs: [logs], attributes: { axis: 1 } }),
    makeNode({ op: 'Unsqueeze', name: frame, inputs: [logs, axis], outputs: [frame] }),
    makeNode({ op: 'Pad', name, inputs: [frame, pads, never], outputs: [name] }),
  ];
  const initializers = [makeInitializer(axis, 'int64', [1], [1]), makeInitializer(pads, 'int64', [6], [0, 0, 0, 0, 0, 1]), makeInitializer(never, 'float32', [], [NEVER])];
  return {
    ...model,
    proto: withFields(model.proto, { graph: withFields(graph, {
      node: [...graph.node, ...nodes], initializer: [...graph.initializer, ...initializers], output: [makeValueInfo(name, 'float32', ['batch', 1, classes + 1])],
    }) }),
  };
}
