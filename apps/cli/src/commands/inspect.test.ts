import { afterAll, describe, expect, it } from 'vitest';
import { folderWithModel, removeFolders, run } from '../testing/command-line.ts';

afterAll(removeFolders);

describe('coppice inspect', () => {
  it('tells the groups, the share that can be pruned, and what is frozen by which node', async () => {
    const { model } = folderWithModel();
    const { code, out, err } = await run(['inspect', model]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/conv1 +channels +4 /);
    expect(out).toMatch(/rnn1 +hidden units +2 × 8 /);
    expect(out).toMatch(/can be pruned +\d+\.\d % of the MACs/);
    expect(out).toMatch(/dense output \(5\):.*model's contract.*log_probs/s);
    for (const line of out.split('\n')) expect(line.replace(model, 'model.onnx').length).toBeLessThanOrEqual(100);
  });

  it('prints one JSON document and nothing else', async () => {
    const { model } = folderWithModel();
    const { out, err } = await run(['inspect', model, '--json', '--dim', 'time=30', '--dim', 'batch=1']);
    expect(err).toBe('');
    const report = JSON.parse(out);
    expect(report).toMatchObject({
      model: { path: model, opset: 17 },
      inputs: [{ name: 'features', dtype: 'float32', declared: ['batch', 'time', 8], traced: [1, 30, 8] }],
      options: { norm: 'exact', factors: 'heads', release: [] },
      groups: [{ name: 'conv1', kind: 'channels', lanes: 1, units: 4 }, { name: 'conv2', units: 6 }, { name: 'rnn1', kind: 'hidden units', lanes: 2, units: 8 }],
      notes: [], baked: [],
    });
    // The first convolution, by hand: 4 channels, a kernel of 5 × 11, 15 frames of 4 bands; each of them is read by 6 × 5 × 7 taps at 15 × 2 places.
    expect(report.groups[0].unit.macs).toBe(5 * 11 * 15 * 4 + 6 * 5 * 7 * 15 * 2);
    expect(report.frozen[0].reasons[0]).toMatchObject({ kind: expect.any(String), sentence: expect.any(String), where: expect.any(String) });
    expect(report.least.macs).toBeLessThan(report.cost.macs);
  });

  it('refuses a state that the model does not have', async () => {
    const { model } = folderWithModel();
    expect(await run(['inspect', model, '--release', 'state'])).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/COPPICE_INPUT_MISMATCH.*'features', 'log_probs'/) });
  });
});
