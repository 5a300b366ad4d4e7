import type { Backend, CompileOptions, NamedTensors, Loss, Trace } from '@coppice/core';
import type { Tensor } from '@coppice/graph';
import { differentiate } from './differentiate.ts';

/** What is wanted of `gradientsOf`. */
export interface GradientsRequest {
  readonly loss: Loss;
  readonly parameters: readonly string[];
  /** Inputs of the model and labels of the loss, batch by batch. */
  readonly data: Iterable<NamedTensors> | AsyncIterable<NamedTensors>;
  readonly backend: Backend;
  readonly compile?: CompileOptions;
}

/** The gradients of one batch, by parameter, each of the parameter's shape. */
export type BatchGradients = ReadonlyMap<string, Tensor>;

/**
 * The gradients of a loss at the weights that a model has, batch by batch: what scorers that need gradients are fed with. Batch norms
 * use their running statistics.
 * @throws CoppiceError as `differentiate`, and what the backend throws
 */
export async function* gradientsOf(trace: Trace, { loss, parameters, data, backend, compile }: GradientsRequest): AsyncGenerator<BatchGradients> {
  const { model, gradients } = differentiate(trace, { loss, parameters });
  const executable = await backend.compile(model, compile);
  try {
    for await (const batch of data) {
      const results = await executable.run(batch, [...gradients.values()]);
      yield new Map([...gradients].map(([parameter, output]) => [parameter, results[output]]));
    }
  } finally {
    await executable.dispose();
  }
}
