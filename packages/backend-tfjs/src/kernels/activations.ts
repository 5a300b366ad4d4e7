import { lowered, type Rows } from '../row.ts';

/** Activations that `lowerComposites` of graph says with simpler operators. */
export const activations = {
  Celu: lowered,
  Gelu: lowered,
  HardSigmoid: lowered,
  HardSwish: lowered,
  Mish: lowered,
  Selu: lowered,
  Shrink: lowered,
  Softsign: lowered,
  Swish: lowered,
  ThresholdedRelu: lowered,
} satisfies Rows;
