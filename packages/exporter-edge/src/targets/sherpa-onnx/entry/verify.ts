/** Becomes `verify.js` of a bundle for sherpa-onnx: recognises the golden clips again with the runtime that is here, and compares texts and times. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkFiles, type BundleManifest, type Finding } from '../../../runtime/index.ts';
import { expectedTokens, timesFault } from '../compare-times.ts';
import { runSherpa } from '../run-sherpa.ts';

const { values } = parseArgs({ options: { sherpa: { type: 'string', default: 'sherpa-onnx-node' } } });
const folder = new URL('./', import.meta.url);
const place = (path: string): string => fileURLToPath(new URL(path, folder));
const read = (path: string): Promise<Buffer | undefined> => readFile(place(path)).catch(() => undefined);
const manifest = JSON.parse(await readFile(place('manifest.json'), 'utf8')) as BundleManifest;
const findings: Finding[] = await checkFiles(manifest.files, read);
if (findings.length === 0) findings.push(...await recognise());
for (const { where, message } of findings) console.error(`${where}: ${message}`);
console.log(findings.length === 0 ? `${manifest.golden.clips.length} golden clips are recognised as at the export` : `${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;

async function recognise(): Promise<Finding[]> {
  const { clips } = manifest.golden;
  const ran = await runSherpa({ script: place('recognise.js'), module: values.sherpa, config: place('sherpa-onnx.json'), clips: clips.map(({ audio }) => place(audio)) });
  if ('fault' in ran) return [{ about: 'runtime', where: 'sherpa-onnx-node', message: `sherpa-onnx could not recognise the golden clips: ${ran.fault}.` }];
  const found: Finding[] = [];
  for (const [k, clip] of clips.entries()) {
    const bytes = (await read(clip.logProbs.path))!;
    const logProbs = Float32Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
    const { text } = expectedTokens(logProbs, clip.logProbs.dims[0], manifest.speech);
    const message = ran.results[k].text !== text ? `The text of ${clip.audio} is '${ran.results[k].text}', and '${text}' was expected.` : timesFault(clip, ran.results[k], logProbs, clip.logProbs.dims[0], manifest.speech);
    if (message !== undefined) found.push({ about: 'text', where: clip.audio, message });
  }
  return found;
}
