/** Becomes `transcribe.js`, the command of a bundle for Node. */
import { transcribe } from './index.ts';

const [, , ...files] = process.argv;
if (files.length === 0 || files.some((file) => file.startsWith('-'))) {
  console.error('Usage: transcribe file.wav …');
  process.exit(2);
}
for (const file of files) {
  try {
    const { text, seconds, milliseconds } = await transcribe(file);
    console.log(files.length === 1 ? text : `${file}\t${text}`);
    console.error(`${seconds.toFixed(2)} s of sound in ${milliseconds.toFixed(0)} ms`);
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
