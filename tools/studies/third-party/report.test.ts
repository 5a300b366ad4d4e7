import { expect, it } from 'vitest';
import { reportText, type Row } from './report.ts';

const interval = { low: 0.8, high: 0.9, level: 0.95 };
const row = (scorer: string, stage: Row['stage'], macs: number, accuracy?: number): Row => ({
  subject: 'Some model', scorer, stage, macs, params: macs, agreement: 0.5, agreementInterval: interval, divergence: 0.1,
  ...(accuracy !== undefined && { accuracy, interval, amongDigits: accuracy, pValue: 0.0004, bySpeaker: { ann: accuracy, bob: 1 } }),
});
const page = (rows: readonly Row[]): string => reportText({
  rows, subjects: [{ id: 'some', name: 'Some model' }], settings: { steps: 1, batchSize: 2, peak: 0.1, seed: 0, calibration: 3 }, weightsComputed: 16, clips: 4, trained: 5, hardware: 'a machine', command: ['--seed', '0'],
});

it('shows the range of the scorers, a line for each model and the speakers', () => {
  const text = page([
    row('', 'original', 1, 0.86), row('', 'labelled', 1, 0.99),
    ...[0.1, 0.2].flatMap((accuracy, k) => (['cut', 'rebuilt', 'distilled'] as const).map((stage, s) => row(`scorer${k}`, stage, 0.5, accuracy + s / 10))),
  ]);
  expect(text).toContain('| Some model | accuracy | 50 | 86.0 | 10.0–20.0 | 20.0–30.0 | **30.0–40.0** |');
  expect(text).toContain('| scorer1 | 50.0 | 50.0 | + distillation, no labels | **40.0** | 80.0–90.0 | < 0.001 | 40.0 | 50.0 | 0.100 |');
  expect(text).toContain('| — | 100.0 | 100.0 | + training with labels | **99.0** |');
  expect(text).toContain('| scorer0, 50.0 % of the MACs, distilled | 30.0 | 100.0 |');
  expect(text).toContain('node tools/studies/third-party.ts --seed 0');
});

it('shows agreement where a model has no classes for digits', () => {
  const text = page([{ ...row('', 'original', 1), decided: { off: 3, on: 9 } }, row('taylor', 'distilled', 0.7), row('taylor', 'rebuilt', 0.7), row('taylor', 'cut', 0.7)]);
  expect(text).toContain('| Some model | same decision | 30 | 50.0 | 50.0 | 50.0 | **50.0** |');
  expect(text).toContain('| taylor | 70.0 | 70.0 | cut alone | **50.0** | 80.0–90.0 | 0.100 |');
  expect(text).not.toContain('accuracy % by speaker');
});
