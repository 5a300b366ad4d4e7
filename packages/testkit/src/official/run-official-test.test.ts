import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { graphOf, makeModel, makeNode, makeValueInfo, operators, withFields } from '@coppice/graph';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eagerBackend } from '../backend/eager-backend.ts';
import { subjectOfTest } from './official-test.ts';
import { officialTests } from './official-tests.ts';
import { lifting, runOfficialTest } from './run-official-test.ts';
import { outOfScope, whyOutOfScope } from './scope.ts';
import { oneOperator, vector, writeTest } from './write-test.ts';

const backend = await nativeBackend().info().then(() => nativeBackend(), () => wasmBackend());
const folder = mkdtempSync(join(tmpdir(), 'coppice-official-'));

beforeAll(() => {
  const add = oneOperator('Add', ['a', 'b']);
  writeTest(folder, 'node/test_add', add, { a: vector(1, 2), b: vector(10, 20) }, { y: vector(11, 22) });
  // The names of the files' tensors count where the model knows them, not the order.
  writeTest(folder, 'node/test_sub_turned', oneOperator('Sub', ['a', 'b']), { b: vector(1, 2), a: vector(10, 20) }, { y: vector(9, 18) });
  writeTest(folder, 'node/test_mul_wrong', oneOperator('Mul', ['a', 'b']), { a: vector(1, 2), b: vector(10, 20) }, { y: vector(10, 41) });
  writeTest(folder, 'node/test_nearly', add, { a: vector(1, 2), b: vector(10, 20) }, { y: vector(11.01, 22.02) });
  writeTest(folder, 'node/test_strange', oneOperator('NoSuchOperator', ['a']), { a: vector(1) }, { y: vector(1) });
  writeTest(folder, 'node/test_bernoulli', oneOperator('Abs', ['a']), { a: vector(0.25, 0.5) }, { y: vector(0, 1) });
  writeTest(folder, 'node/test_dropout_default', oneOperator('Dropout', ['a']), { a: vector(0.25, 0.5) }, { y: vector(0.25, 0.5) });
  const list = { ...makeValueInfo('s', 'float32'), type: { ...makeValueInfo('s', 'float32').type!, value: { case: 'sequenceType' as const, value: { $typeName: 'onnx.TypeProto.Sequence' as const } } } };
  const sequence = makeModel({ opset: 17, graph: { inputs: [list], outputs: [makeValueInfo('y', 'int64', [])], nodes: [makeNode({ op: 'SequenceLength', inputs: ['s'], outputs: ['y'] })] } });
  writeTest(folder, 'node/test_sequence', sequence, {}, {});
  const old = makeModel({ opset: 9, graph: withFields(graphOf(oneOperator('Softmax', ['x'])), { input: [makeValueInfo('x', 'float32', [2, 2])], output: [makeValueInfo('y', 'float32')] }) });
  writeTest(folder, 'node/test_old', old, { x: { ...vector(0, 0, 1, 1), dims: [2, 2] } }, { y: { ...vector(0.5, 0.5, 0.5, 0.5), dims: [2, 2] } });
  mkdirSync(join(folder, 'node/test_broken/test_data_set_0'), { recursive: true });
  writeFileSync(join(folder, 'node/test_broken/model.onnx'), 'no model at all');
  mkdirSync(join(folder, 'real/test_elsewhere'), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

const named = (name: string) => officialTests(folder).find((test) => test.name === `node/test_${name}`)!;

it('finds the folders that hold data, in the order of their names', () => {
  expect(officialTests(folder).map(({ name }) => name)).toEqual(['add', 'bernoulli', 'broken', 'dropout_default', 'mul_wrong', 'nearly', 'old', 'sequence', 'strange', 'sub_turned'].map((name) => `node/test_${name}`));
});

it('tells what passes, what is refused with its name, and what fails with the difference', async () => {
  expect(await runOfficialTest(backend, named('add'))).toEqual({ kind: 'passes' });
  expect(await runOfficialTest(backend, named('sub_turned'))).toEqual({ kind: 'passes' });
  expect(await runOfficialTest(backend, named('strange'))).toMatchObject({ kind: 'refused', by: 'backend', reason: expect.stringContaining('NoSuchOperator') });
  expect(await runOfficialTest(backend, named('mul_wrong'))).toEqual({ kind: 'fails', reason: "output 'y' is 40 instead of 41 at [1], and differs in 1 of 2 elements" });
});

it('allows 1 in 1000', async () => {
  expect(await runOfficialTest(backend, named('nearly'))).toEqual({ kind: 'passes' });
});

it('counts as refused what the reader refuses, and what is no tensor', async () => {
  expect(await runOfficialTest(backend, named('broken'))).toMatchObject({ kind: 'refused', by: 'reader', reason: expect.stringContaining('not an ONNX model') });
  expect(await runOfficialTest(backend, named('sequence'))).toEqual({ kind: 'refused', by: 'reader', reason: "'s' is a sequence, and a backend takes and gives tensors." });
});

it('compares type and shape alone where a test draws at random', async () => {
  expect(await runOfficialTest(backend, named('bernoulli'))).toEqual({ kind: 'passes', note: expect.stringContaining('at random') });
});

it('holds the reference and the newest form of operators to the same answers', async () => {
  expect(await runOfficialTest(eagerBackend(), named('old'))).toEqual({ kind: 'passes' });
  expect(await runOfficialTest(lifting(backend), named('old'))).toEqual({ kind: 'passes' });
  expect(await runOfficialTest(eagerBackend(), named('mul_wrong'))).toMatchObject({ kind: 'fails' });
});

it('gives up on a backend that does not answer', async () => {
  const silent = { ...backend, compile: () => new Promise<never>(() => undefined) };
  expect(await runOfficialTest(silent, named('add'), { timeLimitMs: 20 })).toEqual({ kind: 'fails', reason: 'it did not end within 0.02 s' });
});

it('knows what a test is about, and whether it is of our scope', () => {
  expect(subjectOfTest(named('add'))).toEqual({ operators: ['Add'], types: ['float32'] });
  expect(subjectOfTest(named('broken'))).toEqual({ operators: [], types: [] });
  const why = (operators: readonly string[], types: readonly string[] = ['float32']) => whyOutOfScope('node/test_x', { operators, types });
  expect(why(['Add'], ['float32', 'int64', 'bool'])).toBeUndefined();
  expect(why(['Add', 'Unique'])).toBe('Unique: its output length depends on the data');
  expect(why(['Add'], ['float16'])).toBe('float16 is no type of our scope');
  expect(why(['DequantizeLinear'], ['float32', 'uint8'])).toBeUndefined();
  expect(why(['Add'], ['uint8'])).toBe('uint8 is no type of our scope');
  expect(why(['ai.onnx.preview.training.Adam'])).toMatch(/not an operator of ONNX itself/);
});

it('names operators that there are, with the end of a sentence', () => {
  for (const [op, why] of Object.entries(outOfScope)) {
    expect(operators).toHaveProperty(op);
    expect(why).toMatch(/^its? .*[^.]$/);
  }
});
