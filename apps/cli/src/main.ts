#!/usr/bin/env node
import { runCli } from './cli.ts';

// Who reads may have read enough, as in `coppice prune --help | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2));
