import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, cutModel, findUnits, planCut, traceModel, verifyCut, type Random } from '@coppice/core';
import { checkModel, CoppiceError, decodeModel, encodeModel } from '@coppice/graph';
import { buildReferenceModel } from '@coppice/speech';

/** Damages a file as transfers, editors and enemies do. */
function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  switch (random.integer(4)) {
    case 0: return copy.subarray(0, random.integer(copy.length));
    case 1:
      for (let k = 0; k <= random.integer(8); k++) copy[random.integer(copy.length)] = random.integer(256);
      return copy;
    case 2: {
      // Most of a file is weights; damage near its start and end hits structure.
      const window = Math.min(4000, copy.length);
      const start = random.integer(2) === 0 ? 0 : copy.length - window;
      for (let k = 0; k <= random.integer(4); k++) copy[start + random.integer(window)] ^= 1 << random.integer(8);
      return copy;
    }
    default: {
      const from = random.integer(copy.length);
      const length = random.integer(64);
      copy.copyWithin(from, random.integer(copy.length), random.integer(copy.length) + length);
      return copy;
    }
  }
}

/** The whole path on one file; resolves with the code of the refusal, or with `pruned`. */
async function prune(bytes: Uint8Array): Promise<string> {
  try {
    const model = decodeModel(bytes);
    checkModel(model);
    const backend = wasmBackend();
    const trace = await traceModel(model, backend);
    const units = findUnits(trace);
    if (units.groups.length === 0) return 'nothing to prune';
    const plan = planCut(units, units.units.map((_, k) => k % 7), { macs: 0.9 });
    const verdict = await verifyCut(units, plan.removed, cutModel(units, plan.removed), backend);
    return verdict.equal ? 'pruned' : 'not equal';
  } catch (error) {
    if (error instanceof CoppiceError) return error.code;
    throw error;
  }
}

const small = encodeModel(buildReferenceModel({ channels: [4, 6], hidden: 8, layers: 2, mels: 16, tokens: 11 }));

describe('damaged model files', () => {
  it('are pruned or refused by name, never worse', { timeout: 240_000 }, async () => {
    const random = createRandom('fuzz');
    const outcomes: Record<string, number> = {};
    for (let k = 0; k < 150; k++) {
      const outcome = await prune(damage(small, random));
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    expect(Object.keys(outcomes).length).toBeGreaterThan(2);
  });

  const zoo = new URL('../../shared/zoo', import.meta.url).pathname;
  it.skipIf(!existsSync(zoo))('among real ones too (needs ../shared/zoo beside the repository)', { timeout: 240_000 }, async () => {
    const random = createRandom('real');
    const files = readdirSync(zoo).filter((f) => f.endsWith('.onnx') && !f.includes('external'));
    for (let k = 0; k < 60; k++) await prune(damage(readFileSync(`${zoo}/${files[random.integer(files.length)]}`), random));
  });
});
