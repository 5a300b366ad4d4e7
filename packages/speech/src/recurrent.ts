import type { NodeParts } from '@coppice/graph';
import { lecun, orthogonal, rememberingBias, smallBias, type Weight } from './weights.ts';

/** Which recurrent layer. */
export type RecurrentKind = 'gru' | 'lstm';

/** Gate blocks stacked in W, R and B: z, r, h for GRU, i, o, f, c for LSTM. ONNX, operators GRU and LSTM. */
const gates: Readonly<Record<RecurrentKind, number>> = { gru: 3, lstm: 4 };

/** A piece of a graph, with the weights that it brings. */
export interface Layer {
  readonly nodes: readonly NodeParts[];
  readonly weights: readonly Weight[];
  /** The value it computes. */
  readonly output: string;
}

/** What `recurrentLayer` takes. */
export interface RecurrentSizes {
  readonly kind: RecurrentKind;
  readonly name: string;
  /** A value [frames, batch, width]. */
  readonly input: string;
  readonly width: number;
  /** Units of each direction. */
  readonly hidden: number;
  /** Name of an int64 constant [0, 0, −1]. */
  readonly mergeShape: string;
}

/**
 * One bidirectional layer, [frames, batch, width] → [frames, batch, 2·hidden], the forward direction first. GRU has
 * `linear_before_reset`, the form of PyTorch and cuDNN. Initial states are left out, which means zeros.
 */
export function recurrentLayer({ kind, name, input, width, hidden, mergeShape }: RecurrentSizes): Layer {
  const blocks = gates[kind];
  const attributes = { direction: 'bidirectional', hidden_size: hidden, ...(kind === 'gru' && { linear_before_reset: 1 }) };
  return {
    nodes: [
      { op: kind.toUpperCase(), name, inputs: [input, `${name}.W`, `${name}.R`, `${name}.B`], outputs: [name], attributes },
      // [frames, direction, batch, hidden] → [frames, batch, direction, hidden] → [frames, batch, direction·hidden]
      { op: 'Transpose', name: `${name}.transpose`, inputs: [name], outputs: [`${name}.transpose`], attributes: { perm: [0, 2, 1, 3] } },
      { op: 'Reshape', name: `${name}.merge`, inputs: [`${name}.transpose`, mergeShape], outputs: [`${name}.merge`] },
    ],
    weights: [
      { name: `${name}.W`, dims: [2, blocks * hidden, width], fill: lecun(width) },
      { name: `${name}.R`, dims: [2, blocks * hidden, hidden], fill: orthogonal(hidden) },
      { name: `${name}.B`, dims: [2, 2 * blocks * hidden], fill: kind === 'lstm' ? rememberingBias(hidden) : smallBias(hidden) },
    ],
    output: `${name}.merge`,
  };
}
