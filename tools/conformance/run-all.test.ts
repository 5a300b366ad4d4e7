import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { officialTests, subjectOfTest } from '@coppice/testkit';
import { expect, it } from 'vitest';
import { endless, oneOperator, vector, writeTest } from '../../packages/testkit/src/official/write-test.ts';
import { describeResults, violationsOf, type Column } from './describe-results.ts';
import { runAll } from './run-all.ts';

it('goes on after a test that does not end, and says which one it was', async () => {
  const tests = mkdtempSync(join(tmpdir(), 'coppice-conformance-'));
  try {
    writeTest(tests, 'node/test_add', oneOperator('Add', ['a', 'b']), { a: vector(1), b: vector(2) }, { y: vector(3) });
    writeTest(tests, 'node/test_endless', endless(), { x: vector(1) }, { y: vector(1) });
    writeTest(tests, 'node/test_neg', oneOperator('Neg', ['x']), { x: vector(1) }, { y: vector(-1) });
    writeTest(tests, 'node/test_strange', oneOperator('NoSuchOperator', ['x']), { x: vector(1) }, { y: vector(1) });
    const all = officialTests(tests);
    const results = await runAll('onnx:wasm', { tests, count: all.length, timeLimitMs: 3000 });
    expect(results.map(({ kind }) => kind)).toEqual(['passes', 'fails', 'passes', 'refused']);
    expect(results[1]).toEqual({ kind: 'fails', reason: 'it did not end within 3 s' });

    const column: Column = { name: 'onnx:wasm', version: '1', backend: true, results };
    const described = all.map((test) => ({ name: test.name, subject: subjectOfTest(test) }));
    expect(violationsOf(described, [column])).toEqual(['onnx:wasm: node/test_endless fails: it did not end within 3 s', expect.stringMatching(/^onnx:wasm: node\/test_strange refused: .*NoSuchOperator/)]);
    // What Coppice itself is held to may have gaps.
    expect(violationsOf(described, [{ ...column, backend: false }])).toEqual([]);
    const page = describeResults(described, [column], { machine: 'a machine', command: 'a command' });
    expect(page).toContain('| onnx:wasm | 2 | 1 | 0 | 1 | 2 | 1 | 0 | 1 |');
    expect(page).toContain('| Neg | • | 1 |');
    expect(page).toContain('node/test_endless: it did not end within 3 s (onnx:wasm)');
  } finally {
    rmSync(tests, { recursive: true });
  }
});
