import { wasmBackend } from '@coppice/backend-onnx';
import { encodeModel } from '@coppice/graph';
import type { TrainingState } from '@coppice/recovery';
import { prepareUtterances, type Dataset, type Example } from '@coppice/speech';
import { beforeAll, describe, expect, it } from 'vitest';
import { digitTone, silentTerminal, smallRecogniser } from '../testing/speech.ts';
import { trainingData, type TrainingData } from './training-data.ts';
import { tuneRecogniser, type TuneRequest, type TuneSettings } from './tune.ts';

const names = ['zero', 'one', 'two', 'three'];
const utterances = (takes: number) => Array.from({ length: names.length * takes }, (_, k) => ({
  id: `u${k}`, transcript: names[k % names.length], audio: async () => ({ samples: digitTone(3 * (k % names.length), k), sampleRateHz: 8000 }),
}));
const dataset: Dataset = { name: 'tones', splits: ['train'], utterances: async () => utterances(3) };
const recogniser = smallRecogniser();
const settings: TuneSettings = { steps: 8, peak: 0.01, batchSize: 4, weightDecay: 0.01, clipNorm: 5, distillation: 0, augment: 'small', speeds: [1], evaluateEvery: 3, patience: 0 };

let data: TrainingData;
let heldOut: readonly Example[];

beforeAll(async () => {
  data = await trainingData({ dataset, split: 'train', description: recogniser.description, batchSize: 4, seed: 3, augment: 'small', speeds: [1], redraw: true }, silentTerminal());
  ({ examples: heldOut } = await prepareUtterances(utterances(1), { description: recogniser.description, purpose: 'evaluation' }));
});

const tune = (more: Partial<Omit<TuneRequest, 'settings'>> & { readonly settings?: Partial<TuneSettings> } = {}) =>
  tuneRecogniser({ recogniser, data, heldOut, backend: wasmBackend(), threads: 1, ...more, settings: { ...settings, ...more.settings } });

describe('tuneRecogniser', () => {
  it('goes on from the state after any step as if it had never stopped', async () => {
    const states: TrainingState[] = [];
    const whole = await tune({ save: (state) => states.push(state), saveEvery: 1 });
    expect(states.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const bytes = Buffer.from(encodeModel(whole.model));
    for (const from of states) {
      const rest = await tune({ from });
      expect(Buffer.from(encodeModel(rest.model)).equals(bytes), `after step ${from.step}`).toBe(true);
      expect({ history: rest.history, bestStep: rest.bestStep }).toEqual({ history: whole.history, bestStep: whole.bestStep });
    }
  });

  it('keeps the lowest error rate in sight when it goes on', async () => {
    const shown = async (from?: TrainingState): Promise<(number | undefined)[]> => {
      const rates: (number | undefined)[] = [];
      await tune({ from, onProgress: ({ bestErrorRate }) => rates.push(bestErrorRate) });
      return rates;
    };
    let saved: TrainingState | undefined;
    await tune({ save: (state) => void (state.step === 4 && (saved = state)), saveEvery: 1 });
    const all = await shown();
    expect(all.slice(0, 2)).toEqual([undefined, undefined]);
    expect(await shown(saved)).toEqual(all.slice(4));
  });

  it('ends where it is when it is told to, also from a runtime that blocks the thread', async () => {
    const controller = new AbortController();
    // A timer fires only if the event loop turns between steps.
    let saved: TrainingState | undefined;
    const tuned = await tune({ settings: { steps: 3000, evaluateEvery: 3000 }, heldOut: [], signal: controller.signal, save: (state) => void (saved = state), onProgress: ({ step }) => { if (step === 2) setTimeout(() => controller.abort(), 1); } });
    expect(tuned.stopped).toBe('signal');
    expect(tuned.steps).toBeGreaterThanOrEqual(2);
    expect(tuned.steps).toBeLessThan(1000);
    expect(saved!.step).toBe(tuned.steps);
  });

  it('comes nearer to a teacher than to the labels when only the teacher counts', async () => {
    const teacher = smallRecogniser({ seed: 11 });
    const apart = async (distillation: number): Promise<number[]> => {
      const { history } = await tune({ teacher: teacher.model, settings: { distillation, steps: 30, evaluateEvery: 10, augment: 'none' } });
      return history.map(({ loss }) => loss);
    };
    const losses = await apart(1);
    expect(losses.at(-1)!).toBeLessThan(0.7 * losses[0]);
    const { model } = await tune({ teacher: teacher.model, settings: { distillation: 0, steps: 2 } });
    const { model: alone } = await tune({ settings: { steps: 2 } });
    expect(Buffer.from(encodeModel(model)).equals(Buffer.from(encodeModel(alone)))).toBe(true);
  });

  it('hands over the best model when the loss breaks, and its words go into the error', async () => {
    const kept: { step: number; best: number; model: Uint8Array }[] = [];
    const request = { settings: { peak: 1e4, steps: 40, evaluateEvery: 2 }, keepBroken: (state: TrainingState, best: Parameters<NonNullable<TuneRequest['keepBroken']>>[1]) => { kept.push({ step: state.step, best: best.step, model: encodeModel(best.model) }); return 'Look there.'; } };
    const error = await tune(request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'COPPICE_LOSS_NOT_FINITE', message: expect.stringMatching(new RegExp(`^In step ${kept[0].step + 1}, .* Look there\\.$`)), cause: { step: kept[0].step } });
    expect(kept).toHaveLength(1);
    expect(kept[0].best).toBeLessThanOrEqual(kept[0].step);
    expect(kept[0].best % 2 === 0 || kept[0].best === kept[0].step).toBe(true);
  });
});
