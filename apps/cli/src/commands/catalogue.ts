import type { Command } from 'commander';
import { namesAdded, namesOf, scorerNamed } from '../container.ts';
import type { Context } from '../context.ts';
import { addPluginOptions, type PluginOptions } from '../plugins.ts';
import { tableLines } from '../text-table.ts';

/** `coppice scorers`: the importance criteria that `--scorer` takes. */
export function defineScorers(program: Command, context: Context): void {
  addPluginOptions(program.command('scorers').description('list the importance criteria'))
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice scorers --plugin ./my-scorer.ts')
    .action(({ json }: PluginOptions & { readonly json?: boolean }) => {
      const { container, terminal: { print, paint } } = context;
      const added = namesAdded(container, 'Scorer');
      const list = namesOf(container, 'Scorer').map((name) => scorerNamed(container, name))
        .map(({ name, needs, comparable = false }) => ({ name, needs, comparable, plugin: added.includes(name) }));
      if (json) return print(JSON.stringify(list, undefined, 2));
      const [head, ...lines] = tableLines({
        columns: [{ title: 'scorer' }, { title: 'needs' }, { title: '' }],
        rows: list.map(({ name, needs, plugin }) => [name, needs.join(', ') || 'nothing', plugin ? 'plugin' : '']),
      });
      print(paint('dim', head));
      for (const line of lines) print(line);
    });
}
