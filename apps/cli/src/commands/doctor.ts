import type { BackendInfo } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import type { Command } from 'commander';
import { availableParallelism, totalmem } from 'node:os';
import { backendNamed, namesOf } from '../container.ts';
import type { Context } from '../context.ts';
import { formatBytes } from '../human-numbers.ts';
import { addPluginOptions, type PluginOptions } from '../plugins.ts';
import { tableLines } from '../text-table.ts';
import { version } from '../version.ts';

/** A backend as the doctor finds it: what it runs on, or what is missing and how to mend that. */
type Finding = { readonly name: string } & (BackendInfo | { readonly missing: string });

/** `coppice doctor`: every backend with what it runs on here, and for those that do not run what is missing and the command that would fix it. */
export function defineDoctor(program: Command, context: Context): void {
  addPluginOptions(program.command('doctor').description('list the backends: what runs here, what is missing, and the command that would fix it'))
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice doctor')
    .action(async ({ json }: PluginOptions & { readonly json?: boolean }) => {
      const { container, terminal } = context;
      const backends: Finding[] = [];
      // One by one: some runtimes do not bear company while they load.
      for (const name of namesOf(container, 'Backend')) {
        terminal.progress(`looking at ${name}`);
        backends.push({ name, ...(await examine(() => backendNamed(container, name).info())) });
      }
      const machine = { coppice: version, node: process.version, platform: `${process.platform} ${process.arch}`, cores: availableParallelism(), memoryBytes: totalmem() };
      if (json) terminal.print(JSON.stringify({ machine, backends }, undefined, 2));
      else print(machine, backends, context);
    });
}

async function examine(info: () => Promise<BackendInfo>): Promise<BackendInfo | { missing: string }> {
  try {
    return await info();
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    return { missing: error.message };
  }
}

function print({ coppice, node, platform, cores, memoryBytes }: { readonly coppice: string; readonly node: string; readonly platform: string; readonly cores: number; readonly memoryBytes: number }, backends: readonly Finding[], { terminal: { print: say, paint } }: Context): void {
  say(`Coppice ${coppice}, Node.js ${node}, ${platform}, ${cores} cores, ${formatBytes(memoryBytes)} of memory\n`);
  const [head, ...lines] = tableLines({
    columns: ['backend', 'version', 'device', 'threads'].map((title) => ({ title })),
    rows: backends.flatMap((entry) => ('missing' in entry ? [] : [[entry.name, entry.version, entry.device, `up to ${entry.threads}`]])),
  });
  say(paint('bold', head));
  for (const line of lines) say(line);
  const broken = backends.flatMap((entry) => ('missing' in entry ? [entry] : []));
  if (broken.length > 0) say(`\n${paint('bold', 'does not run here')}`);
  for (const { name, missing } of broken) say(missing.startsWith(name) ? missing : `${name}: ${missing}`);
}
