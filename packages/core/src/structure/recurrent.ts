import type { NodeView, Signature, StructureRows } from './signature.ts';

/**
 * Gates are blocks of the rows of W and R, in whatever order; each direction has hidden units of its own, the same number in each.
 * `(G h@D)`: gate outermost, then the unit, in the direction that another axis names.
 */
const recurrentRule = (gates: number, operands: number, states: number) => (node: NodeView): Signature => {
  const batchFirst = node.attributes.layout === 1;
  const x = batchFirst ? 'B T i' : 'T B i';
  const state = batchFirst ? 'B D h@D' : 'D B h@D';
  const y = batchFirst ? 'B T D h@D' : 'T D B h@D';
  const entries = [x, 'D (G h@D) i', 'D (G h@D) h@D', 'D (G2 h@D)', 'B', ...Array.from({ length: states }, () => state), 'D (P h@D)'].slice(0, operands);
  const outputs = [y, ...Array.from({ length: states }, () => state)];
  return {
    axes: `${node.inputs.map((shape, k) => (shape ? entries[k] : '.')).join(', ')} -> ${node.outputs.map((shape, k) => (shape ? outputs[k] : '.')).join(', ')}`,
    sizes: { G: gates, G2: 2 * gates, P: 3 },
    macs: 'T B D G h i + T B D G h h',
    restates: [{ attribute: 'hidden_size', is: 'h' }],
    because: { D: 'directions are not pruned', T: 'time', B: 'batch' },
  };
};

export const recurrent: StructureRows = {
  /** Gates i o f c; peepholes for i o f. Spec: LSTM-22. */
  LSTM: recurrentRule(4, 8, 2),
  /** Gates z r h. Spec: GRU-22. */
  GRU: recurrentRule(3, 6, 1),
  /** One gate. Spec: RNN-22. */
  RNN: recurrentRule(1, 6, 1),
};
