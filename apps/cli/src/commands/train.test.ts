import { graphOf, readTensor, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRecogniser } from '../speech/recogniser.ts';
import { newFolder, removeFolders, run } from '../testing/command-line.ts';
import { toneDigits, trainedModel, trainOnTones } from '../testing/tone-digits.ts';

afterAll(removeFolders);

let corpus: string;
let folder: string;
let first: Awaited<ReturnType<typeof run>>;
const at = (name: string): string => join(folder, name);
const isFinite = (model: Model): boolean => graphOf(model).initializer.every((proto) => Array.from(readTensor(model, proto).data, Number).every(Number.isFinite));
const sizes = ['--mels', '8', '--channels', '4,4', '--hidden', '6'];

beforeAll(async () => {
  corpus = toneDigits();
  folder = newFolder();
  first = await trainedModel(corpus, folder);
});

describe('coppice train', () => {
  it('writes a model with its description that recognises what it was never trained on', () => {
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toMatch(/model\.onnx +6,347 parameters, the weights of step 240 of 240\n/);
    const [, rate] = /model\.onnx +(\d+\.\d) % /.exec(first.out)!;
    expect(Number(rate)).toBeLessThan(25);
    const { model, description } = readRecogniser(at('model.onnx'));
    expect(description).toMatchObject({ tokenizer: 'words', features: { sampleRateHz: 8000, mels: 16 } });
    expect(description.tokens).toHaveLength(11);
    expect(isFinite(model)).toBe(true);
  });

  it('goes on with --force where it was: nothing is left to do, and the bytes are the same', async () => {
    const before = readFileSync(at('model.onnx'));
    const { code, out } = await run([...trainOnTones(corpus), '--steps', '240', '--out', at('model.onnx'), '--force', '--json'], { folder });
    const { steps, history, test } = JSON.parse(out);
    expect({ code, steps }).toEqual({ code: 0, steps: 240 });
    expect(history.map(({ step }: { step: number }) => step)).toEqual([120, 240]);
    expect(history[1].loss).toBeLessThan(0.5 * history[0].loss);
    expect(test).toMatchObject({ unit: 'word', length: 60, utterances: 60 });
    expect(readFileSync(at('model.onnx')).equals(before)).toBe(true);
  });

  it('gives the same bytes for the same seed, and others for another one', async () => {
    const trained = async (seed: string, name: string): Promise<Buffer> => {
      const { code, err } = await run([...trainOnTones(corpus), ...sizes, '--steps', '12', '--evaluate-every', '6', '--augment', 'small', '--seed', seed, '--run', at(`run-${name}`), '--out', at(`${name}.onnx`)], { folder });
      expect({ code, err }).toEqual({ code: 0, err: '' });
      return readFileSync(at(`${name}.onnx`));
    };
    const [one, again, other] = [await trained('5', 'one'), await trained('5', 'again'), await trained('6', 'other')];
    expect(again.equals(one)).toBe(true);
    expect(other.equals(one)).toBe(false);
  });

  it.each(['model.onnx', 'model.speech.json'])('does not replace %s, and says so before the work', async (name) => {
    const elsewhere = newFolder();
    writeFileSync(join(elsewhere, name), 'mine');
    const { code, err } = await run([...trainOnTones(corpus), '--out', join(elsewhere, 'model.onnx')], { folder: elsewhere });
    expect(code).toBe(2);
    expect(err).toMatch(new RegExp(`^error COPPICE_FILE_EXISTS: .*${name.replaceAll('.', '\\.')} exists already.*--force`));
    expect(readdirSync(elsewhere)).toEqual([name]);
  });

  it('stops at a loss that is no number, names the step, and keeps a checkpoint and a model of before', async () => {
    const { code, err, out } = await run([...trainOnTones(corpus), ...sizes, '--steps', '40', '--peak', '1e4', '--evaluate-every', '4', '--run', at('broken'), '--out', at('broken.onnx')], { folder });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    const [, step] = /^error COPPICE_LOSS_NOT_FINITE: In step (\d+), .*before-break\.onnx is a model with the weights of step \d+/.exec(err)!;
    expect(existsSync(at('broken.onnx'))).toBe(false);
    const head = JSON.parse(readFileSync(at('broken/checkpoints/training.json'), 'utf8'));
    expect(head.step).toBe(Number(step) - 1);
    expect(existsSync(at(`broken/checkpoints/${head.tensors}`))).toBe(true);
    expect(isFinite(readModel(at('broken/training-before-break.onnx')))).toBe(true);
    const { code: usable } = await run(['eval', at('broken/training-before-break.onnx'), '--dataset', `digits:${corpus}`, '--backend', 'onnx', '--threads', '1', '--split', 'dev'], { folder });
    expect(usable).toBe(0);
  });

  it('takes the last weights where no part chooses, and says so', async () => {
    const { code, err, out } = await run([...trainOnTones(corpus), ...sizes, '--steps', '3', '--dev', 'none', '--test', 'none', '--out', at('nodev.onnx')], { folder });
    expect(code).toBe(0);
    expect(err).toBe("the corpus has no part 'none': the last weights are kept, not the best\n");
    expect(out).toMatch(/^.*nodev\.onnx +[\d,]+ parameters, the weights of step 3 of 3\n$/);
  });

  it.each<[string, string, RegExp, () => string[]]>([
    ['a part that the corpus does not have', 'COPPICE_DATASET_INVALID', /train, dev, test/, () => ['--train', 'tuesday', '--out', at('x.onnx')]],
    ['a teacher\'s share, because there is no teacher', 'COPPICE_ARGUMENT_INVALID', /--distillation/, () => ['--distillation', '0.5', '--out', at('x.onnx')]],
    ['an unknown kind of SpecAugment', 'COPPICE_ARGUMENT_INVALID', /--augment/, () => ['--augment', 'huge', '--out', at('x.onnx')]],
    ['a folder with a run of another recipe', 'COPPICE_RUN_INVALID', /another recipe/, () => ['--run', at('broken'), '--out', at('x.onnx')]],
    ['to write nowhere', 'COPPICE_ARGUMENT_INVALID', /--out/, () => []],
  ])('refuses %s', async (_, code, words, flags) => {
    const outcome = await run([...trainOnTones(corpus), ...flags()], { folder });
    expect(outcome).toMatchObject({ code: 2, out: '' });
    expect(outcome.err).toMatch(new RegExp(`^error ${code}: `));
    expect(outcome.err).toMatch(words);
    expect(existsSync(at('x.onnx'))).toBe(false);
  });

  it('shows somebody who watches how far it is, and how long it still takes', async () => {
    rmSync(at('watched'), { recursive: true, force: true });
    const shown: { readonly text: string; readonly at: number }[] = [];
    const code = await run([...trainOnTones(corpus), '--steps', '60', '--evaluate-every', '20', '--run', at('watched'), '--out', at('watched.onnx')], { folder, err: { isTTY: true, columns: 120, write: (text) => shown.push({ text, at: performance.now() }) } }).then((outcome) => outcome.code);
    expect(code).toBe(0);
    const steps = shown.flatMap(({ text, at: when }) => [...text.matchAll(/^\[(#*)\.*\] step (\d+) of 60, loss (\d+\.\d\d)(?:, held-out errors \d+\.\d %)?(?:, (\d+) s left)? …$/g)].map(([, bar, step, , left]) => ({ bar: bar.length, step: Number(step), left: left === undefined ? undefined : Number(left), when })));
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, k) => k + 1));
    expect(steps.every(({ bar, step }) => bar === Math.floor(step / 6))).toBe(true);
    expect(steps[0].left).toBeUndefined();
    expect(steps.at(-1)!.left).toBe(0);
    // The mean of what was promised on the way is what it took, within a factor of a busy machine.
    const middle = steps[30];
    const took = (steps.at(-1)!.when - middle.when) / 1000;
    expect(middle.left!).toBeGreaterThanOrEqual(0.2 * took);
    expect(middle.left!).toBeLessThanOrEqual(5 * took + 1);
    expect(shown.some(({ text }) => /recognising the test part/.test(text))).toBe(true);
    // The last thing on the screen is cleared away.
    expect(shown.at(-1)!.text).toBe('\r\u001B[2K');
  });
});
