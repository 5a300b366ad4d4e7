import { wasmBackend } from '@coppice/backend-onnx';
import { graphOf, makeInitializer, makeValueInfo, withFields, type Model } from '@coppice/graph';
import { ctcLoss, prepareUtterances, type Example } from '@coppice/speech';
import { beforeAll, describe, expect, it } from 'vitest';
import { digitTone, smallRecogniser } from '../testing/speech.ts';
import { evaluateRecogniser, recognise } from './evaluate.ts';

const backend = wasmBackend();
const recogniser = smallRecogniser();
const { model, description } = recogniser;
let examples: readonly Example[];

beforeAll(async () => {
  const utterances = [3, 7].map((digit) => ({ id: `tone${digit}`, transcript: digit === 3 ? 'three' : 'seven', audio: async () => ({ samples: digitTone(digit, 0), sampleRateHz: 8000 }) }));
  ({ examples } = await prepareUtterances(utterances, { description, purpose: 'evaluation' }));
});

const refused = (words: RegExp) => expect.objectContaining({ code: 'COPPICE_DESCRIPTION_INVALID', message: expect.stringMatching(words) });
const withOutput = (name: string): Model => ({ ...model, proto: withFields(model.proto, { graph: withFields(graphOf(model), { output: [makeValueInfo(name, 'float32', ['batch', 'frames', 11])] }) }) });

describe('evaluateRecogniser', () => {
  it('counts errors and means the loss over labels', async () => {
    const { errors, lossPerLabel, heard } = await evaluateRecogniser(recogniser, examples, { backend });
    expect({ length: errors.length, unit: errors.unit, ids: heard.map(({ id }) => id) }).toEqual({ length: 2, unit: 'word', ids: ['tone3', 'tone7'] });
    const executable = await backend.compile(model);
    const losses = await Promise.all(examples.map(async (example) => ctcLoss(await recognise(executable, description, example), example.labels, description.blank).loss));
    await executable.dispose();
    expect(lossPerLabel).toBeCloseTo((losses[0] + losses[1]) / 2, 5);
  });

  it('refuses an output before the softmax, and says what to do', async () => {
    await expect(evaluateRecogniser({ model: withOutput('logits'), description: { ...description, output: 'logits' } }, examples, { backend }))
      .rejects.toThrow(refused(/'logits' of crnn is not the logarithm of probabilities: in frame 0 they sum up to .*log-softmax/));
  });

  it('refuses outputs that are not numbers', async () => {
    const graph = graphOf(model);
    const initializer = graph.initializer.map((tensor) => (tensor.name === 'dense.bias' ? makeInitializer('dense.bias', 'float32', [11], new Float32Array(11).fill(NaN)) : tensor));
    const broken: Model = { ...model, proto: withFields(model.proto, { graph: withFields(graph, { initializer }) }) };
    await expect(evaluateRecogniser({ model: broken, description }, examples, { backend })).rejects.toThrow(refused(/sum up to NaN/));
  });

  it('refuses an alphabet of another size', async () => {
    const tokens = [...description.tokens, 'ten'];
    await expect(evaluateRecogniser({ model, description: { ...description, tokens } }, examples, { backend })).rejects.toThrow(refused(/has 11 classes, and the description names 12 tokens/));
  });

  it('counts an utterance that the alphabet cannot write as wrong, without a loss', async () => {
    const unsayable: Example = { ...examples[0], id: 'ten', transcript: 'ten', labels: new Int32Array() };
    const { errors, lossPerLabel } = await evaluateRecogniser(recogniser, [examples[1], unsayable], { backend });
    expect(errors.wrongUtterances).toBeGreaterThan(0);
    expect(errors.utterances[1].errors).toBeGreaterThan(0);
    expect(lossPerLabel).toBe((await evaluateRecogniser(recogniser, [examples[1]], { backend })).lossPerLabel);
  });
});
