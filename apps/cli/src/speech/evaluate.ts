import type { Backend, Executable } from '@coppice/core';
import { CoppiceError, graphOf } from '@coppice/graph';
import { beamSearch, bootstrapInterval, createTokenizer, ctcLoss, errorRate, greedyDecode, makeBatch, splitBatch, type ErrorRate, type Example, type Interval, type LogProbs, type SpeechDescription, type Transcribed } from '@coppice/speech';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Recogniser } from './recogniser.ts';

export interface EvaluateOptions {
  readonly backend: Backend;
  readonly threads?: number;
  /** `greedy`, or the width of a beam. Default `greedy`. */
  readonly decoder?: 'greedy' | number;
  readonly onProgress?: (done: number, of: number) => void;
}

/** One utterance as it was said and as it was heard. */
export interface Heard extends Transcribed {
  readonly id: string;
}

/** How well a recogniser does on some utterances. */
export interface Evaluation {
  readonly errors: ErrorRate;
  readonly interval: Interval;
  readonly heard: readonly Heard[];
  /** Mean CTC loss of a label, in nats, over the utterances whose labels fit. */
  readonly lossPerLabel: number;
}

/**
 * Recognises utterances one by one, without padding, as a device would, and counts the errors: words, or phones where the tokens are phones.
 * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID` when what comes out are no log-probabilities, and what the backend throws
 */
export async function evaluateRecogniser({ model, description }: Recogniser, examples: readonly Example[], { backend, threads, decoder = 'greedy', onProgress }: EvaluateOptions): Promise<Evaluation> {
  const executable = await backend.compile(model, { optimise: 'all', threads });
  const tokenizer = createTokenizer(description);
  const heard: Heard[] = [];
  let [loss, labels] = [0, 0];
  try {
    for (const example of examples) {
      // Or a runtime that computes in this thread keeps signals out.
      await nextTurn();
      const logProbs = await recognise(executable, description, example);
      if (heard.length === 0) checkLogProbs(logProbs, description, graphOf(model).name);
      const best = decoder === 'greedy' ? greedyDecode(logProbs, description.blank) : beamSearch(logProbs, { blank: description.blank, width: decoder })[0];
      heard.push({ id: example.id, reference: example.transcript, hypothesis: tokenizer.decode(best.labels) });
      const own = example.labels.length > 0 ? ctcLoss(logProbs, example.labels, description.blank).loss : Infinity;
      if (own < Infinity) [loss, labels] = [loss + own, labels + example.labels.length];
      if (heard.length % 10 === 0) onProgress?.(heard.length, examples.length);
    }
  } finally {
    await executable.dispose();
  }
  const errors = errorRate(heard, description.tokenizer === 'phones' ? 'phone' : 'word');
  return { errors, interval: bootstrapInterval(errors.utterances), heard, lossPerLabel: labels === 0 ? 0 : loss / labels };
}

/** What a model gives for one utterance. */
export async function recognise(executable: Executable, description: SpeechDescription, example: Example): Promise<LogProbs> {
  const { tensors, inputLengths } = makeBatch([example], description);
  const results = await executable.run({ [description.input]: tensors[description.input] }, [description.output]);
  return splitBatch(results[description.output], inputLengths, description.outputAxes)[0];
}

/** Each frame must be a distribution: Σ exp = 1. */
function checkLogProbs({ data, frames, tokens }: LogProbs, { output, tokens: alphabet }: SpeechDescription, model: string): void {
  const refuse = (what: string) => new CoppiceError('COPPICE_DESCRIPTION_INVALID', `The output '${output}' of ${model || 'the model'} ${what}.`);
  if (tokens !== alphabet.length) throw refuse(`has ${tokens} classes, and the description names ${alphabet.length} tokens`);
  for (let t = 0; t < frames; t++) {
    let sum = 0;
    for (let v = 0; v < tokens; v++) sum += Math.exp(data[t * tokens + v]);
    if (!(Math.abs(sum - 1) < 1e-2)) throw refuse(`is not the logarithm of probabilities: in frame ${t} they sum up to ${sum.toPrecision(3)}. Name the output behind the log-softmax, or export the model with one`);
  }
}
