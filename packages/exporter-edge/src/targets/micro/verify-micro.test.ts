import { nativeBackend } from '@coppice/backend-onnx';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportBundle } from '../../export-bundle.ts';
import { newFolder, plant, removeFolders } from '../../testing/small-bundle.ts';
import { hostileLabels, smallSpotter, spotterRequest } from '../../testing/small-spotter.ts';
import { readManifest, verifyBundle } from '../../verify-bundle.ts';
import { findCompiler } from './compile.ts';
import { featureTables } from './feature-tables.ts';
import { microTarget } from './micro.ts';
import { verifyMicro } from './verify-micro.ts';

afterAll(removeFolders);

describe.skipIf(findCompiler() === undefined)('verifying C (skipped where there is no C compiler)', { timeout: 30_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = join(newFolder(), 'micro');
    await exportBundle(microTarget, await spotterRequest(nativeBackend()), folder);
  });
  const messages = async (planted: string): Promise<string> => (await verifyBundle(planted)).findings.map(({ where, message }) => `${where}: ${message}`).join('\n');

  it('names a flipped weight', async () => {
    const planted = plant(folder, (fault) => {
      fault.file('model.c', (bytes) => Buffer.from(bytes.toString().replace(/(weights_\d+\[\d+\] = \{\n {4})(-?\d+),/, (_, head: string, weight: string) => `${head}${Number(weight) > 0 ? -128 : 127},`)));
    });
    expect(await messages(planted)).toMatch(/model\.c (was changed|has \d+ bytes|is cut off)/);
    const sealed = plant(planted, (fault) => fault.seal());
    expect(await messages(sealed)).toMatch(/model\.c is not what model\.onnx and the manifest give: line \d+, in 'weights_1', differs/);
  });

  it('names the mel scale that the code was made with', async () => {
    const { speech } = smallSpotter();
    const planted = plant(folder, (fault) => {
      const { header, source } = featureTables({ ...speech, features: { ...speech.features, melScale: 'slaney' } });
      fault.file('coppice_feature_tables.h', () => Buffer.from(header));
      fault.file('coppice_feature_tables.c', () => Buffer.from(source));
      fault.seal();
    });
    expect(await messages(planted)).toContain(`The C code computes features with 'melScale' "slaney", and the manifest says "htk"`);
  });

  it('names a mel scale that the manifest has wrong', async () => {
    const planted = plant(folder, (fault) => fault.manifest((manifest) => ({ ...manifest, speech: { ...manifest.speech, features: { ...manifest.speech.features, melScale: 'slaney' } } })));
    expect(await messages(planted)).toContain(`The C code computes features with 'melScale' "htk", and the manifest says "slaney"`);
  });

  it('names labels that are shifted', async () => {
    const planted = plant(folder, (fault) => {
      fault.file('recognise.c', (bytes) => {
        const lines = bytes.toString().split('\n');
        const at = lines.findIndex((line) => line.includes('coppice_labels[COPPICE_CLASSES] = {')) + 1;
        lines.splice(at, 0, ...lines.splice(at + hostileLabels.length - 1, 1));
        return Buffer.from(lines.join('\n'));
      });
      fault.seal();
    });
    expect(await messages(planted)).toMatch(/labels in recognise\.c are shifted by one/);
  });

  it('names code that does not compile', async () => {
    const planted = plant(folder, (fault) => { fault.file('coppice_ops.c', (bytes) => Buffer.from(`${bytes.toString()}\nint nothing(void) { }\n`)); fault.seal(); });
    expect(await messages(planted)).toMatch(/do not compile: .*coppice_ops\.c/s);
  });

  it('ends a program that does not end', async () => {
    const planted = plant(folder, (fault) => fault.file('coppice_ops.c', (bytes) => Buffer.from(bytes.toString().replace(/(void coppice_log_softmax[^{]*\{)/, '$1 volatile int busy = 1; while (busy) {}'))));
    const { findings } = await verifyMicro(planted, readManifest(planted), { limitMs: 300 });
    expect(findings).toEqual([expect.objectContaining({ about: 'runtime', message: expect.stringContaining('ETIMEDOUT') as string })]);
  });
});
