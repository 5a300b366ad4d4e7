/**
 * Prunes one trained recogniser in many ways and writes what came out as a table. Each way is a run of its own in a run directory, so a
 * study that was stopped goes on where it was.
 * Usage: node tools/studies/run.ts scorers|curves|recovery --model digits.onnx --dataset digits:/data/fsdd [--dataset-option strings=true]
 *        [--scorers taylor,snip] [--keep 0.5,0.2] [--schedules one-shot] [--seeds 0,1]
 *        [--speeds 0.9,1,1.1] [--recovery all] [--latency] [--dev heldOut] [--test dev] [--steps 400] [--runs runs/study] [--out docs/results/digits-scorers.md] [--threads 2]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { builtInNames, createContainer, openCorpus, readRecogniser, runRecipe, RunDirectory, scorerNamed, settleRecipe, speechBackend, timedBackends, type Context, type RunReport } from '@coppice/cli';
import { curves, everyScorer, recoveries, recoveryParts, type Cell } from './cells.ts';
import { remembered } from './remembered.ts';

const { positionals: [study = ''], values } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' }, dataset: { type: 'string' }, 'dataset-option': { type: 'string', multiple: true, default: [] }, scorers: { type: 'string' },
    steps: { type: 'string', default: '400' }, runs: { type: 'string', default: 'runs/study' }, out: { type: 'string' }, threads: { type: 'string', default: '2' }, peak: { type: 'string', default: '0.001' },
    augment: { type: 'string', default: 'none' }, 'batch-size': { type: 'string', default: '16' },
    keep: { type: 'string' }, schedules: { type: 'string', default: 'one-shot,iterative' }, seeds: { type: 'string', default: '0,1,2' }, dev: { type: 'string', default: 'dev' }, test: { type: 'string', default: 'test' }, latency: { type: 'boolean', default: false }, speeds: { type: 'string', default: '1' }, recovery: { type: 'string', default: 'all' },
  },
});
if (!Object.hasOwn(recoveries, values.recovery)) throw new Error(`--recovery is one of ${Object.keys(recoveries).join(', ')}`);
if (!values.model || !values.dataset) throw new Error('Say which recogniser and which corpus: --model digits.onnx --dataset digits:/data/fsdd');

const scorers = values.scorers?.split(',') ?? [...builtInNames.Scorer];
const numbers = (text: string): number[] => text.split(',').map(Number);
const settings = {
  keep: numbers(values.keep ?? (study === 'curves' ? '0.7,0.5,0.35,0.2,0.1' : '0.5,0.2')), schedules: values.schedules.split(',') as Cell['schedule'][], seeds: numbers(values.seeds), splits: { dev: values.dev, test: values.test }, recovery: values.recovery as Cell['recovery'],
  steps: Number(values.steps), tune: { peak: Number(values.peak), batchSize: Number(values['batch-size']), augment: values.augment as 'none', speeds: numbers(values.speeds), evaluateEvery: Math.max(50, Math.round(Number(values.steps) / 4)) },
};
const studies: Readonly<Record<string, () => Cell[]>> = {
  scorers: () => everyScorer(scorers, settings), curves: () => curves(scorers, settings), recovery: () => recoveryParts(scorers[0], settings),
};
const cells = studies[study]?.();
if (!cells) throw new Error(`The study is one of ${Object.keys(studies).join(', ')}, not '${study}'`);

const terminal: Context['terminal'] = { print: (text) => console.log(text), log: (text) => console.error(text), progress: () => undefined, paint: (_, text) => text };
const context: Context = { container: createContainer(), terminal, folder: process.cwd(), fail: () => undefined };
const { backend, threads } = await speechBackend(context, { threads: Number(values.threads) });
const recogniser = readRecogniser(values.model);
const options = Object.fromEntries(values['dataset-option'].map((text) => text.split('=') as [string, string]));
const dataset = remembered(await openCorpus(context.container, { dataset: values.dataset, options }, process.cwd()));

const rows: { readonly cell: Cell; readonly report: RunReport; readonly seconds: number }[] = [];
for (const [k, cell] of cells.entries()) {
  const recipe = settleRecipe({ ...cell.recipe, dataset: values.dataset, datasetOptions: options });
  const start = performance.now();
  const run = new RunDirectory(resolve(values.runs, cell.name), { recipe, model: values.model, backend: backend.name, threads });
  const report = await runRecipe({ recogniser, recipe, dataset, scorer: scorerNamed(context.container, cell.scorer), backend, threads, timed: values.latency ? timedBackends(context, backend, threads) : [], run, terminal });
  const seconds = (performance.now() - start) / 1000;
  rows.push({ cell, report, seconds });
  const last = report.rounds.at(-1)!;
  console.log(`${k + 1}/${cells.length} ${cell.name}: ${(100 * last.test.errors.rate).toFixed(2)} % at ${(100 * last.cost.macs / report.original.cost.macs).toFixed(1)} % of the MACs, ${seconds.toFixed(0)} s`);
  if (values.out) write(values.out);
}

function speedUp({ before, after }: RunReport['latency'][number]): string {
  return (before.medianMs / after.medianMs).toFixed(2);
}

function write(path: string): void {
  const percent = (value: number, digits = 1): string => (100 * value).toFixed(digits);
  const { original } = rows[0].report;
  const unit = original.test.errors.unit === 'phone' ? 'PER' : 'WER';
  const lines = rows.map(({ cell, report: { rounds, comparison, latency } }) => {
    const { test, cost, heldOut } = rounds.at(-1)!;
    return `| ${[cell.scorer, percent(cost.macs / original.cost.macs), percent(cost.params / original.cost.params), cell.schedule, cell.recovery, cell.seed, percent(heldOut.cut), `**${percent(test.errors.rate)}**`, `${percent(test.interval.low)}–${percent(test.interval.high)}`, `${comparison.difference >= 0 ? '+' : ''}${percent(comparison.difference)}`, comparison.pValue < 0.001 ? '< 0.001' : comparison.pValue.toFixed(3), ...latency.slice(0, 1).map(speedUp)].join(' | ')} |`;
  });
  const head = ['scorer', 'MACs %', 'parameters %', 'schedule', 'recovery', 'seed', `${unit} held out after the cut %`, `${unit} %`, '95 % interval', 'against the original', 'p', ...(values.latency ? ['speed ×'] : [])];
  mkdirSync(resolve(path, '..'), { recursive: true });
  writeFileSync(path, `# Study '${study}' on ${values.dataset!.split(':')[0]}

Original: ${unit} **${percent(original.test.errors.rate)} %** (${percent(original.test.interval.low)}–${percent(original.test.interval.high)}), ${original.test.errors.utterances.length} utterances of the test part, ${(original.cost.macs / 1e6).toFixed(1)} M MACs at the sizes of the trace, ${(original.cost.params / 1e3).toFixed(0)} k parameters.
Fine-tuning: ${settings.steps} steps in all, batch ${settings.tune.batchSize}, Adam, one cycle up to ${settings.tune.peak}, speeds ${settings.tune.speeds.join(', ')}. ${backend.name}, ${threads} threads${values.latency ? '; speed is the latency of one utterance of middle length in WebAssembly, one thread' : ''}.
p: paired approximate randomisation over utterances.

\`\`\`sh
node tools/studies/run.ts ${process.argv.slice(2).join(' ')}
\`\`\`

| ${head.join(' | ')} |
|${head.map(() => '---').join('|')}|
${lines.join('\n')}
`);
  writeFileSync(join(path.replace(/\.md$/, '.json')), `${JSON.stringify(rows.map(({ cell, report: { rounds, comparison, latency } }) => ({
    ...cell, recipe: undefined, macs: rounds.at(-1)!.cost.macs / original.cost.macs, errorRate: rounds.at(-1)!.test.errors.rate, interval: rounds.at(-1)!.test.interval, afterCut: rounds.at(-1)!.heldOut.cut, comparison, speed: latency.map(speedUp)[0],
  })), undefined, 1)}\n`);
}
