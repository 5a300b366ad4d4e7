import { graphOf } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../recipe/run-recipe.ts';
import { newFolder, removeFolders, run } from '../testing/command-line.ts';
import { onTones, toneDigits, trainedModel } from '../testing/tone-digits.ts';

afterAll(removeFolders);

let corpus: string;
let folder: string;
let model: string;
const at = (name: string): string => join(folder, name);
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
/** Two rounds, quickly. */
const quick = ['--steps', '30', '--round-steps', '10', '--batch-size', '16', '--peak', '0.005', '--calibration-batches', '2', '--evaluate-every', '10'];
const prune = (...flags: string[]): string[] => ['prune', model, ...flags];

beforeAll(async () => {
  corpus = toneDigits();
  folder = newFolder();
  await trainedModel(corpus, folder);
  model = at('model.onnx');
});

describe('coppice prune with a corpus', () => {
  it('cuts round by round, grows the accuracy back, and prints what each model costs and errs', async () => {
    const { code, out, err } = await run(prune(...onTones(corpus), ...quick, '--macs', '0.6,0.4', '--run', at('run'), '--out', at('slim.onnx')), { folder });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^ +WER +95 % interval +MACs +of all +parameters +file +latency\noriginal .* 100\.0 % .* m?s\nround-1 .*\nround-2 .* m?s\n\n/);
    expect(out).toMatch(/errors +round-2: [+−]\d+\.\d\d points .*paired\)/);
    expect(out).toMatch(/\nlatency +×\d+\.\d\d on onnx:wasm/);
    expect(out).toMatch(/\nproof +every cut was equal to the masked model/);
    expect(out).toMatch(/\nwritten +.*slim\.onnx, .*trade-off\.svg, .*report\.json\n$/);

    const report = json(at('run/report.json')) as RunReport;
    const { original, rounds: [first, second] } = report;
    expect(first.cost.macs).toBeLessThanOrEqual(0.6 * original.cost.macs);
    expect(second.cost.macs).toBeLessThanOrEqual(0.4 * original.cost.macs);
    expect(second.cost.params).toBeLessThan(first.cost.params);
    expect(second.fileBytes).toBeLessThan(first.fileBytes);
    expect([first, second].every(({ verdict }) => verdict.equal)).toBe(true);
    expect(first.history.map(({ step }) => step)).toEqual([10]);
    expect(second.history.map(({ step }) => step)).toEqual([10, 20, 30]);
    expect(second.history[2].loss).toBeLessThan(second.history[0].loss);
    expect(original.test.errors.utterances).toHaveLength(60);
    expect(second.test.errors.rate).toBeLessThan(original.test.errors.rate + 0.3);
    expect(report.comparison.difference).toBeCloseTo(second.test.errors.rate - original.test.errors.rate, 12);
    expect(readFileSync(at('run/trade-off.svg'), 'utf8')).toMatch(/^<svg .*taylor.*<\/svg>$/s);

    // The widths that are reported are those of the file that was written.
    expect(readFileSync(at('slim.onnx')).equals(readFileSync(at('run/round-2.onnx')))).toBe(true);
    expect(json(at('slim.speech.json'))).toEqual(json(at('model.speech.json')));
    const conv1 = second.widths.find(({ group }) => group === 'conv1')!;
    const kernel = graphOf(readModel(at('slim.onnx'))).initializer.find(({ name }) => name === 'conv1.weight')!;
    expect(Number(kernel.dims[0])).toBe(conv1.after);
    expect(readdirSync(at('run')).toSorted()).toEqual(['checkpoints', 'original.onnx', 'original.speech.json', 'recipe.json', 'report.json', ...['round-1', 'round-2'].flatMap((name) => [`${name}-cut.onnx`, `${name}-cut.speech.json`, `${name}.onnx`, `${name}.speech.json`]), 'stages', 'trade-off.svg']);
    expect(readdirSync(at('run/checkpoints'))).toEqual([]);
    expect((await run(['eval', at('slim.onnx'), ...onTones(corpus), '--json'])).out).toContain(`"rate": ${second.test.errors.rate},`);
  });

  it('computes nothing anew when it is asked again', async () => {
    const before = readFileSync(at('run/report.json'), 'utf8');
    const { code, out } = await run(prune(...onTones(corpus), ...quick, '--macs', '0.6,0.4', '--run', at('run'), '--out', at('slim-again.onnx'), '--json'), { folder });
    expect(code).toBe(0);
    // Times are part of what was kept.
    expect(readFileSync(at('run/report.json'), 'utf8')).toBe(before);
    const { run: where, slim, ...report } = JSON.parse(out);
    expect({ where, slim }).toEqual({ where: at('run'), slim: at('slim-again.onnx') });
    expect(report).toEqual(JSON.parse(before));
    expect(readFileSync(at('slim-again.onnx')).equals(readFileSync(at('slim.onnx')))).toBe(true);
  });

  it.each(['taylor', 'wanda', 'measured-loss', 'snip', 'l2', 'random'])('scores with %s', async (scorer) => {
    const { code, out, err } = await run(prune(...onTones(corpus), '--macs', '0.5', '--scorer', scorer, '--no-tune', '--no-reconstruct', '--no-recalibrate', '--calibration-batches', '1', '--out', at(`${scorer}.onnx`), '--json'), { folder });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { rounds: [round] } = JSON.parse(out) as RunReport;
    expect(round).toMatchObject({ history: [], heldOut: { cut: expect.any(Number) }, verdict: { equal: true } });
    expect(round.heldOut).not.toHaveProperty('tuned');
    expect(round).not.toHaveProperty('bestStep');
    // Nothing came after the cut.
    expect(readFileSync(at(`${scorer}.onnx`)).equals(readFileSync(join(JSON.parse(out).run, 'round-1-cut.onnx')))).toBe(true);
  });

  it('takes the same units whatever was trained between rounds, where it scores only once', async () => {
    const kept = async (name: string, ...args: string[]): Promise<(readonly number[] | undefined)[]> => {
      const { code, err } = await run(prune(...onTones(corpus), '--macs', '0.8,0.4', '--calibration-batches', '1', '--run', at(name), '--out', at(`${name}.onnx`), '--json', ...args), { folder });
      expect({ code, err: err.includes('error') }).toEqual({ code: 0, err: false });
      return (json(at(`${name}/report.json`)) as RunReport).rounds.map(({ scores }) => scores);
    };
    const [first, second] = await kept('short', '--no-rescore', '--steps', '1', '--round-steps', '1');
    expect(await kept('long', '--no-rescore', '--steps', '8', '--peak', '0.02')).toEqual([first, second]);
    expect(readFileSync(at('long.onnx')).equals(readFileSync(at('short.onnx')))).toBe(false);
    // What goes has the lower scores, and those that stay keep theirs.
    expect(second!.every((score) => first!.includes(score))).toBe(true);
    expect(second!.length).toBeLessThan(first!.length);
    expect(await kept('rescored', '--steps', '1')).toEqual([undefined, undefined]);
  });

  it('takes the same units on TensorFlow.js, round by round, where it scores only once', async () => {
    const rounds = async (backend: string): Promise<RunReport['rounds']> => {
      const folderOf = at(backend.replace(':', '-'));
      const { code, err } = await run(prune('--dataset', `digits:${corpus}`, '--backend', backend, '--threads', '1', '--macs', '0.7,0.4', '--calibration-batches', '1', '--no-rescore', '--steps', '3', '--run', folderOf, '--out', `${folderOf}.onnx`, '--json'), { folder });
      expect({ code, err: err.includes('error') }).toEqual({ code: 0, err: false });
      return (json(join(folderOf, 'report.json')) as RunReport).rounds;
    };
    const [here, there] = [await rounds('onnx'), await rounds('tfjs:wasm')];
    expect(there.map(({ widths, cost }) => ({ widths, cost }))).toEqual(here.map(({ widths, cost }) => ({ widths, cost })));
    // Units are told apart by what they had in the original.
    for (const [k, { scores }] of here.entries()) {
      const largest = Math.max(...scores!);
      expect(there[k].scores!.map((score, id) => Math.abs(score - scores![id]) / largest).filter((difference) => difference > 2e-4)).toEqual([]);
    }
  });

  it('gives other models for other scorers, and rebuilds unless it is told not to', async () => {
    expect(readFileSync(at('taylor.onnx')).equals(readFileSync(at('random.onnx')))).toBe(false);
    const { out } = await run(prune(...onTones(corpus), '--macs', '0.5', '--no-tune', '--calibration-batches', '1', '--out', at('rebuilt.onnx'), '--json'), { folder });
    const { rounds: [rebuilt] } = JSON.parse(out) as RunReport;
    const plain = json(join(folder, 'runs', readdirSync(at('runs')).find((name) => json(at(`runs/${name}/recipe.json`)).recipe?.scorer === 'taylor' && json(at(`runs/${name}/recipe.json`)).recipe.reconstruct === false)!, 'report.json')) as RunReport;
    expect(rebuilt.widths).toEqual(plain.rounds[0].widths);
    expect(rebuilt.heldOut.cut).toBeLessThan(plain.rounds[0].heldOut.cut);
  });
});

