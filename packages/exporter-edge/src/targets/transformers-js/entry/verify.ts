/** Becomes `verify.js` of a bundle for Transformers.js: recognises the golden clips again with the package that is here, and compares the texts. */
import { greedyDecode } from '@coppice/speech';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkFiles, type BundleManifest, type Finding } from '../../../runtime/index.ts';
import { vocabularyOf } from '../config-files.ts';
import { runTransformers } from '../run-transformers.ts';

const { values } = parseArgs({ options: { transformers: { type: 'string', default: '@huggingface/transformers' } } });
const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const read = (path: string): Promise<Buffer | undefined> => readFile(place(path)).catch(() => undefined);
const manifest = JSON.parse(await readFile(place('manifest.json'), 'utf8')) as BundleManifest;
const findings: Finding[] = await checkFiles(manifest.files, read);
if (findings.length === 0) findings.push(...await recognise());
for (const { where, message } of findings) console.error(`${where}: ${message}`);
console.log(findings.length === 0 ? `${manifest.golden.clips.length} golden clips are recognised as at the export` : `${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;

async function recognise(): Promise<Finding[]> {
  const { speech, golden: { clips } } = manifest;
  const ran = await runTransformers({ script: place('recognise.js'), module: values.transformers, model: place('.'), clips: clips.map(({ audio }) => place(audio)) });
  if ('fault' in ran) return [{ about: 'runtime', where: '@huggingface/transformers', message: `Transformers.js could not recognise the golden clips: ${ran.fault}.` }];
  const vocabulary = vocabularyOf(speech);
  const found: Finding[] = [];
  for (const [k, { audio, logProbs }] of clips.entries()) {
    const bytes = (await read(logProbs.path))!;
    const [frames, tokens] = logProbs.dims;
    const text = greedyDecode({ data: Float32Array.from({ length: frames * tokens }, (_, at) => bytes.readFloatLE(4 * at)), frames, tokens }, speech.blank).labels.map((id) => vocabulary[id]).join('').trim();
    if (ran.results[k].text !== text) found.push({ about: 'text', where: audio, message: `The text of ${audio} is '${ran.results[k].text}', and '${text}' was expected.` });
  }
  return found;
}
