import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { nativeBackend } from '@coppice/backend-onnx';
import { mergeStudies, runStudy, type Study } from '@coppice/testkit';
import { describeStudy } from './describe-study.ts';

/**
 * Proves random cuts of random graphs: `node tools/prove/run.ts --cases 100000 [--seed 0] [--plans 1] [--workers 2] [--out docs/results/proof]`.
 * Prints each failure with its smallest graph, ends with 1 if there is one; `--out` writes a table (.md) and the numbers (.json).
 */
const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '0' },
    plans: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string' },
    worker: { type: 'boolean', default: false },
  },
});

const [cases, from, plans] = [values.cases, values.seed, values.plans].map(Number);

/** Cases of one message to the parent: a process that dies loses no more than these. */
const batch = 250;

/** In a process of its own, because ONNX Runtime computes on the thread that asks. */
async function work(): Promise<void> {
  const backend = nativeBackend();
  for (let done = 0; done < cases; done += batch) {
    const study = await runStudy(backend, { from: from + done, cases: Math.min(batch, cases - done), plans, explain: 3 });
    await new Promise((sent) => { process.send!(study, undefined, {}, sent); });
  }
}

async function lead(): Promise<void> {
  const workers = Math.max(1, Math.min(Number(values.workers), Math.ceil(cases / batch)));
  const share = Math.ceil(cases / workers);
  const studies: Study[] = [];
  const start = performance.now();
  const all = Array.from({ length: workers }, (_, k) => new Promise<void>((resolve, reject) => {
    const count = Math.min(share, cases - k * share);
    const child = fork(import.meta.filename, ['--worker', '--cases', String(count), '--seed', String(from + k * share), '--plans', String(plans)]);
    child.on('message', (study: Study) => {
      studies.push(study);
      for (const { seed, kind, message } of study.failures) process.stderr.write(`\nseed ${seed}: ${kind}: ${message.slice(0, 300)}\n`);
      const done = studies.reduce((n, s) => n + s.cases, 0);
      process.stderr.write(`\r${done} of ${cases} cases, ${((performance.now() - start) / 1000).toFixed(0)} s, ${studies.reduce((n, s) => n + s.failures.length, 0)} failures `);
    });
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
  }));
  await Promise.all(all);
  process.stderr.write('\n');
  const study: Study = { ...mergeStudies(studies), seconds: (performance.now() - start) / 1000 };
  const text = describeStudy(study, { from, workers, version: (await nativeBackend().info()).version });
  console.log(text);
  if (values.out) {
    mkdirSync(dirname(values.out), { recursive: true });
    writeFileSync(`${values.out}.md`, `${text}\n`);
    writeFileSync(`${values.out}.json`, `${JSON.stringify(study, undefined, 1)}\n`);
  }
  process.exitCode = study.failures.length > 0 ? 1 : 0;
}

await (values.worker ? work() : lead());
