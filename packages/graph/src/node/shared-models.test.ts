import { createRegistry, equals } from '@bufbuild/protobuf';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkModel } from '../check.ts';
import { CoppiceError } from '../errors.ts';
import { isExternal } from '../external-data.ts';
import { file_onnx, ModelProtoSchema } from '../gen/onnx_pb.js';
import { everyTensor } from '../message-tree.ts';
import { graphOf } from '../model.ts';
import { decodeModel } from '../read.ts';
import { readTensor } from '../tensors.ts';
import { encodeModel } from '../write.ts';
import { readModel } from './read-model.ts';
import { writeModel } from './write-model.ts';

/** Models of many exporters that are not part of the repository; the folder lies beside it on the machines that have it. */
const shared = join(import.meta.dirname, '../../../../../shared');
const models = ['models', 'zoo'].map((name) => join(shared, name)).filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.onnx')).map((name) => join(folder, name)));

describe.skipIf(models.length === 0)(`models of other exporters (${models.length === 0 ? `skipped: there is no ${shared}` : `${models.length} files`})`, () => {
  it.each(models)('%s is written as it was read, and all its tensors can be read', (path) => {
    const folder = mkdtempSync(join(tmpdir(), 'coppice-shared-'));
    try {
      const model = readModel(path);
      const copy = join(folder, 'copy.onnx');
      writeModel(model, copy);
      const again = readModel(copy);
      const tensors = [...everyTensor(model.proto)];
      expect([...everyTensor(again.proto)].map((tensor) => readTensor(again, tensor))).toEqual(tensors.map((tensor) => readTensor(model, tensor)));
      if (tensors.some(isExternal)) expect(readdirSync(folder)).toEqual(['copy.onnx', 'copy.onnx.data']);
      else expect(readFileSync(copy).equals(readFileSync(path))).toBe(true);
      // Once more with everything in one message.
      const whole = decodeModel(encodeModel(again));
      expect(equals(ModelProtoSchema, decodeModel(encodeModel(whole)).proto, whole.proto, { unknown: true, registry: createRegistry(file_onnx) })).toBe(true);
      expect(graphOf(whole).initializer.some(isExternal)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(models.filter((path) => readFileSync(path).byteLength < 600_000))('%s, damaged, gives a model or a CoppiceError in good time', (path) => {
    const original = readFileSync(path);
    const random = mulberry32(original.byteLength);
    const pick = (below: number): number => Math.floor(random() * below);
    for (let round = 0; round < 30; round++) {
      const bytes = Uint8Array.from(original.subarray(0, round % 2 === 0 ? pick(original.length) : original.length));
      for (let change = 0; change < 20 && bytes.length > 0; change++) bytes[pick(bytes.length)] = pick(256);
      const started = performance.now();
      try {
        const model = decodeModel(bytes);
        checkModel(model);
      } catch (error) {
        if (!(error instanceof CoppiceError)) throw error;
      }
      expect(performance.now() - started).toBeLessThan(2000);
    }
  });
});

/** Random numbers that are the same every time. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
