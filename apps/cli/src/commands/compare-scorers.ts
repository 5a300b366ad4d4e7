import type { Scorer } from '@coppice/core';
import { drawScorers } from '@coppice/report';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { basename } from 'node:path';
import { share } from '../arguments.ts';
import { namesOf, scorerNamed } from '../container.ts';
import type { Context } from '../context.ts';
import { countOf, formatMs, formatShare } from '../human-numbers.ts';
import { openOutputFolder } from '../output-folder.ts';
import { compareScorers, type ScorerComparison } from '../speech/compare-scorers.ts';
import { rateName } from '../speech/evaluation-text.ts';
import { addStudyOptions, openStudy, type StudyOptions } from '../speech/study.ts';
import type { Terminal } from '../terminal.ts';
import { progressBar, tableLines, wrapText } from '../text-table.ts';

interface CompareOptions extends StudyOptions {
  readonly scorers: readonly string[];
  readonly macs: number;
  readonly ranking: 'uniform' | 'global';
  readonly measured?: boolean;
  readonly rebuild?: boolean;
}

/** What every comparison has: no criterion at all, and the simplest. */
const CONTROLS = ['random', 'l2'] as const;
/** The measured loss increase: a run of the model for each unit and batch. */
const YARDSTICK = 'measured-loss';

/** `coppice compare-scorers`: which importance criterion suits a model. */
export function defineCompareScorers(program: Command, context: Context): void {
  const command = program.command('compare-scorers').description('importance criteria side by side: time, agreement with the measured loss, accuracy after one cut')
    .argument('<model>', 'an .onnx file with its description beside it')
    .option('--scorers <list>', 'names with commas between, or all; random and l2 are always there', names, ['all'])
    .option('--macs <share>', 'share of the multiply–accumulates to keep', share, 0.5)
    .addOption(new Option('--ranking <kind>', 'the same share of every group, or the least important units anywhere').choices(['uniform', 'global']).default('uniform'))
    .option('--measured', 'measure the loss increase of every unit, and how each criterion agrees with it; takes minutes')
    .option('--rebuild', 'also with least squares and new batch-norm statistics');
  addStudyOptions(command)
    .addHelpText('after', '\nExample:\n  coppice compare-scorers model.onnx --dataset digits:/data/fsdd --scorers taylor,fisher,wanda --macs 0.5 --measured --batches 2')
    .action((path: string, options: CompareOptions) => compareCommand(path, options, context));
}

function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim());
  if (list.includes('')) throw new InvalidArgumentError('It must be names with commas between, e.g. taylor,fisher, or all.');
  return list;
}

const FILES = ['scorers.svg', 'scorers.json'] as const;

async function compareCommand(path: string, { scorers: wanted, macs, ranking, measured = false, rebuild = false, ...options }: CompareOptions, context: Context): Promise<void> {
  const { terminal } = context;
  const folder = openOutputFolder({ base: context.folder, wanted: options.out, usual: 'scorers', files: FILES, force: options.force });
  const known = namesOf(context.container, 'Scorer');
  // The yardstick is dear, so it is only among all where it is asked for.
  const listed = wanted.flatMap((name) => (name === 'all' ? known.filter((each) => each !== YARDSTICK) : [name]));
  const scorers: Scorer[] = [...new Set([...CONTROLS, ...listed])].map((name) => scorerNamed(context.container, name));
  const yardstick = measured ? scorerNamed(context.container, YARDSTICK) : undefined;
  const study = await openStudy(path, options, context);
  const start = performance.now();
  const report = await compareScorers({ ...study, scorers, yardstick, macs, ranking, rebuild, onProgress: (text, done, of) => terminal.progress(`${progressBar(done, of)} ${text}`) });
  const { dataset, datasetOption, split, seed } = options;
  const document = { model: path, dataset, ...(datasetOption && { datasetOption }), split, seed, backend: study.backend.name, threads: study.threads, seconds: (performance.now() - start) / 1000, ...report };
  const json = JSON.stringify(document, undefined, 2);
  const files = [folder.write(FILES[0], await draw(report, path, split)), folder.write(FILES[1], `${json}\n`)];
  if (options.json) return terminal.print(json);
  printComparison(report, split, terminal);
  terminal.print(`written  ${files.join(', ')}`);
}

function draw({ scorers, whole, unit, utterances, asked, ranking }: ScorerComparison, path: string, split: string): Promise<string> {
  const points = scorers.flatMap(({ scorer, cut, rebuilt }) => [
    { scorer, series: 'cut', errorRate: cut.errorRate, low: cut.interval.low, high: cut.interval.high },
    ...(rebuilt ? [{ scorer, series: 'rebuilt', errorRate: rebuilt.errorRate, low: rebuilt.interval.low, high: rebuilt.interval.high }] : []),
  ]);
  return drawScorers(points, { title: `${basename(path)} with ${formatShare(asked)} of its multiply–accumulates`, subtitle: `${utterances} utterances of '${split}', one shot, ${ranking} ranking; the line is the whole model`, measure: `${unit} error rate`, original: whole.errorRate });
}

/** A report for people. */
export function printComparison({ scorers, failed, whole, unit, utterances, units, batches, asked, ranking, notes }: ScorerComparison, split: string, { print, paint }: Terminal): void {
  const rate = rateName[unit];
  const compared = scorers.some(({ agreement }) => agreement);
  const rebuilt = scorers.some((entry) => entry.rebuilt);
  const right = (title: string) => ({ title, align: 'right' as const });
  const rho = (value: number | null | undefined): string => (typeof value === 'number' ? value.toFixed(2).replace('-', '−') : '–');
  const [head, ...lines] = tableLines({
    columns: [{ title: 'scorer' }, right('time'), ...(compared ? [right('ρ, all units'), right('ρ, in groups')] : []), right('MACs'), right(`${rate}`), right('loss'), ...(rebuilt ? [right(`${rate} rebuilt`), right('loss')] : [])],
    rows: [
      ['the whole model', '', ...(compared ? ['', ''] : []), formatShare(1), formatShare(whole.errorRate), whole.lossPerLabel.toFixed(3)],
      ...scorers.map(({ scorer, seconds, agreement, macs, cut, rebuilt: again }) => [
        scorer, formatMs(1000 * seconds), ...(compared ? [rho(agreement?.all), rho(agreement?.withinGroups)] : []), formatShare(macs),
        formatShare(cut.errorRate), cut.lossPerLabel.toFixed(3), ...(again ? [formatShare(again.errorRate), again.lossPerLabel.toFixed(3)] : []),
      ]),
    ],
  });
  print(paint('bold', `one cut to ${formatShare(asked)} of the MACs, ${ranking} ranking, nothing trained`));
  print(paint('dim', head));
  for (const line of lines) print(line);
  print('');
  print(paint('dim', `${utterances} utterances of '${split}'; ${countOf(units, 'unit')} scored on ${countOf(batches, 'batch', 'batches')}; loss: CTC of a label, in nats`));
  if (compared) print(paint('dim', 'ρ: rank correlation with the loss increase that was measured with one unit at a time masked'));
  for (const { scorer, code, reason } of failed) for (const line of wrapText(`${scorer} cannot score this model: ${code}: ${reason}`, { indent: '         ' })) print(line);
  for (const note of notes) for (const line of wrapText(note, { first: 'note     ', indent: ' '.repeat(9) })) print(line);
}
