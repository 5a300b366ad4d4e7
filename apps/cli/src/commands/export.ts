import { demoPage } from '@coppice/edge-bundler';
import { checkBundleFolder, exportBundle, targets } from '@coppice/exporter-edge';
import { Option, type Command } from 'commander';
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { addExportOptions, type ExportOptions } from './export-options.ts';
import { readyExport } from './export-request.ts';
import { exportReport, printExport } from './export-text.ts';

/** `coppice export`: a model becomes a folder that runs on the edge. */
export function defineExport(program: Command, context: Context): void {
  const command = program.command('export').description('turn a model into a folder that runs elsewhere, with the proof that it recognises the same there')
    .argument('<model>', 'an .onnx file with its description beside it')
    .addOption(new Option('--target <name>', targets.map(({ name, summary }) => `${name}: ${summary}`).join('; ')).choices(targets.map(({ name }) => name)).makeOptionMandatory())
    .requiredOption('--out <folder>', 'where the bundle goes')
    .option('--no-page', 'web: no demonstration, a plain page instead');
  addExportOptions(command)
    .addHelpText('after', '\nExamples:\n  coppice export slim.onnx --target web --original model.onnx --dataset digits:/data/fsdd --out dist\n  coppice bundle verify dist')
    .action(async (path: string, options: ExportOptions & { readonly target: string; readonly page?: boolean }) => {
      const { terminal } = context;
      const folder = resolve(context.folder, options.out);
      checkBundleFolder(folder, { force: options.force });
      const { request, prepared } = await readyExport(path, { ...options, targets: [options.target] }, context);
      terminal.progress(`writing ${options.out}`);
      const manifest = await exportBundle(targets.find(({ name }) => name === options.target)!, { ...request, options: { ...request.options, ...(options.page === false ? {} : { page: demoPage }) } }, folder);
      if (options.json) terminal.print(JSON.stringify(exportReport(manifest, prepared, options.out), undefined, 2));
      else printExport(manifest, prepared, { folder: options.out, terminal });
    });
}
