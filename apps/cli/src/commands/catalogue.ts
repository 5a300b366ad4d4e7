import { tokens, type Backend } from '@coppice/core';
import type { Command } from 'commander';
import { repeated } from '../arguments.ts';
import { backendNames, scorerNames, scorersNamed } from '../container.ts';
import type { Context } from '../context.ts';
import { loadPlugins, type PluginOptions } from '../plugins.ts';
import { tableLines } from '../text-table.ts';

/** `coppice scorers`: the importance criteria that `--scorer` takes. */
export function defineScorers(program: Command, context: Context): void {
  program.command('scorers').description('list the importance criteria')
    .option('--plugin <file>', 'a file that exports a scorer; repeatable', repeated)
    .option('--config <file>', 'configuration file (default: coppice.config.ts where there is one)')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice scorers --plugin ./my-scorer.ts')
    .action(async (options: PluginOptions & { readonly json?: boolean }) => {
      const added = await loadPlugins(context.container, context.folder, options);
      const list = scorersNamed(context.container, [...scorerNames, ...added]).map(({ name, needs, comparable = false }) => ({ name, needs, comparable, plugin: added.includes(name) }));
      print(context, options.json, list, ['scorer', 'needs', ''], ({ name, needs, plugin }) => [name, needs.join(', ') || 'nothing', plugin ? 'plugin' : '']);
    });
}

/** `coppice backends`: what can run models here. */
export function defineBackends(program: Command, context: Context): void {
  program.command('backends').description('list what can run models on this machine')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice backends')
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { container } = context;
      const bound = backendNames.filter((name) => container.isBound(tokens.Backend, { name }));
      const list = await Promise.all(bound.map(async (name) => ({ name, ...(await describeBackend(container.get<Backend>(tokens.Backend, { name }))) })));
      print(context, json, list, ['backend', 'version', 'device', 'threads', ''], (entry) =>
        ('missing' in entry ? [entry.name, '', '', '', entry.missing] : [entry.name, entry.version, entry.device, `up to ${entry.threads}`, '']));
    });
}

async function describeBackend(backend: Backend) {
  try {
    return await backend.info();
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

function print<T>({ terminal }: Context, json: boolean | undefined, list: readonly T[], titles: readonly string[], row: (entry: T) => string[]): void {
  if (json) return terminal.print(JSON.stringify(list, undefined, 2));
  const [head, ...lines] = tableLines({ columns: titles.map((title) => ({ title })), rows: list.map(row) });
  terminal.print(terminal.paint('dim', head));
  for (const line of lines) terminal.print(line);
}
