import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRecogniser } from '../speech/recogniser.ts';
import { newFolder, removeFolders, run } from '../testing/command-line.ts';
import { smallRecogniser } from '../testing/speech.ts';
import { onTones, toneDigits, trainedModel } from '../testing/tone-digits.ts';

afterAll(removeFolders);

let corpus: string;
let model: string;
let untrained: string;

beforeAll(async () => {
  corpus = toneDigits();
  const folder = newFolder();
  await trainedModel(corpus, folder);
  model = join(folder, 'model.onnx');
  untrained = join(folder, 'untrained.onnx');
  await writeRecogniser(smallRecogniser(), untrained, false);
});

describe('coppice eval', () => {
  it('counts the errors of a model, and says what it counted', async () => {
    const { code, out, err } = await run(['eval', model, ...onTones(corpus)]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^model +WER +95 % interval +substituted +deleted +inserted\n.*model\.onnx +\d+\.\d % +\d+\.\d % – +\d+\.\d % +\d+ +\d+ +\d+\n60 utterances of 'test', 60 words, normaliser coppice-english-1\n$/);
  });

  it('compares models on the same utterances', async () => {
    const { out } = await run(['eval', model, untrained, model, ...onTones(corpus)]);
    expect(out).toMatch(/untrained\.onnx: \+\d+\.\d\d points \(\+\d+\.\d\d … \+\d+\.\d\d\), a significant difference \(p < 0\.001, paired\)\n/);
    expect(out).toMatch(/model\.onnx: \+0\.00 points \(\+0\.00 … \+0\.00\), no significant difference \(p = 1\.000, paired\)\n/);
  });

  it('says the same in a document, with every utterance', async () => {
    const { out } = await run(['eval', model, untrained, ...onTones(corpus), '--split', 'dev', '--json']);
    const { split, models: [first, second] } = JSON.parse(out);
    expect(split).toBe('dev');
    expect(first).toMatchObject({ model, unit: 'word', length: 30, utterances: 30, interval: { level: 0.95 } });
    expect(first).not.toHaveProperty('comparison');
    expect(second.comparison.difference).toBeCloseTo(second.rate - first.rate, 12);
    expect(second.comparison.pValue).toBeLessThan(0.001);
    const wrong = first.heard.filter(({ reference, hypothesis }: { reference: string; hypothesis: string }) => reference !== hypothesis);
    expect(wrong).toHaveLength(first.wrongUtterances);
    expect(new Set(first.heard.map(({ reference }: { reference: string }) => reference)).size).toBe(10);
  });

  it('shows what was heard wrong', async () => {
    const { out } = await run(['eval', untrained, ...onTones(corpus), '--split', 'dev', '--show']);
    expect(out).toMatch(/^\S+\n {2}said {2}zero\n {2}heard/m);
  });

  it('decodes with a beam: other words where the model is unsure, the same loss', async () => {
    const evaluated = async (decoder: string) => JSON.parse((await run(['eval', untrained, ...onTones(corpus), '--split', 'dev', '--decoder', decoder, '--json'])).out).models[0];
    const [greedy, beam] = [await evaluated('greedy'), await evaluated('4')];
    expect(beam.lossPerLabel).toBe(greedy.lossPerLabel);
    expect(beam.heard).not.toEqual(greedy.heard);
  });

  it('takes one description for all models', async () => {
    const elsewhere = newFolder();
    writeFileSync(join(elsewhere, 'bare.onnx'), readFileSync(model));
    const { code } = await run(['eval', join(elsewhere, 'bare.onnx'), ...onTones(corpus), '--split', 'dev', '--description', model.replace('.onnx', '.speech.json')]);
    expect(code).toBe(0);
    expect((await run(['eval', join(elsewhere, 'bare.onnx'), ...onTones(corpus)])).err).toMatch(/^error COPPICE_FILE_NOT_FOUND: There is no .*bare\.speech\.json.*--description/);
  });

  it.each<[string, string, RegExp, () => string[]]>([
    ['no model', 'COPPICE_ARGUMENT_INVALID', /models/, () => onTones(corpus)],
    ['a beam without width', 'COPPICE_ARGUMENT_INVALID', /greedy/, () => [model, ...onTones(corpus), '--decoder', '0']],
    ['a part that there is not', 'COPPICE_DATASET_INVALID', /train, dev, test/, () => [model, ...onTones(corpus), '--split', 'x']],
    ['a folder that is no corpus', 'COPPICE_DATASET_INVALID', /./, () => [model, ...onTones(newFolder())]],
    ['an unknown backend', 'COPPICE_BACKEND_MISSING', /onnx:native/, () => [model, '--dataset', `digits:${corpus}`, '--backend', 'gpu']],
  ])('refuses %s', async (_, code, words, flags) => {
    const outcome = await run(['eval', ...flags()]);
    expect(outcome).toMatchObject({ code: 2, out: '' });
    expect(outcome.err).toMatch(new RegExp(`^error ${code}: `));
    expect(outcome.err).toMatch(words);
  });
});
