import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRecogniser } from '../speech/recogniser.ts';
import { newFolder, removeFolders, run } from '../testing/command-line.ts';
import { smallRecogniser } from '../testing/speech.ts';
import { onTones, toneDigits, trainedModel } from '../testing/tone-digits.ts';

afterAll(removeFolders);

let corpus: string;
let folder: string;
const at = (name: string): string => join(folder, name);
const finetune = (...flags: string[]): string[] => ['finetune', at('slim.onnx'), ...onTones(corpus), '--batch-size', '16', '--steps', '40', '--evaluate-every', '20', '--peak', '0.01', ...flags];
const rateOf = async (model: string): Promise<number> => JSON.parse((await run(['eval', model, ...onTones(corpus), '--json'])).out).models[0].rate;

beforeAll(async () => {
  corpus = toneDigits();
  folder = newFolder();
  await trainedModel(corpus, folder);
  // Nothing is rebuilt: a model that has forgotten much.
  const { code } = await run(['prune', at('model.onnx'), '--macs', '0.25', '--out', at('slim.onnx')]);
  expect(code).toBe(0);
  await writeRecogniser(smallRecogniser(), at('other.onnx'), false);
});

describe('coppice finetune', () => {
  it('grows back what a cut has cost, with a teacher', async () => {
    const description = readFileSync(at('model.speech.json'), 'utf8');
    const { code, out, err } = await run(finetune('--description', at('model.speech.json'), '--teacher', at('model.onnx'), '--distillation', '0.5', '--out', at('tuned.onnx'), '--json'), { folder });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { steps, history, test } = JSON.parse(out);
    expect(steps).toBe(40);
    expect(history[1].loss).toBeLessThan(history[0].loss);
    expect(readFileSync(at('tuned.speech.json'), 'utf8')).toBe(description);
    const cut = JSON.parse((await run(['eval', at('slim.onnx'), ...onTones(corpus), '--description', at('model.speech.json'), '--json'])).out).models[0].rate;
    expect(test.rate).toBeLessThan(cut - 0.2);
    expect(await rateOf(at('tuned.onnx'))).toBe(test.rate);
  });

  it('learns something else with a teacher than without, and without one from the labels alone', async () => {
    const tuned = async (name: string, ...flags: string[]): Promise<Buffer> => {
      const { code } = await run(finetune('--description', at('model.speech.json'), '--steps', '4', '--run', at(`run-${name}`), '--out', at(`${name}.onnx`), ...flags), { folder });
      expect(code).toBe(0);
      return readFileSync(at(`${name}.onnx`));
    };
    const [alone, untaught, taught] = [await tuned('alone'), await tuned('untaught', '--teacher', at('model.onnx'), '--distillation', '0'), await tuned('taught', '--teacher', at('model.onnx'))];
    expect(untaught.equals(alone)).toBe(true);
    expect(taught.equals(alone)).toBe(false);
  });

  it('keeps nothing but the shape from scratch: models of one shape become the same', async () => {
    const fresh = async (model: string): Promise<Buffer> => {
      const { code } = await run(['finetune', at(`${model}.onnx`), ...finetune('--description', at('model.speech.json'), '--from-scratch', '--steps', '2', '--run', at(`run-fresh-${model}`), '--out', at(`fresh-${model}.onnx`)).slice(2)], { folder });
      expect(code).toBe(0);
      return readFileSync(at(`fresh-${model}.onnx`));
    };
    expect((await fresh('slim')).equals(await fresh('alone'))).toBe(true);
    expect(readFileSync(at('slim.onnx')).equals(readFileSync(at('alone.onnx')))).toBe(false);
  });

  it.each<[string, string, RegExp, () => string[]]>([
    ['a teacher\'s share without a teacher', 'COPPICE_ARGUMENT_INVALID', /--teacher/, () => finetune('--distillation', '0.5', '--out', at('x.onnx'))],
    ['more than a whole share', 'COPPICE_ARGUMENT_INVALID', /from 0 to 1/, () => finetune('--distillation', '1.5', '--out', at('x.onnx'))],
    ['a teacher that there is not', 'COPPICE_FILE_NOT_FOUND', /gone\.onnx/, () => finetune('--description', at('model.speech.json'), '--teacher', at('gone.onnx'), '--out', at('x.onnx'))],
    ['a teacher that writes something else', 'COPPICE_DESCRIPTION_INVALID', /other\.onnx/, () => finetune('--description', at('model.speech.json'), '--teacher', at('other.onnx'), '--out', at('x.onnx'))],
    ['to replace the model it reads', 'COPPICE_ARGUMENT_INVALID', /it is read/, () => finetune('--force', '--out', at('slim.onnx'))],
    ['to replace the teacher', 'COPPICE_ARGUMENT_INVALID', /it is read/, () => finetune('--teacher', at('model.onnx'), '--force', '--out', at('model.onnx'))],
    ['a model without a description', 'COPPICE_FILE_NOT_FOUND', /slim\.speech\.json/, () => finetune('--out', at('x.onnx'))],
  ])('refuses %s', async (_, code, words, flags) => {
    const outcome = await run(flags(), { folder });
    expect(outcome).toMatchObject({ code: 2, out: '' });
    expect(outcome.err).toMatch(new RegExp(`^error ${code}: `));
    expect(outcome.err).toMatch(words);
    expect(existsSync(at('x.onnx'))).toBe(false);
  });
});
