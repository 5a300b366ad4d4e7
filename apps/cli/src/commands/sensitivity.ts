import { drawSensitivity } from '@coppice/report';
import { InvalidArgumentError, type Command } from 'commander';
import { basename } from 'node:path';
import { share } from '../arguments.ts';
import { scorerNamed } from '../container.ts';
import type { Context } from '../context.ts';
import { formatShare } from '../human-numbers.ts';
import { openOutputFolder } from '../output-folder.ts';
import { rateName } from '../speech/evaluation-text.ts';
import { measureSensitivity, type GroupLoss, type SensitivityReport } from '../speech/sensitivity.ts';
import { addStudyOptions, openStudy, type Accuracy, type StudyOptions } from '../speech/study.ts';
import type { Terminal } from '../terminal.ts';
import { progressBar, tableLines, wrapText } from '../text-table.ts';

interface SensitivityOptions extends StudyOptions {
  readonly scorer: string;
  readonly shares: readonly number[];
  readonly reconstruct?: boolean;
}

/** `coppice sensitivity`: what each group of units can lose, the others staying as they are. */
export function defineSensitivity(program: Command, context: Context): void {
  const command = program.command('sensitivity').description('accuracy against the share of units removed from one group at a time, without training')
    .argument('<model>', 'an .onnx file with its description beside it')
    .option('--scorer <name>', 'importance criterion; `coppice scorers` lists them', 'taylor')
    .option('--shares <list>', 'shares of a group to remove', sharesToRemove, [0.25, 0.5, 0.75])
    .option('--reconstruct', 'least-squares reconstruction after each cut');
  addStudyOptions(command)
    .addHelpText('after', '\nExample:\n  coppice sensitivity model.onnx --dataset digits:/data/fsdd --utterances 100')
    .action((path: string, options: SensitivityOptions) => sensitivityCommand(path, options, context));
}

/** `0.25,50%`. */
function sharesToRemove(text: string): number[] {
  const shares = text.split(',').map((part) => share(part.trim()));
  if (shares.includes(1)) throw new InvalidArgumentError('A group cannot lose all of its units. Give shares below 1, e.g. 0.25,0.5,0.75.');
  return [...new Set(shares)].sort((a, b) => a - b);
}

const FILES = ['sensitivity.svg', 'sensitivity.json'] as const;

async function sensitivityCommand(path: string, { scorer: name, shares, reconstruct = false, ...options }: SensitivityOptions, context: Context): Promise<void> {
  const { terminal } = context;
  const folder = openOutputFolder({ base: context.folder, wanted: options.out, usual: 'sensitivity', files: FILES, force: options.force });
  const scorer = scorerNamed(context.container, name);
  const study = await openStudy(path, options, context);
  const start = performance.now();
  const report = await measureSensitivity({ ...study, scorer, shares, reconstruct, onProgress: (text, done, of) => terminal.progress(`${progressBar(done, of)} ${text}`) });
  const { dataset, datasetOption, split, seed } = options;
  const document = { model: path, dataset, ...(datasetOption && { datasetOption }), split, seed, backend: study.backend.name, threads: study.threads, seconds: (performance.now() - start) / 1000, ...report };
  const json = JSON.stringify(document, undefined, 2);
  const files = [folder.write(FILES[0], await draw(report, path, split)), folder.write(FILES[1], `${json}\n`)];
  if (options.json) return terminal.print(json);
  printSensitivity(report, { split, shares }, terminal);
  terminal.print(`written  ${files.join(', ')}`);
}

const recovery = ({ reconstructed }: SensitivityReport): string => (reconstructed ? 'rebuilt by least squares' : 'nothing rebuilt');

function draw(report: SensitivityReport, path: string, split: string): Promise<string> {
  const points = report.groups.flatMap(({ group, points: own }) => [
    { group, removed: 0, value: report.whole.errorRate }, ...own.map(({ share: removed, errorRate }) => ({ group, removed, value: errorRate })),
  ]);
  return drawSensitivity(points, { title: `What each group of ${basename(path)} can lose`, subtitle: `${report.utterances} utterances of '${split}', least important units by ${report.scorer}, ${recovery(report)}`, measure: `${report.unit} error rate` });
}

/** Two tables of the same form: error rates, and the loss, which moves earlier. */
export function printSensitivity(report: SensitivityReport, { split, shares }: { readonly split: string; readonly shares: readonly number[] }, { print, paint }: Terminal): void {
  const rate = rateName[report.unit];
  const tables: readonly [string, (accuracy: Accuracy) => string][] = [
    [`${rate} without a share of the units of one group`, ({ errorRate }) => formatShare(errorRate)],
    ['CTC loss of a label, in nats', ({ lossPerLabel }) => lossPerLabel.toFixed(3)],
  ];
  for (const [title, show] of tables) {
    const [head, ...lines] = tableLines({
      columns: [{ title: 'group', atMost: 36 }, { title: 'units', align: 'right' }, { title: 'of MACs', align: 'right' }, ...[0, ...shares].map((removed) => ({ title: `−${Number((100 * removed).toPrecision(4))} %`.replace('−0 %', '0 %'), align: 'right' as const }))],
      rows: report.groups.map(({ group, lanes, units, macsShare, points }) => {
        const at = (asked: number): GroupLoss | undefined => points.find((point) => point.asked.includes(asked));
        return [group, lanes > 1 ? `${lanes}×${units}` : String(units), formatShare(macsShare), show(report.whole), ...shares.map((asked) => (at(asked) ? show(at(asked)!) : '–'))];
      }),
    });
    print(paint('bold', title));
    print(paint('dim', head));
    for (const line of lines) print(line);
    print('');
  }
  print(paint('dim', `${report.utterances} utterances of '${split}'; the least important units went first, by ${report.scorer}; ${recovery(report)}`));
  if (report.groups.some(({ points }) => points.flatMap(({ asked }) => asked).length < shares.length)) print(paint('dim', '–  the group is too narrow to lose a unit'));
  for (const note of report.notes) for (const line of wrapText(note, { first: 'note     ', indent: ' '.repeat(9) })) print(line);
}
