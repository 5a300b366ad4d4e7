import { explain, notation } from './node-view.ts';
import type { StandardRows } from './rows.ts';
import { letters, type NodeView, type Shape, type StructureRule } from './signature.ts';

/** Positions `T0 T1 …` of a result that nothing else determines index by index. */
const positions = (node: NodeView, because: string) => {
  const axes = notation(node, [], node.outputs.map((shape) => shape && letters(shape.length, 'T').join(' ')));
  return { axes, because: explain(axes, { T: because }) };
};

const made = (because: string): StructureRule => (node) => positions(node, because);

/** The axes of an operand of which only the shape is read: they are its own, and cutting them changes numbers in the result. */
const unread = (shape: Shape | undefined) => shape && letters(shape.length).join(' ');

const windowRule = made('a window function has a fixed number of samples');
const random = made('random numbers are drawn for a shape that is an attribute');

export const creation = {
  /** Literals are values of the model; what comes here is sparse or text. */
  Constant: made('a sparse literal is left as it is'),
  /** Each element is the same, so that any of them may go. */
  ConstantOfShape: (node) => ({ axes: notation(node, [], [unread(node.outputs[0])]), restates: [{ operand: 0, shapeOfOutput: 0 }] }),
  EyeLike: (node) => {
    const axes = notation(node, ['T0 T1'], ['T0 T1']);
    return { axes, because: explain(axes, { T: 'its ones lie on a diagonal' }) };
  },
  Range: made('it counts along this axis'),
  RandomNormal: random,
  RandomUniform: random,
  /** Draws class numbers. */
  Multinomial: (node) => ({ axes: notation(node, ['n C'], ['n T']), because: { C: 'an element stands for a class that is drawn by its number', T: 'numbers are drawn along this axis' } }),
  BlackmanWindow: windowRule,
  HammingWindow: windowRule,
  HannWindow: windowRule,
  MelWeightMatrix: made('the mel filters are computed for a fixed number of bins'),
  /** Sizes follow a cut by themselves. */
  Shape: (node) => ({ axes: notation(node, [unread(node.inputs[0])], ['T']), because: { T: 'these are sizes of axes' } }),
  /** The product of all sizes, which serves as a divisor as often as a shape: no size may change. */
  Size: (node) => {
    const axes = notation(node, [letters(node.inputs[0]!.length, 'T').join(' ')], ['']);
    return { axes, because: explain(axes, { T: 'the number of elements is part of the computation' }) };
  },
} satisfies StandardRows;
