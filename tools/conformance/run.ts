import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { checkBackend, countClaims, officialTests, runOfficialTest, subjectOfTest } from '@coppice/testkit';
import { backends, oracles } from './backends.ts';
import { describeResults, violationsOf, type Column } from './describe-results.ts';
import { runAll, runSuite, type Message, type SuiteMessage } from './run-all.ts';

/**
 * Runs ONNX's official operator tests, and the testkit's own suite, on backends: `node tools/conformance/run.ts [--backend onnx:native,tfjs:wasm,tfjs:node-gpu] [--tests /usr/share/libonnx-testdata/data]
 * [--out docs/results/conformance.md] [--limit 30]`. The tests are Debian's `libonnx-testdata`. Ends with 1 if a test fails on a backend, or one of our
 * scope is refused, or the suite has a finding. Each backend runs in a process of its own; a test may take `--limit` seconds.
 */
const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'onnx:native,onnx:wasm,tfjs:wasm,tfjs:cpu' },
    tests: { type: 'string', default: '/usr/share/libonnx-testdata/data' },
    out: { type: 'string' },
    limit: { type: 'string', default: '30' },
    worker: { type: 'boolean', default: false },
    suite: { type: 'boolean', default: false },
    from: { type: 'string', default: '0' },
  },
});

const all = { ...backends, ...oracles };

async function work(): Promise<void> {
  const backend = await all[values.backend]();
  const send = (message: Message | SuiteMessage): Promise<void> => new Promise((sent) => { process.send!(message, undefined, {}, () => sent()); });
  if (values.suite) {
    await send({ claims: countClaims(backend), findings: await checkBackend(backend) });
    return process.disconnect();
  }
  const tests = officialTests(values.tests);
  for (let test = Number(values.from); test < tests.length; test++) {
    await send({ test, result: await runOfficialTest(backend, tests[test]) });
  }
  process.disconnect();
}

async function lead(): Promise<void> {
  if (!existsSync(values.tests)) throw new Error(`There is no folder ${values.tests}. Install the tests of ONNX (Debian: apt install libonnx-testdata), or name their folder with --tests.`);
  const names = values.backend.split(',');
  const unknown = names.find((name) => !Object.hasOwn(backends, name));
  if (unknown !== undefined) throw new Error(`There is no backend '${unknown}'. Choose among ${Object.keys(backends).join(', ')}.`);
  const tests = officialTests(values.tests);
  if (tests.length === 0) throw new Error(`There are no tests in ${values.tests}: no folder below it holds test_data_set_0.`);
  const columns: Column[] = [];
  for (const name of [...names, ...Object.keys(oracles)]) {
    const results = await runAll(name, { tests: values.tests, count: tests.length, timeLimitMs: 1000 * Number(values.limit), progress: (done) => { if (done % 50 === 0) process.stderr.write(`\r${name}: ${done} of ${tests.length} `); } });
    process.stderr.write(`\r${name}: ${tests.length} of ${tests.length}\n`);
    const { version } = await (await all[name]()).info();
    const backend = names.includes(name);
    columns.push({ name, version, backend, results, ...(backend && { suite: await runSuite(name, 600_000) }) });
  }
  const described = tests.map((test) => ({ name: test.name, subject: subjectOfTest(test) }));
  const text = describeResults(described, columns, { machine: machine(), command: `node tools/conformance/run.ts${values.out ? ` --out ${values.out}` : ''}` });
  const violations = violationsOf(described, columns);
  if (values.out) {
    mkdirSync(dirname(values.out), { recursive: true });
    writeFileSync(values.out, `${text}\n`);
  } else {
    console.log(text);
  }
  for (const violation of violations) console.error(violation);
  console.error(violations.length === 0 ? 'No failure, and nothing of our scope is refused.' : `${violations.length} tests fail or are refused that may not be.`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

/** Where the run was made. */
function machine(): string {
  try {
    return `Node ${process.version}, libonnx-testdata ${execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'libonnx-testdata'], { encoding: 'utf8' })}`;
  } catch {
    return `Node ${process.version}`;
  }
}

await (values.worker ? work() : lead());
