import { wasmBackend } from '@coppice/backend-onnx';
import { findUnits, maskModel, traceModel } from '@coppice/core';
import { makeBatch } from '@coppice/speech';
import { l2 } from '@coppice/scorer-magnitude';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContainer } from '../container.ts';
import { scoreRecogniser } from '../recipe/score-model.ts';
import { removeFolders } from '../testing/command-line.ts';
import { silentTerminal, smallRecogniser, toneFolder } from '../testing/speech.ts';
import { openCorpus, preparePart } from './corpus.ts';
import { evaluateRecogniser } from './evaluate.ts';
import { measureSensitivity, type SensitivityReport } from './sensitivity.ts';
import type { Study } from './study.ts';

afterAll(removeFolders);

const recogniser = smallRecogniser();
const shares = [0.1, 0.3, 0.4, 0.5];
const seen: [done: number, of: number][] = [];
let study: Study;
let report: SensitivityReport;

beforeAll(async () => {
  const backend = wasmBackend();
  const dataset = await openCorpus(createContainer(), { dataset: `digits:${toneFolder(8)}` }, '.');
  const { examples } = await preparePart(dataset, { split: 'dev', description: recogniser.description, purpose: 'evaluation', atMost: 12 }, silentTerminal());
  const units = findUnits(await traceModel(recogniser.model, backend));
  study = { recogniser, units, backend, threads: 1, examples, batches: [makeBatch(examples, recogniser.description).tensors], seed: 0 };
  report = await measureSensitivity({ ...study, scorer: l2, shares, reconstruct: false, onProgress: (_, done, of) => seen.push([done, of]) });
});

/** The least important units of a lane, the plain way. */
const weakest = (lane: readonly number[], scores: Float64Array, count: number): number[] => lane.toSorted((a, b) => scores[a] - scores[b]).slice(0, count);

describe('measureSensitivity', () => {
  it('measures what the original does with the least important units of one group masked', async () => {
    const { units, backend, threads, batches } = study;
    const scores = await scoreRecogniser({ units, scorer: l2, description: recogniser.description, batches, backend, threads, seed: 0 });
    expect(report.groups.map(({ group }) => group)).toEqual(['conv1', 'conv2', 'rnn1']);
    for (const [g, { lanes }] of units.groups.entries()) {
      expect(report.groups[g].points.length).toBeGreaterThan(0);
      for (const point of report.groups[g].points) {
        const removed = lanes.flatMap((lane) => weakest(lane, scores, point.removed / lanes.length));
        const masked = await evaluateRecogniser({ ...recogniser, model: maskModel(units, removed) }, study.examples, { backend });
        expect(point.errorRate).toBe(masked.errors.rate);
        expect(point.lossPerLabel).toBeCloseTo(masked.lossPerLabel, 3);
      }
    }
  });

  it('rounds to whole units, leaves out shares that remove none, and measures equal cuts once', () => {
    const of = (group: string) => report.groups.find((entry) => entry.group === group)!.points.map(({ asked, removed, share }) => [asked, removed, share]);
    // 4 channels; 2 × 6 hidden units.
    expect(of('conv1')).toEqual([[[0.3, 0.4], 1, 0.25], [[0.5], 2, 0.5]]);
    expect(of('rnn1')).toEqual([[[0.3], 2, 2 / 12], [[0.4], 4, 4 / 12], [[0.5], 6, 0.5]]);
  });

  it('says what the whole model does', async () => {
    const { errors, lossPerLabel } = await evaluateRecogniser(recogniser, study.examples, { backend: study.backend });
    expect(report).toMatchObject({ whole: { errorRate: errors.rate, lossPerLabel }, utterances: 12, unit: 'word', scorer: 'l2', reconstructed: false });
  });

  it('reports progress that only rises, over all cuts', () => {
    const measured = seen.filter(([, of]) => of > 1);
    // The whole model and 7 cuts of 12 utterances.
    expect(new Set(measured.map(([, of]) => of))).toEqual(new Set([8 * 12]));
    expect(measured.every(([done], k) => k === 0 || done >= measured[k - 1][0])).toBe(true);
    expect(measured.at(-1)![0]).toBeGreaterThan(7 * 12);
  });

  it('loses less of the loss with least squares than without, all groups together', async () => {
    const rebuilt = await measureSensitivity({ ...study, scorer: l2, shares: [0.5], reconstruct: true });
    expect(rebuilt.reconstructed).toBe(true);
    // The distance to what the whole model says is what reconstruction makes smaller; the sign of its effect on an untrained loss is chance.
    const drift = ({ whole, groups }: SensitivityReport): number => groups.reduce((sum, { points }) => sum + Math.abs(points.at(-1)!.lossPerLabel - whole.lossPerLabel), 0);
    expect(drift(rebuilt)).toBeLessThan(drift(report));
  });
});
