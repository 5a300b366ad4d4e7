import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { readPlan } from '../plan-document.ts';
import { encodeNpy, folderWithModel, removeFolders, run } from '../testing/command-line.ts';

afterAll(removeFolders);

async function pruned(...more: readonly string[]) {
  const { model, path } = folderWithModel();
  const outcome = await run(['prune', model, '--macs', '0.5', '--out', path('slim.onnx'), ...more]);
  expect(outcome).toMatchObject({ code: 0, err: '' });
  return { model, path, slim: path('slim.onnx') };
}

describe('coppice verify', () => {
  it('finds equal what prune wrote, with the plan beside it', async () => {
    const { model, slim } = await pruned();
    const { code, out, err } = await run(['verify', model, slim]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^log_probs +float32 /m);
    expect(out).toMatch(/^equal to the masked original/m);
  });

  it.each(['shrink', 'freeze'])('takes the options that decide on units from the plan (--norm %s)', async (norm) => {
    const { model, slim } = await pruned('--norm', norm);
    expect(await run(['verify', model, slim])).toMatchObject({ code: 0, err: '' });
  });

  it('ends with 1 when the slim model computes something else, and says that it is another file', async () => {
    const { model, path } = await pruned();
    await run(['prune', model, '--macs', '0.5', '--scorer', 'random', '--seed', '9', '--out', path('other.onnx'), '--plan', path('other.json')]);
    const { code, out, err } = await run(['verify', model, path('other.onnx'), '--plan', path('plan.json')]);
    expect(code).toBe(1);
    expect(out).toContain('NOT EQUAL');
    expect(out).toMatch(/log_probs.*too large/);
    expect(err).toContain('is not the file that the plan was written with');
  });

  it('prints one JSON document', async () => {
    const { model, slim, path } = await pruned();
    writeFileSync(path('x.npy'), encodeNpy('<f4', [1, 20, 8], Float32Array.from({ length: 160 }, (_, k) => Math.sin(k))));
    const { out } = await run(['verify', model, slim, '--input', path('x.npy'), '--runs', '2', '--json']);
    expect(JSON.parse(out)).toMatchObject({ original: model, slim, verdict: { equal: true, kind: 'exact', differences: [{ output: 'log_probs' }] }, warnings: [], masked: null });
  });

  it('keeps the masked model, which equals the slim one and has the size of the original', async () => {
    const { model, slim, path } = await pruned();
    expect((await run(['verify', model, slim, '--write-masked', path('masked.onnx')])).code).toBe(0);
    expect(statSync(path('masked.onnx')).size).toBeGreaterThan(statSync(model).size * 0.99);
    expect(await run(['verify', model, slim, '--write-masked', path('masked.onnx')])).toMatchObject({ code: 2, err: expect.stringContaining('COPPICE_FILE_EXISTS') });
  });

  it('refuses a plan of another model', async () => {
    const { slim, path } = await pruned();
    const { model: another } = folderWithModel({ seed: 5 });
    expect(await run(['verify', another, slim, '--plan', path('plan.json')])).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/COPPICE_PLAN_INVALID: The plan was made for another model/) });
  });

  it.each([
    ['text that is no JSON', () => 'plan', /not JSON/],
    ['another document', () => '{"format":"other"}', /is not a plan/],
    ['a version to come', (text: string) => text.replace('"version": 1', '"version": 2'), /\/version/],
    ['a slice that is no unit', (text: string) => text.replace(/"indices":\[\d+\]/, '"indices":[0,1,2]'), /no unit of this model/],
    ['a negative index', (text: string) => text.replace(/"indices":\[\d+\]/, '"indices":[-1]'), /\/removed\/0/],
  ])('refuses a plan with %s', async (_, change, words) => {
    const { model, slim, path } = await pruned();
    writeFileSync(path('plan.json'), change(readFileSync(path('plan.json'), 'utf8')));
    expect(await run(['verify', model, slim])).toMatchObject({ code: 2, err: expect.stringMatching(words) });
  });

  it('finds a plan wrong that leaves a unit out', async () => {
    const { model, slim, path } = await pruned();
    const plan = readPlan(path('plan.json'));
    writeFileSync(path('plan.json'), JSON.stringify({ ...plan, removed: plan.removed.slice(1) }));
    expect((await run(['verify', model, slim])).code).toBe(1);
  });
});
