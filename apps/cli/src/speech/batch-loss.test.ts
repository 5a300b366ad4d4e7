import { wasmBackend } from '@coppice/backend-onnx';
import { makeBatches, prepareUtterances } from '@coppice/speech';
import { expect, it } from 'vitest';
import { digitTone, smallRecogniser } from '../testing/speech.ts';
import { batchLoss } from './batch-loss.ts';
import { evaluateRecogniser } from './evaluate.ts';

it('is what recognising the same utterances one by one gives, where nothing is padded', async () => {
  const recogniser = smallRecogniser();
  const { description } = recogniser;
  const utterances = ['zero', 'one two', 'three'].map((transcript, k) => ({ id: `u${k}`, transcript, audio: async () => ({ samples: digitTone(k, k, 0.3 + 0.1 * k), sampleRateHz: 8000 }) }));
  const { examples } = await prepareUtterances(utterances, { description, purpose: 'evaluation' });
  const made = makeBatches(examples, { description, batchSize: 1, seed: 0, epoch: 0, pool: 'in-order' });
  const options = { backend: wasmBackend(), threads: 1 };
  const batches = Array.from({ length: made.count }, (_, k) => made.batch(k).tensors);
  const { lossPerLabel } = await evaluateRecogniser(recogniser, examples, options);
  expect(lossPerLabel).toBeGreaterThan(0);
  expect(await batchLoss(recogniser, batches, options)).toBeCloseTo(lossPerLabel, 5);
});
