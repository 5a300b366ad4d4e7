import { createRandom, type NamedTensors } from '@coppice/core';
import type { TrainingState } from '@coppice/recovery';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { newFolder, removeFolders } from '../testing/command-line.ts';
import { Checkpoints } from './checkpoint.ts';
import { RunDirectory } from './run-directory.ts';

afterAll(removeFolders);

const random = createRandom('checkpoints');
const tensor = (...dims: number[]) => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal()) }) as const;
const weights = (): NamedTensors => ({ 'conv1.weight': tensor(4, 1, 3, 3), step: { dtype: 'int64', dims: [], data: BigInt64Array.of(7n) }, 'carried/odd name': tensor(2) });
const stateAt = (step: number, best?: number): TrainingState => ({
  step, carried: weights(), history: [{ step: 1, loss: 3.25 }, { step, loss: 0.1 }] as unknown as TrainingState['history'], ...(best !== undefined && { best: { step: best, score: 0.125, weights: weights() } }),
});

let folder: string;
let checkpoints: Checkpoints;
const files = (): string[] => readdirSync(join(folder, 'checkpoints')).toSorted();
const path = (name: string): string => join(folder, 'checkpoints', name);
const refused = (words: RegExp) => expect.objectContaining({ code: 'COPPICE_RUN_INVALID', message: expect.stringMatching(words) });

beforeEach(() => {
  folder = newFolder();
  checkpoints = new Checkpoints(new RunDirectory(folder, {}), 'training');
});

describe('checkpoints', () => {
  it('give back the same bits, with and without a best', () => {
    for (const state of [stateAt(20), stateAt(40, 20), stateAt(60, 60)]) {
      checkpoints.save(state);
      expect(new Checkpoints(new RunDirectory(folder, {}), 'training').load()).toEqual(state);
    }
  });

  it('are none at first, and none after clearing', () => {
    expect(checkpoints.load()).toBeUndefined();
    checkpoints.save(stateAt(20));
    checkpoints.clear();
    expect(checkpoints.load()).toBeUndefined();
    expect(files()).toEqual([]);
  });

  it('keep the last one only', () => {
    for (const step of [20, 40, 60]) checkpoints.save(stateAt(step));
    expect(files()).toEqual(['training-60.onnx', 'training.json']);
  });

  it('count from the moment the head is written: tensors without a head are not looked at', () => {
    checkpoints.save(stateAt(20));
    const head = readFileSync(path('training.json'));
    checkpoints.save(stateAt(40));
    // As if the process had been killed between the tensors of step 40 and their head.
    const [later] = [readFileSync(path('training-40.onnx'))];
    checkpoints.clear();
    checkpoints.save(stateAt(20));
    writeFileSync(path('training.json'), head);
    writeFileSync(path('training-40.onnx'), later);
    expect(checkpoints.load()?.step).toBe(20);
  });

  it('outlive one that cannot be written', () => {
    checkpoints.save(stateAt(20));
    const before = checkpoints.load();
    mkdirSync(path('training-40.onnx'));
    expect(() => checkpoints.save(stateAt(40))).toThrow(expect.objectContaining({ code: 'COPPICE_FILE_WRITE' }));
    expect(checkpoints.load()).toEqual(before);
  });

  it('whose tensors are gone or damaged are refused, naming the file to delete', () => {
    checkpoints.save(stateAt(20));
    const bytes = readFileSync(path('training-20.onnx'));
    writeFileSync(path('training-20.onnx'), bytes.subarray(0, bytes.length / 2));
    expect(() => checkpoints.load()).toThrow(refused(/training-20\.onnx is damaged.*Delete training\.json/));
    writeFileSync(path('training-20.onnx'), 'not tensors');
    expect(() => checkpoints.load()).toThrow(refused(/training-20\.onnx is damaged/));
    rmSync(path('training-20.onnx'));
    expect(() => checkpoints.load()).toThrow(refused(/training-20\.onnx is gone.*Delete training\.json/));
  });

  it('whose head is damaged or of another form are refused', () => {
    checkpoints.save(stateAt(20));
    writeFileSync(path('training.json'), '{ "step": 20, "hist');
    expect(() => checkpoints.load()).toThrow(refused(/training\.json is damaged/));
    for (const text of ['{}', 'null', '[]', '{ "step": 20 }']) {
      writeFileSync(path('training.json'), text);
      expect(() => checkpoints.load(), text).toThrow(refused(/training\.json/));
    }
  });
});
