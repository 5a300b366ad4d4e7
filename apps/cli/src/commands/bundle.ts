import { makeBundles } from '@coppice/edge-bundler';
import { targetNamed, targets, verifyBundle, type BundleManifest, type BundleVerification } from '@coppice/exporter-edge';
import { CoppiceError } from '@coppice/graph';
import { InvalidArgumentError, type Command } from 'commander';
import { join, resolve } from 'node:path';
import { exitCodes, type Context } from '../context.ts';
import { addExportOptions, type ExportOptions } from './export-options.ts';
import { readyExport } from './export-request.ts';
import { exportReport, printExport, printVerification } from './export-text.ts';

/** `coppice bundle`: everything at once, a demonstration page included, each part verified; and `coppice bundle verify`. */
export function defineBundle(program: Command, context: Context): void {
  const command = program.command('bundle').description('make a model ready for several places at once, with a page that shows it, and verify each of them')
    .argument('<model>', 'an .onnx file with its description beside it')
    .option('--out <folder>', 'where the bundles go, a folder for each target (required)')
    .option('--targets <list>', `some of ${targets.map(({ name }) => name).join(',')}`, targetList, ['web', 'node'])
    .option('--no-verify', 'do not run the golden clips on the runtimes')
    .option('--chromium <file>', 'the browser that verifies the bundle for the web (default: the usual places)');
  addExportOptions(command)
    .addHelpText('after', '\nExample:\n  coppice bundle slim.onnx --original model.onnx --dataset digits:/data/fsdd --quantize int8 --out dist')
    .action((path: string, options: BundleOptions) => bundleCommand(path, options, context));
  command.command('verify').description('prove that a bundle is what was exported, and that its runtime recognises the same')
    .argument('<folders...>', 'bundles')
    .option('--chromium <file>', 'the browser for bundles for the web (default: the usual places)')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice bundle verify dist/web dist/node')
    // Options that both have are taken by `bundle` itself.
    .action((folders: string[], _: object, self: Command) => verifyCommand(folders, self.optsWithGlobals<VerifyCommandOptions>(), context));
}

interface VerifyCommandOptions {
  readonly chromium?: string;
  readonly json?: boolean;
}

interface BundleOptions extends ExportOptions {
  readonly targets: readonly string[];
  readonly verify?: boolean;
  readonly chromium?: string;
}

function targetList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !targets.some((target) => target.name === name));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no target '${unknown}'. Choose some of ${targets.map(({ name }) => name).join(',')}.`);
  return [...new Set(names)];
}

async function bundleCommand(path: string, options: BundleOptions, context: Context): Promise<void> {
  const { terminal } = context;
  // Commander would ask for a required option of `bundle verify` as well.
  if (options.out === undefined) throw new CoppiceError('COPPICE_ARGUMENT_INVALID', "Required option '--out <folder>' not specified.");
  const folder = resolve(context.folder, options.out);
  const bundles = makeBundles(folder, { force: options.force });
  const { request, prepared } = await readyExport(path, options, context);
  const manifests = await bundles.write(request, options.targets.map(targetNamed), (target) => terminal.progress(`writing ${join(options.out, target)}`));
  const verified = options.verify === false ? [] : await verifyAll(options.targets.map((target) => join(folder, target)), options.chromium, context);
  if (options.json) terminal.print(JSON.stringify({ bundles: manifests.map((manifest) => exportReport(manifest, prepared, join(options.out, manifest.target))), verified: verified.map(withoutManifest) }, undefined, 2));
  else {
    for (const [k, manifest] of manifests.entries()) {
      if (k > 0) terminal.print('');
      printExport(manifest, prepared, { folder: join(options.out, manifest.target), terminal });
    }
    if (verified.length > 0) terminal.print('');
    for (const [k, verification] of verified.entries()) printVerification(verification, join(options.out, manifests[k].target), terminal);
  }
}

async function verifyCommand(folders: readonly string[], { chromium, json }: VerifyCommandOptions, context: Context): Promise<void> {
  const verified = await verifyAll(folders.map((folder) => resolve(context.folder, folder)), chromium, context);
  if (json) context.terminal.print(JSON.stringify(verified.map((verification, k) => ({ folder: folders[k], ...withoutManifest(verification) })), undefined, 2));
  else for (const [k, verification] of verified.entries()) printVerification(verification, folders[k], context.terminal);
}

async function verifyAll(folders: readonly string[], chromium: string | undefined, { terminal, fail }: Context): Promise<BundleVerification[]> {
  const verified: BundleVerification[] = [];
  for (const folder of folders) verified.push(await verifyBundle(folder, { chromium, onProgress: (text) => terminal.progress(text) }));
  if (verified.some(({ findings }) => findings.length > 0)) fail(exitCodes.wrong);
  return verified;
}

const withoutManifest = ({ manifest, ...rest }: BundleVerification & { readonly manifest: BundleManifest }) => ({ target: manifest.target, ...rest });
