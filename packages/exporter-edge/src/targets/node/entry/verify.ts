/** Becomes `verify.js` of a bundle for Node: recognises the golden clips again on the runtime that is here, and compares. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { checkFiles, checkGolden, type Finding, type Verification } from '../../../runtime/index.ts';
import { folder, openRecogniser, readManifest } from './open-recogniser.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, runtime: { type: 'string' }, 'runtime-module': { type: 'string' } } });
const report = await verify();
if (values.json) console.log(JSON.stringify(report));
else {
  for (const { where, message } of report.findings) console.error(`${where}: ${message}`);
  console.log(report.findings.length === 0 ? `${report.clips} golden clips are recognised on ${report.ranOn} as at the export` : `${report.findings.length} findings`);
}
process.exitCode = report.findings.length === 0 ? 0 : 1;

async function verify(): Promise<Verification> {
  const read = (path: string): Promise<Uint8Array | undefined> => readFile(new URL(path, folder)).catch(() => undefined);
  const manifest = await readManifest();
  const findings: Finding[] = await checkFiles(manifest.files, read);
  if (findings.length > 0) return { clips: 0, findings, notes: [] };
  try {
    const opened = await openRecogniser({ runtime: values.runtime as 'native' | 'wasm' | undefined, runtimeModule: values['runtime-module'] });
    try {
      const { input, output } = manifest.speech;
      for (const [kind, name, names] of [['input', input, opened.inputNames], ['output', output, opened.outputNames]] as const) {
        if (!names.includes(name)) findings.push({ about: 'manifest', where: 'manifest.json', message: `The manifest is stale: it names the ${kind} '${name}', and the model has ${names.map((each) => `'${each}'`).join(', ')}.` });
      }
      if (findings.length > 0) return { ranOn: opened.ranOn, clips: 0, findings, notes: [] };
      return { ...await checkGolden({ manifest, read, recognise: opened.recognise }), ranOn: opened.ranOn, notes: [] };
    } finally {
      await opened.close();
    }
  } catch (error) {
    return { clips: 0, findings: [...findings, { about: 'runtime', where: manifest.runtime.name, message: error instanceof Error ? error.message : String(error) }], notes: [] };
  }
}
