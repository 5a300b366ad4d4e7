import { readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseBackend } from '@coppice/backend-onnx';
import { costOf, cutModel, findUnits, frozenPlaces, planCut, prunableShare, scoreUnits, traceModel, verificationInputs, verifyCut, verifyPreparation, type Backend, type Cost, type PreparedTrace, type Units } from '@coppice/core';
import { readModel } from '@coppice/graph/node';
import { l2, random } from '@coppice/scorer-magnitude';

/**
 * Prunes every model of some folders to 75, 50 and 25 % of its prunable MACs, by random and by L2 scores, on both runtimes, and verifies
 * each cut: `node tools/zoo/run.ts FOLDER… [--only TEXT] [--out docs/results/zoo.md]`.
 */
const { values: options, positionals: folders } = parseArgs({ allowPositionals: true, options: { only: { type: 'string', default: '' }, out: { type: 'string' }, json: { type: 'string' }, release: { type: 'boolean', default: false } } });

interface Row {
  readonly model: string; readonly released: boolean; readonly groups: number; readonly units: number; readonly prunable: number; readonly least: number;
  readonly worst: number; readonly tolerance: number; readonly cuts: number; readonly wrong: readonly string[]; readonly analyseMs: number; readonly cutMs: number;
  readonly prepared: string; readonly frozen: readonly string[];
}

const SHARES = [0.75, 0.5, 0.25];
const backends = [chooseBackend('onnx:wasm'), chooseBackend('onnx:native')];

/** Inputs and outputs that carry state: they have a counterpart of the same shape on the other side. */
function states({ program, runs }: PreparedTrace): string[] {
  const shape = (id: number) => String(runs[0].shapes[id]);
  const pairs = program.inputs.flatMap((i) => program.outputs.filter((o) => shape(o) === shape(i)).map((o) => [i, o]));
  return [...new Set(pairs.flat())].map((id) => program.values[id].name).filter((name) => /state|cache|^[hc]n?\d*$|_out$|new_|input_[35]|stack|lstm/i.test(name));
}

async function examine(path: string, release: boolean): Promise<Row | undefined> {
  const model = readModel(path);
  const row = { model: basename(path).replace(/\.onnx$/, ''), released: release };
  let facts: Omit<Row, 'worst' | 'tolerance' | 'cuts' | 'wrong'> | undefined;
  let [worst, tolerance, cuts, cutMs] = [0, 0, 0, 0];
  const wrong: string[] = [];
  for (const backend of backends) {
    const trace = await traceModel(model, backend);
    const names = release ? states(trace) : [];
    if (release && names.length === 0) return undefined;
    const started = performance.now();
    const units = findUnits(trace, { release: names });
    const analyseMs = performance.now() - started;
    const before = costOf(units);
    const least = leastOf(units);
    const inputs = verificationInputs(trace);
    const prepared = await verifyPreparation(model, trace, backend, inputs);
    for (const d of prepared) if (!(d.relative <= d.tolerance)) wrong.push(`${backend.name}: preparation changed ${d.output} by ${d.relative.toExponential(1)}`);
    facts ??= { ...row, groups: units.groups.length, units: units.groups.flatMap((g) => g.lanes.flat()).length, prunable: prunableShare(units).macs, least: least.macs / before.macs, analyseMs, cutMs: 0, prepared: describePreparation(trace), frozen: frozenReasons(units) };
    if (units.units.length === 0) continue;
    for (const scorer of [random, l2]) {
      const scores = await scoreUnits(units, scorer, { seed: 1 });
      for (const share of SHARES) {
        const budget = (least.macs + share * (before.macs - least.macs)) / before.macs;
        const outcome = await cutAndVerify(units, scores, Math.min(1, budget), backend, inputs);
        cuts++;
        cutMs = Math.max(cutMs, outcome.cutMs);
        if (outcome.problem) wrong.push(`${backend.name} ${scorer.name} ${share}: ${outcome.problem}`);
        worst = Math.max(worst, outcome.worst);
        tolerance = outcome.tolerance;
      }
    }
  }
  return facts && { ...facts, worst, tolerance, cuts, wrong, cutMs };
}

function leastOf(units: Units): Cost {
  const removable = units.groups.flatMap((g) => {
    const n = Math.min(...g.lanes.map((lane) => lane.length));
    return g.lanes.flatMap((lane) => lane.slice(0, n - 1));
  });
  return costOf(units, removable);
}

