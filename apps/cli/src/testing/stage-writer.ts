/** Finishes stage after stage of a run until somebody stops it; a child process of tests. `node stage-writer.ts FOLDER LETTERS` */
import { CoppiceError } from '@coppice/graph';
import { RunDirectory } from '../run/run-directory.ts';

const [folder, letters] = process.argv.slice(2);
try {
  const run = new RunDirectory(folder, { made: 'by stage-writer' });
  process.stdout.write('ready\n');
  for (let n = 0; ; n++) await run.stage(`stage-${n}`, async () => ({ n, text: 'x'.repeat(Number(letters)), end: true }));
} catch (error) {
  process.stdout.write(`${error instanceof CoppiceError ? `${error.code} ${error.message}` : String(error)}\n`);
}
