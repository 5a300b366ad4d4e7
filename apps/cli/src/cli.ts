import { CoppiceError, type ErrorCode } from '@coppice/graph';
import { Command, CommanderError } from 'commander';
import type { Container } from 'inversify';
import { defineBench } from './commands/bench.ts';
import { defineBundle } from './commands/bundle.ts';
import { defineScorers } from './commands/catalogue.ts';
import { defineCompareScorers } from './commands/compare-scorers.ts';
import { defineData } from './commands/data.ts';
import { defineDemo } from './commands/demo.ts';
import { defineDoctor } from './commands/doctor.ts';
import { defineEval } from './commands/eval.ts';
import { defineExport } from './commands/export.ts';
import { defineFinetune } from './commands/finetune.ts';
import { defineInspect } from './commands/inspect.ts';
import { definePrune } from './commands/prune.ts';
import { defineReference } from './commands/reference.ts';
import { defineSensitivity } from './commands/sensitivity.ts';
import { defineTrain } from './commands/train.ts';
import { defineVerify } from './commands/verify.ts';
import { createContainer } from './container.ts';
import { exitCodes, type Context } from './context.ts';
import { Interrupted } from './run/interrupt.ts';
import { loadPluginsOf } from './plugins.ts';
import { createTerminal, type TextStream } from './terminal.ts';
import { version } from './version.ts';

/** What a run of the command line is given beside its words; all of it can be replaced in tests. */
export interface CliOptions {
  readonly out?: TextStream;
  readonly err?: TextStream;
  readonly container?: Container;
  readonly folder?: string;
}

/**
 * Runs one command line.
 * @param words without the program's own name, e.g. `['inspect', 'model.onnx']`
 * @returns the exit code
 */
export async function runCli(words: readonly string[], { out = process.stdout, err = process.stderr, container = createContainer(), folder = process.cwd() }: CliOptions = {}): Promise<number> {
  const terminal = createTerminal(out, err);
  let code = 0;
  const program = defineProgram({ container, terminal, folder, fail: (exitCode) => (code = exitCode) }, out);
  try {
    await program.parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof Interrupted) {
      terminal.log(error.message);
      return error.exitCode;
    }
    const fault = describeFault(error);
    terminal.log(`${terminal.paint('red', 'error')} ${fault.code}: ${fault.message}`);
    if (fault.exitCode === exitCodes.defect && error instanceof Error) terminal.log(error.stack ?? '');
    if (words.includes('--json')) terminal.print(JSON.stringify({ error: { code: fault.code, message: fault.message } }, undefined, 2));
    return fault.exitCode;
  } finally {
    terminal.progress('');
  }
}

function defineProgram(context: Context, out: TextStream): Command {
  const program = new Command('coppice')
    .description('Structured pruning for speech-recognition models, straight from the ONNX file')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: () => undefined, getOutHelpWidth: () => 100 })
    .addHelpText('after', '\nExample:\n  coppice prune model.onnx --macs 0.5 --out slim.onnx');
  program.hook('preAction', (_, command) => loadPluginsOf(command, context));
  for (const define of [defineInspect, definePrune, defineVerify, defineBench, defineTrain, defineFinetune, defineEval, defineSensitivity, defineCompareScorers, defineExport, defineBundle, defineReference, defineDemo, defineData, defineScorers, defineDoctor]) define(program, context);
  return program;
}

interface Fault {
  readonly code: ErrorCode | 'COPPICE_DEFECT';
  readonly message: string;
  readonly exitCode: number;
}

function describeFault(error: unknown): Fault {
  if (error instanceof CoppiceError) return { code: error.code, message: error.message, exitCode: error.code === 'COPPICE_VERIFY_FAILED' ? exitCodes.wrong : exitCodes.user };
  if (error instanceof CommanderError) {
    const message = error.code === 'commander.help' ? 'No command was given. See coppice --help.' : error.message.replace(/^error: /, '').replace(/^./, (letter) => letter.toUpperCase());
    return { code: 'COPPICE_ARGUMENT_INVALID', message, exitCode: exitCodes.user };
  }
  return { code: 'COPPICE_DEFECT', message: `${error instanceof Error ? error.message : String(error)} This is a defect of Coppice; please report it.`, exitCode: exitCodes.defect };
}