describe('a recipe', () => {
  it('says what flags can say, and flags replace its entries', async () => {
    writeFileSync(at('recipe.json'), JSON.stringify({ dataset: `digits:${corpus}`, macs: [0.7], scorer: 'l1', plan: { skip: ['conv1'], minWidth: 2 }, calibrationBatches: 1, tune: { steps: 3, batchSize: 4 }, splits: { test: 'dev' } }));
    const { code, out } = await run(prune('--recipe', at('recipe.json'), '--scorer', 'l2', '--round-to', '2', '--peak', '0.002', '--norm', 'freeze', '--backend', 'onnx', '--threads', '1', '--run', at('from-json'), '--out', at('from-json.onnx'), '--json'), { folder });
    expect(code).toBe(0);
    const { recipe } = json(at('from-json/recipe.json'));
    expect(recipe).toMatchObject({ scorer: 'l2', plan: { skip: ['conv1'], minWidth: 2, roundTo: 2 }, units: { norm: 'freeze' }, tune: { steps: 3, batchSize: 4, peak: 0.002, distillation: 0 }, roundSteps: 3, splits: { train: 'train', dev: 'dev', test: 'dev' } });
    const report = JSON.parse(out) as RunReport;
    expect(report.original.test.errors.utterances).toHaveLength(30);
    expect(report.rounds[0].widths.find(({ group }) => group === 'conv1')).toMatchObject({ before: 8, after: 8 });
  });

  it('can be a module, and can leave the corpus and the steps between rounds to flags', async () => {
    writeFileSync(at('recipe.ts'), `import { defineRecipe } from ${JSON.stringify(join(import.meta.dirname, '../index.ts'))};\nexport default { ...defineRecipe({ dataset: 'digits:/nowhere', macs: [0.5], tune: { steps: 2, batchSize: 4, distillation: 0 } }), calibrationBatches: 1 };\n`);
    const { code, err } = await run(prune('--recipe', at('recipe.ts'), ...onTones(corpus), '--macs', '0.7,0.5', '--steps', '4', '--run', at('from-ts'), '--out', at('from-ts.onnx')), { folder });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    // Rounds are tuned as the last one is, which is what the flag says, not the file.
    expect(json(at('from-ts/recipe.json')).recipe).toMatchObject({ dataset: `digits:${corpus}`, macs: [0.7, 0.5], tune: { steps: 4 }, roundSteps: 4 });
    expect(json(at('from-ts/report.json')).rounds.map(({ history }: RunReport['rounds'][number]) => history.at(-1)!.step)).toEqual([4, 4]);
  });

  it('that wants no fine-tuning gets it when a flag asks for steps', async () => {
    writeFileSync(at('untuned.json'), JSON.stringify({ dataset: `digits:${corpus}`, macs: [0.8], tune: false, calibrationBatches: 1 }));
    const tuned = async (name: string, ...flags: string[]) => {
      await run(prune('--recipe', at('untuned.json'), ...flags, '--backend', 'onnx', '--threads', '1', '--run', at(name), '--out', at(`${name}.onnx`)), { folder });
      return json(at(`${name}/recipe.json`)).recipe.tune;
    };
    expect(await tuned('untuned')).toBe(false);
    expect(await tuned('tuned', '--steps', '2')).toMatchObject({ steps: 2 });
  });
});

