import { nativeBackend } from '@coppice/backend-onnx';
import { exportBundle, syntheticClips, targetNamed, verifyBundle } from '@coppice/exporter-edge';
import { layOutFeatures, modelFeatures } from '@coppice/speech';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { spotters } from './models.ts';

const shared = fileURLToPath(new URL('../../../shared', import.meta.url));
const backend = nativeBackend();
const work = mkdtempSync(join(tmpdir(), 'coppice-spotters-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const missing = !existsSync(join(shared, 'zoo')) || spawnSync('cc', ['--version']).status !== 0;

describe.skipIf(missing)('keyword spotters of others in C (skipped where the models or a C compiler are missing)', { timeout: 60_000 }, () => {
  it.each(missing ? [] : spotters(shared))('$name gives the scores of ONNX Runtime', async ({ name, model, speech }) => {
    const target = targetNamed('micro');
    expect(target.refusals(model, speech)).toEqual([]);
    const runs = async function* () {
      for (const { audio } of syntheticClips(speech.features.sampleRateHz, 'calibration').clips) {
        const { data, frames, width } = modelFeatures(audio, speech);
        yield { [speech.input]: layOutFeatures(data, { batch: 1, time: frames, feature: width }, speech.inputAxes) };
      }
    };
    const { model: prepared, quantisation } = await target.prepare!(model, { speech, backend, runs });
    const folder = join(work, name);
    await exportBundle(target, { name, model: prepared, speech, quantisation, backend }, folder);
    const { findings, largest } = await verifyBundle(folder);
    expect(findings).toEqual([]);
    expect(largest!.logProbs).toBeLessThan(1e-5);
  });
});