async function cutAndVerify(units: Units, scores: ArrayLike<number>, macs: number, backend: Backend, inputs: Parameters<typeof verifyPreparation>[3]) {
  const started = performance.now();
  try {
    const plan = planCut(units, scores, { macs });
    const slim = cutModel(units, plan.removed);
    const cutMs = performance.now() - started;
    const verdict = await verifyCut(units, plan.removed, slim, backend, { inputs });
    return { cutMs, worst: verdict.worst.relative, tolerance: verdict.worst.tolerance, problem: verdict.equal ? undefined : `${verdict.worst.output} differs by ${verdict.worst.relative.toExponential(1)}` };
  } catch (error) {
    return { cutMs: 0, worst: 0, tolerance: 0, problem: error instanceof Error ? error.message : String(error) };
  }
}

const describePreparation = ({ baked, decided }: PreparedTrace): string =>
  [baked.length > 0 ? `${baked.length} weight${baked.length > 1 ? 's' : ''} baked` : '', decided.length > 0 ? `${decided.length} If decided` : ''].filter(Boolean).join(', ');

/** The distinct reasons for widths that are frozen, without those that are nothing but the model's own inputs and outputs. */
function frozenReasons(units: Units): string[] {
  const reasons = new Map<string, number>();
  for (const place of frozenPlaces(units)) {
    const kinds = place.reasons.filter((r) => r.kind !== 'varies');
    const first = kinds.find((r) => r.kind === 'contract') ?? kinds[0];
    if (!first) continue;
    const text = first.kind === 'contract' ? 'input or output of the model' : first.sentence.replace(/\d+/g, 'n');
    reasons.set(text, (reasons.get(text) ?? 0) + 1);
  }
  return [...reasons].toSorted((a, b) => b[1] - a[1]).map(([text, count]) => `${text} (${count})`);
}

const rows: Row[] = [];
for (const folder of folders) {
  for (const file of readdirSync(folder).filter((f) => f.endsWith('.onnx') && f.includes(options.only)).toSorted()) {
    for (const release of [false, true]) {
      const row = await examine(join(folder, file), release);
      if (!row) continue;
      rows.push(row);
      process.stderr.write(`${row.model}${row.released ? ' (states released)' : ''}: ${row.groups} groups, ${row.units} units, ${row.prunable.toFixed(2)} prunable, ${row.cuts} cuts, widest ${row.worst.toExponential(1)}${row.wrong.length ? ` WRONG ${row.wrong.join('; ')}` : ''}\n`);
    }
  }
}

const wrong = rows.reduce((sum, row) => sum + row.wrong.length, 0);
const table = [
  '# Models that exporters and third parties made',
  '',
  'Each model pruned to 75, 50 and 25 % of its prunable MACs, by random and by L2 scores, on the WebAssembly and the native build of ONNX Runtime; each cut compared with the masked original on',
  'three sets of random inputs (two lengths with batches of 2 and 3, and a batch of one). *Prunable*: share of the MACs in nodes of which some width can be pruned. *Least*: what remains with every group at one unit.',
  '',
  `\`node tools/zoo/run.ts ${folders.join(' ')}\`, Node ${process.version}, ${cpus()[0].model}, ${availableParallelism()} cores.`,
  '',
  '| model | groups / units | MACs prunable | least MACs | cuts | widest difference (tolerance) | analysis, cut (ms) | prepared | frozen because |',
  '|---|---|---|---|---|---|---|---|---|',
  ...rows.map((r) => `| ${r.model}${r.released ? ', states released' : ''} | ${r.groups} / ${r.units} | ${r.prunable.toFixed(2)} | ${r.least.toFixed(2)} | ${r.cuts - r.wrong.length} of ${r.cuts} | ${r.cuts === 0 ? '—' : `${r.worst.toExponential(1)} (${r.tolerance.toExponential(1)})`} | ${r.analyseMs.toFixed(0)}, ${r.cutMs.toFixed(0)} | ${r.prepared || '—'} | ${r.frozen.slice(0, 4).join('; ') || '—'} |`),
  '',
  `${rows.length} rows, ${rows.reduce((s, r) => s + r.cuts, 0)} cuts, ${wrong} wrong.`,
].join('\n');
if (options.out) writeFileSync(options.out, `${table}\n`);
if (options.json) writeFileSync(options.json, JSON.stringify(rows, null, 2));
process.stdout.write(`${table}\n`);
process.exitCode = wrong > 0 ? 1 : 0;