describe('what cannot be done', () => {
  it.each<[string, string, RegExp, () => string[]]>([
    ['an entry of a recipe that nobody knows', 'COPPICE_CONFIG_INVALID', /x\.json cannot be used: it has an entry 'mac'/, () => recipe({ mac: 0.5 })],
    ['an entry of its plan that nobody knows', 'COPPICE_CONFIG_INVALID', /'plan' has an entry 'roundto', and only .*roundTo/, () => recipe({ macs: [0.5], plan: { roundto: 8 } })],
    ['an entry of its tuning that nobody knows', 'COPPICE_CONFIG_INVALID', /'tune' has an entry 'rate', and only .*peak/, () => recipe({ macs: [0.5], tune: { rate: 1 } })],
    ['shares that rise', 'COPPICE_CONFIG_INVALID', /0\.6 follows 0\.4/, () => [...onTones(corpus), '--macs', '0.4,0.6']],
    ['no share', 'COPPICE_CONFIG_INVALID', /'macs'/, () => onTones(corpus)],
    ['a recipe that is no JSON', 'COPPICE_CONFIG_INVALID', /bad\.json cannot be loaded/, () => { writeFileSync(at('bad.json'), '{'); return ['--recipe', at('bad.json')]; }],
    ['a recipe that there is not', 'COPPICE_FILE_NOT_FOUND', /gone\.ts/, () => ['--recipe', at('gone.ts')]],
    ['a module without a default export', 'COPPICE_CONFIG_INVALID', /export default/, () => { writeFileSync(at('empty.ts'), 'export const recipe = {};'); return ['--recipe', at('empty.ts')]; }],
    ['a scorer that there is not', 'COPPICE_SCORER_UNKNOWN', /'magic'.*taylor/, () => [...onTones(corpus), '--macs', '0.5', '--scorer', 'magic']],
    ['several shares without a corpus', 'COPPICE_ARGUMENT_INVALID', /--dataset or --recipe/, () => ['--macs', '0.6,0.4']],
    ['fine-tuning without a corpus', 'COPPICE_ARGUMENT_INVALID', /--steps needs a corpus/, () => ['--macs', '0.5', '--steps', '10']],
    ['no fine-tuning without a corpus, which would change nothing', 'COPPICE_ARGUMENT_INVALID', /--no-tune needs a corpus/, () => ['--macs', '0.5', '--no-tune']],
    ['a budget of parameters with a corpus', 'COPPICE_ARGUMENT_INVALID', /--params does nothing/, () => [...onTones(corpus), '--macs', '0.5', '--params', '0.5']],
    ['a plan file with a corpus', 'COPPICE_ARGUMENT_INVALID', /--plan does nothing/, () => [...onTones(corpus), '--macs', '0.5', '--plan', at('plan.json')]],
    ['a part that the corpus does not have', 'COPPICE_DATASET_INVALID', /train, dev, test/, () => recipe({ dataset: `digits:${corpus}`, macs: [0.5], splits: { dev: 'x' } })],
  ])('refuses %s', async (_, code, words, flags) => {
    const outcome = await run(prune('--out', at('x.onnx'), ...flags()), { folder });
    expect(outcome).toMatchObject({ code: 2, out: '' });
    expect(outcome.err).toMatch(new RegExp(`^error ${code}: `));
    expect(outcome.err).toMatch(words);
    expect(existsSync(at('x.onnx'))).toBe(false);
  });

  const recipe = (content: object): string[] => {
    writeFileSync(at('x.json'), JSON.stringify(content));
    return ['--recipe', at('x.json'), '--backend', 'onnx', '--threads', '1'];
  };

  it('does not mix runs: a folder of another recipe is refused, and nothing in it changes', async () => {
    mkdirSync(at('other'));
    writeFileSync(at('other/recipe.json'), '{}\n');
    const { code, err } = await run(prune(...onTones(corpus), '--macs', '0.5', '--run', at('other'), '--out', at('x.onnx')), { folder });
    expect(code).toBe(2);
    expect(err).toMatch(/^error COPPICE_RUN_INVALID: .*other has a run of another recipe/);
    expect(readdirSync(at('other'))).toEqual(['recipe.json']);
  });

  it('keeps what was good when fine-tuning breaks down, and names the step', async () => {
    const { code, err } = await run(prune(...onTones(corpus), '--macs', '0.5', ...quick, '--peak', '1e30', '--run', at('broken'), '--out', at('x.onnx')), { folder });
    expect(code).toBe(2);
    const [, step] = /^error COPPICE_LOSS_NOT_FINITE: In step (\d+), .*checkpoint of step \d+ is in .*round-1-before-break\.onnx/.exec(err)!;
    expect(json(at('broken/checkpoints/round-1.json')).step).toBe(Number(step) - 1);
    expect(readdirSync(at('broken/stages')).toSorted()).toEqual(['original.json', 'round-1-cut.json']);
    expect(existsSync(at('broken/round-1-before-break.onnx'))).toBe(true);
    expect(existsSync(at('x.onnx'))).toBe(false);
  });
});

describe('progress', () => {
  it('names the round and the rest of the time, and leaves nothing on the screen', async () => {
    let shown = '';
    const code = await run(prune(...onTones(corpus), ...quick, '--macs', '0.7,0.5', '--run', at('watched'), '--out', at('watched.onnx')), { folder, err: { isTTY: true, columns: 60, write: (text) => (shown += text) } }).then((outcome) => outcome.code);
    expect(code).toBe(0);
    const lines = shown.split('\r\u001B[2K');
    expect(lines.at(-1)).toBe('');
    expect(lines.every((line) => line.length < 60 && !line.includes('\n'))).toBe(true);
    expect(lines.filter((line) => /^round 1 of 2: \[#*\.*\] step \d+ of 10/.test(line))).toHaveLength(10);
    expect(lines.filter((line) => /^round 2 of 2: \[#*\.*\] step \d+ of 30/.test(line))).toHaveLength(30);
    const scoring = lines.findIndex((line) => line.startsWith('round 1 of 2: scoring with taylor'));
    const proving = lines.findIndex((line) => line.startsWith('round 1 of 2: proving the cut'));
    expect(scoring).toBeGreaterThanOrEqual(0);
    expect(proving).toBeGreaterThan(scoring);
  });
});
