import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleCode, sourceFile, thirdPartyNotices } from '../../bundle-code.ts';
import type { Verification } from '../../finding.ts';
import type { BundleManifest } from '../../manifest.ts';
import type { Target } from '../../target.ts';
import { onnxRuntimeRefusals, onnxRuntimeVersion, runtimeModule } from '../onnx-runtime.ts';
import { packageJson } from './package-json.ts';
import { typesText } from './types-text.ts';

/** A package folder for Node: one function, a command, and its own check. */
export const nodeTarget: Target = {
  name: 'node',
  summary: 'a package folder for Node: createRecognizer(), transcribe file.wav, npm run verify',
  runtime: () => ({
    name: 'onnxruntime-node', version: onnxRuntimeVersion, bytes: 0,
    note: 'Installed from npm, not part of the folder; the library for one platform takes 20 to 40 MB. Its install script fetches CUDA on Linux, which is not needed: npm install --ignore-scripts. Where it does not exist for a machine, onnxruntime-web is used when it is installed.',
  }),
  refusals: (model) => onnxRuntimeRefusals(model, { mostBytes: 2 ** 31 - 1 }),
  async *files({ manifest }) {
    yield { path: 'package.json', bytes: packageJson(manifest) };
    yield { path: 'index.d.ts', bytes: typesText };
    const entry = (name: string): string => sourceFile(import.meta.url, `./entry/${name}`);
    const code = await bundleCode({ entries: { index: entry('index'), transcribe: entry('transcribe'), verify: entry('verify') }, platform: 'node', external: [/^onnxruntime-/] });
    yield { path: 'THIRD-PARTY.txt', bytes: thirdPartyNotices(code.packages) };
    for (const file of code.files) yield file.path === 'transcribe.js' ? { ...file, bytes: `#!/usr/bin/env node\n${String(file.bytes)}` } : file;
  },
  verify: (folder, manifest) => verifyInNode(folder, manifest),
};

/** Runs the bundle's own `verify.js` in a process of its own, with its own runtime where that is installed, else with ours. */
async function verifyInNode(folder: string, { runtime }: BundleManifest): Promise<Verification> {
  const nothing = (message: string): Verification => ({ clips: 0, findings: [{ about: 'runtime', where: runtime.name, message }], notes: [] });
  const own = isInstalled(folder, 'onnxruntime-node') || isInstalled(folder, 'onnxruntime-web');
  const borrowed = own ? undefined : runtimeModule('onnxruntime-node');
  if (!own && borrowed === undefined) return nothing('onnxruntime-node is installed neither in the bundle nor here. Run npm install in the bundle, and verify again.');
  const words = [join(resolve(folder), 'verify.js'), '--json', ...(borrowed === undefined ? [] : ['--runtime', 'native', '--runtime-module', pathToFileURL(borrowed).href])];
  return new Promise((done) => {
    execFile(process.execPath, words, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      try {
        const verification = JSON.parse(stdout.slice(stdout.lastIndexOf('\n', stdout.length - 2) + 1)) as Verification;
        done(borrowed === undefined ? verification : { ...verification, notes: [...verification.notes, 'the bundle has no runtime of its own installed, so the one of Coppice ran it'] });
      } catch {
        done(nothing(`verify.js ended with ${error?.code ?? 0} and said: ${(stderr || stdout).trim().split('\n').slice(-3).join(' / ') || 'nothing'}.`));
      }
    });
  });
}

/** Whether `import` finds a package from a folder; `require.resolve` would also look where NODE_PATH says, and `import` does not. */
function isInstalled(folder: string, name: string): boolean {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, 'node_modules', name, 'package.json'))) return true;
    if (dirname(at) === at) return false;
  }
}
