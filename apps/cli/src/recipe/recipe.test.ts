import { describe, expect, it } from 'vitest';
import { defaultTuning, defineRecipe, settleRecipe, type Recipe } from './recipe.ts';

const least: Recipe = { dataset: 'digits:/data/fsdd', macs: [0.5] };
const settled = (more: object) => settleRecipe({ ...least, ...more });

describe('settleRecipe', () => {
  it('fills in everything', () => {
    expect(settleRecipe(least)).toEqual({
      dataset: 'digits:/data/fsdd', datasetOptions: {}, splits: { train: 'train', dev: 'dev', test: 'test' }, redraw: true, macs: [0.5], scorer: 'taylor', plan: {}, units: {}, calibrationBatches: 8,
      rescore: true, reconstruct: true, recalibrate: true, tune: defaultTuning, roundSteps: defaultTuning.steps, decoder: 'greedy', seed: 0,
    });
  });

  it('changes nothing the second time, so that what is written beside a result can be used again', () => {
    for (const recipe of [least, { ...least, tune: false }, { ...least, tune: { steps: 5 }, splits: { dev: 'valid' }, decoder: 8, plan: { only: ['rnn*'] } }] satisfies Recipe[]) {
      const once = settleRecipe(recipe);
      expect(settleRecipe(JSON.parse(JSON.stringify(once)))).toEqual(once);
    }
  });

  it('tunes after each round as after the last one, or as it is told, or never', () => {
    expect(settled({ tune: { steps: 7 } }).roundSteps).toBe(7);
    expect(settled({ tune: { steps: 7 }, roundSteps: 3 })).toMatchObject({ roundSteps: 3, tune: { steps: 7 } });
    expect(settled({ tune: { steps: 7 }, roundSteps: 0 }).roundSteps).toBe(0);
    expect(settled({ tune: false })).toMatchObject({ tune: false, roundSteps: 0 });
  });

  it('takes an entry without a value as one that is not there', () => {
    expect(settled({ scorer: undefined, tune: { peak: undefined }, splits: { test: undefined } })).toEqual(settleRecipe(least));
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /not an object.*export default defineRecipe/],
    ['a list', [], /not an object/],
    ['an unknown entry', { ...least, maks: [0.5] }, /an entry 'maks', and only dataset, .*macs.*seed are known/],
    ['no corpus', { macs: [0.5] }, /'dataset' must name a corpus/],
    ['one share that is no list', { ...least, macs: 0.5 }, /'macs' must list/],
    ['no share', { ...least, macs: [] }, /'macs' must list/],
    ['a share of nothing', { ...least, macs: [0.5, 0] }, /'macs' must list/],
    ['a share above all', { ...least, macs: [1.2] }, /'macs' must list/],
    ['a share in words', { ...least, macs: ['half'] }, /'macs' must list/],
    ['a round that keeps as much as the one before', { ...least, macs: [0.5, 0.5] }, /must fall from round to round, and 0\.5 follows 0\.5/],
    ['a scorer that is no name', { ...least, scorer: 7 }, /'scorer' must be the name/],
    ['an unknown part', { ...least, splits: { validation: 'dev' } }, /'splits' has an entry 'validation', and only train, dev, test/],
    ['a part that is no name', { ...least, splits: { dev: 3 } }, /'splits\.dev' must name a part/],
    ['an unknown entry of the plan', { ...least, plan: { roundto: 8 } }, /'plan' has an entry 'roundto'/],
    ['a budget in the plan', { ...least, plan: { macs: 0.5 } }, /'plan' has an entry 'macs'/],
    ['a plan in words', { ...least, plan: 'global' }, /'plan' must be an object/],
    ['a width of nothing', { ...least, plan: { minWidth: 0 } }, /'plan\.minWidth' is 0/],
    ['a group that is no list', { ...least, plan: { skip: 'conv1' } }, /'plan\.skip' must list/],
    ['an unknown ranking', { ...least, plan: { ranking: 'local' } }, /'plan\.ranking' is 'local', and must be one of uniform, global/],
    ['an unknown policy for norms', { ...least, units: { norm: 'thaw' } }, /'units\.norm' is 'thaw', and must be one of exact, shrink, freeze/],
    ['no batch to score with', { ...least, calibrationBatches: 0 }, /'calibrationBatches' is 0, and must be a whole number from 1/],
    ['half a step', { ...least, roundSteps: 0.5 }, /'roundSteps' is 0\.5/],
    ['a seed in words', { ...least, seed: 'x' }, /'seed' is x/],
    ['a yes in words', { ...least, reconstruct: 'no' }, /'reconstruct' is no, and must be true or false/],
    ['a beam without width', { ...least, decoder: 0 }, /'decoder' is 0/],
    ['tuning that is yes', { ...least, tune: true }, /'tune' must be an object, or false/],
    ['an unknown entry of tuning', { ...least, tune: { learningRate: 1 } }, /'tune' has an entry 'learningRate', and only steps, peak/],
    ['no step', { ...least, tune: { steps: 0 } }, /'tune\.steps' is 0/],
    ['a rate of nothing', { ...least, tune: { peak: 0 } }, /'tune\.peak' is 0/],
    ['a rate without end', { ...least, tune: { peak: Infinity } }, /'tune\.peak' is Infinity/],
    ['weights that grow', { ...least, tune: { weightDecay: -1 } }, /'tune\.weightDecay' is -1/],
    ['half a patience', { ...least, tune: { patience: 1.5 } }, /'tune\.patience' is 1\.5/],
    ['more than a whole teacher', { ...least, tune: { distillation: 1.01 } }, /'tune\.distillation' is 1\.01, and must be from 0 to 1/],
    ['an unknown policy of SpecAugment', { ...least, tune: { augment: 'toString' } }, /'tune\.augment' is 'toString', and must be none or one of/],
  ])('refuses %s and names it', (_, recipe, words) => {
    expect(() => settleRecipe(recipe as Recipe, 'my.ts')).toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID', message: expect.stringMatching(words) }));
    expect(() => settleRecipe(recipe as Recipe, 'my.ts')).toThrow(/^my\.ts cannot be used: /);
  });
});

describe('defineRecipe', () => {
  it('returns what it was given', () => {
    expect(defineRecipe(least)).toBe(least);
  });
});
