import { correctStateMetadata, stateRefusals } from '@coppice/exporter-edge';
import type { Model } from '@coppice/graph';
import type { ReleasedShapes } from './released-states.ts';

/**
 * A slim model whose metadata name the sizes that its states have now: sherpa-onnx makes them from entries like `rnn_hidden_size`, and ends its
 * process where those are stale. Entries that cannot be derived from the graph stay, and a note says which.
 * @param notes gets a sentence for each entry
 */
export function withTrueMetadata(slim: Model, released: ReleasedShapes, notes: string[]): Model {
  if (Object.keys(released).length === 0) return slim;
  const refusals = stateRefusals(slim);
  if (refusals.length > 0) {
    notes.push(`States became narrower, and entries of the metadata that sherpa-onnx makes them from could not be set anew: ${refusals.join(' ')} Set them by hand before that runtime loads the model.`);
    return slim;
  }
  const { model, corrected } = correctStateMetadata(slim);
  for (const { key, from, to } of corrected) notes.push(`The metadata say '${key}' ${to} now, and said ${from}: sherpa-onnx makes the states from it.`);
  return model;
}
