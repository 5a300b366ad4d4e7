import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fork } from 'node:child_process';
import { nativeBackend } from '@coppice/backend-onnx';
import { costOf, cutModel, findUnits, planCut, traceModel, verifyCut } from '@coppice/core';
import { readModel, writeModel } from '@coppice/graph/node';
import { generateModel } from './models/generate.ts';

/**
 * Time and memory of analysis, planning and cut against model size: `node tools/bench-scale.ts`; `SIZES=1e6,95e6` for other transformers.
 * Each model is measured in a process of its own; peak memory is the resident set over that of the bare process before reading.
 */
const cases = [
  ...(process.env.SIZES?.split(',').map(Number) ?? [1e6, 10e6, 30e6, 95e6, 300e6]).map((parameters) => ({ kind: 'transformer' as const, parameters })),
  ...[1e6, 10e6, 95e6].map((parameters) => ({ kind: 'crnn' as const, parameters })),
];

interface Measurement {
  readonly kind: string; readonly parameters: number; readonly megabytes: number; readonly nodes: number; readonly units: number;
  readonly traceMs: number; readonly analyseMs: number; readonly planMs: number; readonly cutMs: number; readonly writeMs: number; readonly verifyMs: number;
  /** Peak over the bare process, in file sizes: from reading to writing, and with the verification after it. */
  readonly peak: number; readonly peakWithVerify: number;
}

/** High-water mark of the resident set, bytes. */
const peakRss = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;

async function measure(path: string, kind: string): Promise<Measurement> {
  const bytes = statSync(path).size;
  const bare = peakRss();
  const model = readModel(path);
  const clock = () => performance.now();
  const t0 = clock();
  const trace = await traceModel(model, nativeBackend());
  const t1 = clock();
  const units = findUnits(trace);
  const t2 = clock();
  const scores = Float64Array.from(units.units, (_, k) => ((k * 7919) % 1000) / 1000);
  const plan = planCut(units, scores, { macs: 0.5 });
  const t3 = clock();
  const slim = cutModel(units, plan.removed);
  const t4 = clock();
  writeModel(slim, `${path}.slim`, { force: true });
  const t5 = clock();
  const peak = (peakRss() - bare) / bytes;
  const verdict = await verifyCut(units, plan.removed, slim, nativeBackend());
  if (!verdict.equal) throw new Error(`${path}: ${verdict.worst.relative}`);
  const t6 = clock();
  return {
    kind, parameters: costOf(units).params, megabytes: bytes / 1e6, nodes: trace.program.steps.length, units: units.units.length,
    traceMs: t1 - t0, analyseMs: t2 - t1, planMs: t3 - t2, cutMs: t4 - t3, writeMs: t5 - t4, verifyMs: t6 - t5,
    peak, peakWithVerify: (peakRss() - bare) / bytes,
  };
}

if (process.argv[2] === '--one') {
  const [, , , path, kind] = process.argv;
  process.send!(await measure(path, kind));
  process.disconnect();
} else {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-bench-'));
  const rows: Measurement[] = [];
  try {
    for (const { kind, parameters } of cases) {
      const path = join(folder, `${kind}-${parameters}.onnx`);
      writeModel(generateModel({ kind, parameters, seed: 1 }), path);
      const row = await new Promise<Measurement>((resolve, reject) => {
        const child = fork(import.meta.filename, ['--one', path, kind]);
        child.once('message', (message) => resolve(message as Measurement));
        child.once('exit', (code) => code && reject(new Error(`measuring ${path} ended with ${code}`)));
      });
      rows.push(row);
      process.stderr.write(`${kind} ${(row.parameters / 1e6).toFixed(1)} M: analyse ${row.analyseMs.toFixed(0)} plan ${row.planMs.toFixed(0)} cut ${row.cutMs.toFixed(0)} write ${row.writeMs.toFixed(0)} trace ${row.traceMs.toFixed(0)} verify ${row.verifyMs.toFixed(0)} ms, peak ${row.peak.toFixed(2)} N, with verification ${row.peakWithVerify.toFixed(2)} N, ${row.nodes} nodes ${row.units} units\n`);
      rmSync(path);
      rmSync(`${path}.slim`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const table = [
    '# Time and memory against size',
    '',
    'Generated models, each in a process of its own, plan for half of the MACs. Milliseconds; peak resident memory over the bare process in file sizes (N), from reading to writing, and with the',
    'verification after it (two native sessions, one after the other). Weights are cut while they are written.',
    '',
    `\`node tools/bench-scale.ts\`, Node ${process.version}, ${cpus()[0].model}, ${availableParallelism()} cores.`,
    '',
    '| model | parameters | file | nodes | units | analyse | plan | cut | write | trace | verify | peak | with verification |',
    '|---|---|---|---|---|---|---|---|---|---|---|---|---|',
    ...rows.map((r) => `| ${r.kind} | ${(r.parameters / 1e6).toFixed(1)} M | ${r.megabytes.toFixed(0)} MB | ${r.nodes} | ${r.units} | ${[r.analyseMs, r.planMs, r.cutMs, r.writeMs, r.traceMs, r.verifyMs].map((ms) => ms.toFixed(0)).join(' | ')} | ${r.peak.toFixed(2)} N | ${r.peakWithVerify.toFixed(2)} N |`),
  ].join('\n');
  process.stdout.write(`${table}\n`);
}
