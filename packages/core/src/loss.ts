import type { Model } from '@coppice/graph';

/**
 * What is to become small, as a graph that brings its own gradient, so that nobody who differentiates need know it.
 *
 * Inputs of `graph`: the outputs of the model that it reads, under their names, and labels. Outputs: `loss` (float32 scalar, the mean
 * over the items of a batch), and for each output of the model that it reads `gradient/<name>`, the derivative of `loss` with respect to
 * it, of its shape.
 */
export interface Loss {
  readonly name: string;
  /** Outputs of the model that it reads. */
  readonly reads: readonly string[];
  /** Inputs that a batch must bring beside those of the model. */
  readonly labels: readonly string[];
  /** Default domain only, opset 21. */
  readonly graph: Model;
}

/** The derivative of a loss with respect to an output of the model, as an output of the loss graph. */
export const gradientName = (output: string): string => `gradient/${output}`;
