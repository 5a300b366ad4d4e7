import { notation } from './node-view.ts';
import type { ContribRows, StandardRows } from './rows.ts';
import type { NodeView, Signature } from './signature.ts';

const because = { D: 'directions are not pruned', T: 'time', B: 'batch', G: 'gates', G2: 'gates', P: 'gates' };

/**
 * Gates are blocks of the rows of W and R, in whatever order; each direction has hidden units of its own, the same number in each.
 * `(G h@D)`: gate outermost, then the unit, in the direction that another axis names.
 */
const recurrentRule = (gates: number, states: number) => (node: NodeView): Signature => {
  const batchFirst = node.attributes.layout === 1;
  const x = batchFirst ? 'B T i' : 'T B i';
  const state = batchFirst ? 'B D h@D' : 'D B h@D';
  const y = batchFirst ? 'B T D h@D' : 'T D B h@D';
  const every = Array.from({ length: states }, () => state);
  return {
    axes: notation(node, [x, 'D (G h@D) i', 'D (G h@D) h@D', 'D (G2 h@D)', 'B', ...every, 'D (P h@D)'], [y, ...every]),
    sizes: { G: gates, G2: 2 * gates, P: 3 },
    macs: 'T B D G h i + T B D G h h',
    restates: [{ attribute: 'hidden_size', is: 'h' }],
    because,
  };
};

export const recurrent = {
  /** Gates i o f c; peepholes for i o f. Spec: LSTM-22. */
  LSTM: recurrentRule(4, 2),
  /** Gates z r h. Spec: GRU-22. */
  GRU: recurrentRule(3, 1),
  /** One gate. Spec: RNN-22. */
  RNN: recurrentRule(1, 1),
} satisfies StandardRows;

export const contribRecurrent = {
  /**
   * LSTM whose weights are int8 and transposed, [D, in, 4H] and [D, H, 4H], with a scale for each direction or for each of its columns.
   * Spec: com.microsoft.DynamicQuantizeLSTM-1.
   */
  DynamicQuantizeLSTM: (node) => {
    const perColumn = (k: number) => (node.inputs[k]?.length === 2 ? 'D (G h@D)' : 'D');
    const state = 'D B h@D';
    return {
      axes: notation(
        node,
        ['T B i', 'D i (G h@D)', 'D h@D (G h@D)', 'D (G2 h@D)', 'B', state, state, 'D (P h@D)', perColumn(8), perColumn(9), perColumn(10), perColumn(11)],
        ['T D B h@D', state, state],
      ),
      sizes: { G: 4, G2: 8, P: 3 },
      macs: 'T B D G h i + T B D G h h',
      restates: [{ attribute: 'hidden_size', is: 'h' }],
      because,
    };
  },
} satisfies ContribRows;
