// The child process of `isolated`: holds one executable, answers one request at a time.
import { Worker } from 'node:worker_threads';
import type { Executable, NamedTensors } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { chooseBackend } from './choose.ts';
import type { Reply, Request } from './isolated.ts';

let executable: Executable | undefined;

async function answer(request: Request): Promise<NamedTensors> {
  if (request.do === 'run') {
    if (executable === undefined) throw new CoppiceError('COPPICE_BACKEND_RUN', 'There is no model to run; compile one first.');
    return executable.run(request.inputs, request.outputs);
  }
  executable = await chooseBackend(request.backend).compile(readModel(request.path, { check: false }), request.options);
  return {};
}

process.on('message', async (request: Request) => {
  let reply: Reply;
  try {
    reply = { results: await answer(request) };
  } catch (error) {
    const { message, cause } = error as Error;
    reply = { error: { code: error instanceof CoppiceError ? error.code : undefined, message, words: cause instanceof Error ? cause.message : undefined } };
  }
  process.send?.(reply);
});

process.on('disconnect', () => process.exit());

// Native code blocks this thread, and with it the news that the parent is gone; another thread keeps watch.
const watch = `const { ppid } = process; setInterval(() => { if (process.ppid !== ppid) process.kill(process.pid, 'SIGKILL'); }, 500);`;
new Worker(watch, { eval: true }).unref();
