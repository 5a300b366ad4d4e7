import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeInputs, makeInputs, traceModel } from '@coppice/core';
import { opsetOf, toFloat32, toModernOpset } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { describe, expect, it } from 'vitest';
import { wasmBackend } from './index.ts';

const shared = new URL('../../../../shared/', import.meta.url);
const files = existsSync(shared) ? ['models/', 'zoo/'].flatMap((folder) => readdirSync(new URL(folder, shared)).filter((file) => file.endsWith('.onnx')).map((file) => folder + file)) : [];

describe.skipIf(files.length === 0)('toModernOpset computes the same', () => {
  it.each(files.length > 0 ? files : ['(../shared is absent)'])('%s', async (file) => {
    const backend = wasmBackend();
    const trace = await traceModel(readModel(fileURLToPath(new URL(file, shared))), backend);
    const { program } = trace;
    const ranks = new Map(program.values.map(({ id, name }) => [name, trace.runs[0].shapes[id]?.length]));
    const modern = toModernOpset(program.model, (name) => ranks.get(name));
    expect(opsetOf(modern.proto)).toBeGreaterThanOrEqual(21);
    const inputs = trace.runs[1].inputs;
    expect(Object.keys(inputs)).toEqual(Object.keys(makeInputs(describeInputs(program.model), trace.sizes[1], 0)));
    const [before, after] = await Promise.all([program.model, modern].map(async (model) => {
      const executable = await backend.compile(model, { optimise: 'none' });
      try {
        return await executable.run(inputs);
      } finally {
        await executable.dispose();
      }
    }));
    for (const [name, tensor] of Object.entries(before)) {
      if (tensor.dtype === 'int64') expect(after[name]).toEqual(tensor);
      else toFloat32(tensor).forEach((value, k) => expect(Math.abs(value - toFloat32(after[name])[k])).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(value))));
    }
  });
});
