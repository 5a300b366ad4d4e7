import { wasmBackend } from '@coppice/backend-onnx';
import { defineScorer, findUnits, traceModel, type Scorer, type Units } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { makeBatch } from '@coppice/speech';
import { measuredLoss } from '@coppice/scorer-sensitivity';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContainer } from '../container.ts';
import { removeFolders } from '../testing/command-line.ts';
import { silentTerminal, smallRecogniser, toneFolder } from '../testing/speech.ts';
import { agreementOf, compareScorers, type ScorerComparison } from './compare-scorers.ts';
import { openCorpus, preparePart } from './corpus.ts';
import type { Study } from './study.ts';

afterAll(removeFolders);

const recogniser = smallRecogniser();
let study: Study;

/** A criterion by unit id. */
const byId = (name: string, score: (id: number) => number): Scorer => defineScorer({ name, needs: [], start: () => undefined, add: () => undefined, finish: (_, units) => units.map(({ id }) => score(id)) });
const broken = defineScorer({ name: 'broken', needs: [], start: () => undefined, add: () => undefined, finish: () => { throw new CoppiceError('COPPICE_GRADIENT_MISSING', 'Det has no gradient.'); } });

beforeAll(async () => {
  const backend = wasmBackend();
  const dataset = await openCorpus(createContainer(), { dataset: `digits:${toneFolder(6)}` }, '.');
  const { examples } = await preparePart(dataset, { split: 'dev', description: recogniser.description, purpose: 'evaluation', atMost: 4 }, silentTerminal());
  const units = findUnits(await traceModel(recogniser.model, backend));
  study = { recogniser, units, backend, threads: 1, examples, batches: [makeBatch(examples, recogniser.description).tensors], seed: 0 };
});

describe('compareScorers', () => {
  let report: ScorerComparison;
  beforeAll(async () => {
    report = await compareScorers({ ...study, scorers: [byId('rising', (id) => id), byId('equal', () => 1), broken, measuredLoss], yardstick: measuredLoss, macs: 0.5, ranking: 'uniform', rebuild: true });
  });

  it('measures the yardstick once, first, and it agrees with itself', () => {
    expect(report.scorers.map(({ scorer }) => scorer)).toEqual(['measured-loss', 'rising', 'equal']);
    expect(report.scorers[0].agreement).toMatchObject({ all: 1, withinGroups: 1 });
  });

  it('gives a criterion that orders nothing no agreement', () => {
    expect(report.scorers[2].agreement).toMatchObject({ all: null, withinGroups: 0 });
    expect(report.scorers[1].agreement!.all).toEqual(expect.any(Number));
  });

  it('cuts to what was asked and measures it with and without rebuilding', () => {
    for (const { macs, cut, rebuilt, seconds } of report.scorers) {
      expect(macs).toBeGreaterThan(0.3);
      expect(macs).toBeLessThanOrEqual(0.5);
      expect(seconds).toBeGreaterThan(0);
      expect(cut.lossPerLabel).not.toBe(rebuilt!.lossPerLabel);
    }
    expect(report).toMatchObject({ utterances: 4, units: 20, batches: 1, asked: 0.5, ranking: 'uniform' });
  });

  it('lists a criterion that the model does not allow', () => {
    expect(report.failed).toEqual([{ scorer: 'broken', code: 'COPPICE_GRADIENT_MISSING', reason: 'Det has no gradient.' }]);
  });

  it('gives up when none works', async () => {
    await expect(compareScorers({ ...study, scorers: [broken], macs: 0.5, ranking: 'uniform', rebuild: false })).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_GRADIENT_MISSING' }));
  });
});

describe('agreementOf', () => {
  const grouped = { groups: [{ name: 'a', lanes: [[0, 1], [2, 3]] }, { name: 'b', lanes: [[4, 5, 6]] }, { name: 'c', lanes: [[7, 8]] }] } as unknown as Units;

  it('is the mean over groups whose measured increases differ, whatever the scale of a group', () => {
    const measured = Float64Array.of(1, 2, 3, 4, 10, 20, 30, 5, 5);
    const scores = Float64Array.of(100, 200, 300, 400, 0.3, 0.2, 0.1, 1, 2);
    const { withinGroups, groups } = agreementOf(grouped, scores, measured);
    expect(groups).toEqual({ a: 1, b: -1 });
    expect(withinGroups).toBe(0);
  });

  it('is null where nothing was measured to differ', () => {
    expect(agreementOf(grouped, new Float64Array(9).map((_, k) => k), new Float64Array(9))).toEqual({ all: null, withinGroups: null, groups: {} });
  });
});
