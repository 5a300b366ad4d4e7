import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readModel } from '@coppice/graph/node';
import { describe, expect, it } from 'vitest';
import { chooseBackend, nativeBackend } from './index.ts';

const hasNative = await nativeBackend().info().then(() => true, () => false);
// Beside the repository where the project's shared material is present; skipped, visibly, elsewhere.
const shared = new URL('../../../../shared/', import.meta.url);


for (const name of ['onnx:wasm', 'onnx:native'] as const) {
  describe.skipIf(!existsSync(shared) || (name === 'onnx:native' && !hasNative))(`${name} takes, at both levels,`, () => {
    for (const folder of ['models/', 'zoo/']) {
      const files = existsSync(shared) ? readdirSync(new URL(folder, shared)).filter((file) => file.endsWith('.onnx')) : ['(../shared is absent)'];
      it.each(files)(`${folder}%s`, async (file) => {
        const model = readModel(fileURLToPath(new URL(folder + file, shared)));
        for (const optimise of ['none', 'all'] as const) {
          const executable = await chooseBackend(name).compile(model, { optimise });
          await executable.dispose();
        }
        expect.assertions(0);
      });
    }
  });
}
