import type { Backend, NamedTensors } from '@coppice/core';
import { ctcLoss, splitBatch } from '@coppice/speech';
import type { Recogniser } from './recogniser.ts';

/**
 * Mean CTC loss of a label over batches of training, in nats; utterances whose labels do not fit are left out. Much cheaper than
 * recognising them one by one.
 * @param batches as `makeBatches` makes them
 */
export async function batchLoss({ model, description }: Recogniser, batches: readonly NamedTensors[], { backend, threads }: { readonly backend: Backend; readonly threads: number }): Promise<number> {
  const executable = await backend.compile(model, { optimise: 'all', threads });
  let [loss, labels] = [0, 0];
  try {
    for (const batch of batches) {
      const results = await executable.run({ [description.input]: batch[description.input] }, [description.output]);
      const items = splitBatch(results[description.output], numbers(batch.input_lengths.data), description.outputAxes);
      const counts = numbers(batch.target_lengths.data);
      const targets = numbers(batch.targets.data);
      const width = targets.length / counts.length;
      for (const [k, item] of items.entries()) {
        const own = counts[k] > 0 ? ctcLoss(item, targets.slice(k * width, k * width + counts[k]), description.blank).loss : Infinity;
        if (own < Infinity) [loss, labels] = [loss + own, labels + counts[k]];
      }
    }
  } finally {
    await executable.dispose();
  }
  return labels === 0 ? 0 : loss / labels;
}

const numbers = (data: NamedTensors[string]['data']): number[] => Array.from(data as ArrayLike<number | bigint>, Number);
