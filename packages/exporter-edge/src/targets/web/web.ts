import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleCode, thirdPartyNotices } from '../../bundle-code.ts';
import { htmlPage, icon } from '../../html.ts';
import type { BundleFile, Page, Target } from '../../target.ts';
import { onnxRuntimeRefusals, webRuntimeFolder } from '../onnx-runtime.ts';
import { plainPage } from './plain-page.ts';
import { runtimeEntry, runtimeFiles } from './runtime-files.ts';
import { typesText } from './types-text.ts';
import { verifyInBrowser } from './verify-in-browser.ts';

/** A static folder for any web server: a page, a module for one's own page, a worker, and everything they need, also without a network. */
export const webTarget: Target = {
  name: 'web',
  summary: 'a static folder for any web server: page, module, worker; offline after the first visit',
  runtime: runtimeEntry,
  refusals: (model) => onnxRuntimeRefusals(model, { mostBytes: 1e9 }),
  async *files(draft) {
    const written = new Map(draft.files.map(({ path, sha256 }) => [path, sha256]));
    const note = (file: BundleFile): BundleFile => {
      const hash = createHash('sha256');
      for (const piece of typeof file.bytes === 'string' || file.bytes instanceof Uint8Array ? [file.bytes] : file.bytes) hash.update(piece);
      written.set(file.path, hash.digest('hex'));
      return file;
    };
    const page: Page = draft.options.page ?? plainPage;
    for (const file of [...runtimeFiles(draft.options), ...await code(), ...texts()]) yield note(file);
    for await (const file of page.files(draft)) yield note(file);
    yield await serviceWorker(written);
  },
  verify: verifyInBrowser,
};

const source = (name: string): string => fileURLToPath(new URL(`../../../browser/${name}`, import.meta.url));

/** The scripts. Each is packed alone: what two of them share is little, and a file less is a request less. */
async function code(): Promise<BundleFile[]> {
  const packed: BundleFile[] = [];
  const packages = [dirname(webRuntimeFolder())];
  for (const [name, file] of Object.entries({ recognizer: 'recognizer.ts', worker: 'worker.ts', microphone: 'microphone.ts', verify: 'verify-page.ts' })) {
    const bundled = await bundleCode({ entries: { [name]: source(file) }, platform: 'browser', chunks: 'lib/' });
    packed.push(...bundled.files);
    packages.push(...bundled.packages);
  }
  return [...packed, { path: 'THIRD-PARTY.txt', bytes: thirdPartyNotices(packages) }];
}

function texts(): BundleFile[] {
  return [
    { path: 'recognizer.d.ts', bytes: typesText },
    { path: 'icon.svg', bytes: icon },
    { path: 'verify.html', bytes: htmlPage({ title: 'Verification', styles: ['verify.css'], scripts: ['verify.js'], body: '<main>\n<h1>Does it still recognise the same words?</h1>\n<p id="state" role="status">The golden clips are being recognised …</p>\n<p id="details"></p>\n<ul id="findings"></ul>\n<p><a href="./">Back to the page</a></p>\n</main>' }) },
    { path: 'verify.css', bytes: readFileSync(source('verify.css'), 'utf8') },
    // For hosts that read such a file: the page may use threads then.
    { path: '_headers', bytes: '/*\n  Cross-Origin-Opener-Policy: same-origin\n  Cross-Origin-Embedder-Policy: require-corp\n' },
  ];
}

/** Files that a visit needs beside the runtime and the model, which the worker keeps itself. */
const inShell = (path: string): boolean => /\.(html|js|mjs|css|svg)$/.test(path) && !/^(lib\/|verify|service-worker|runtime\/.*(webgpu|asyncify))/.test(path);

/** Changes whenever any file of the bundle does; so browsers notice a new version. */
async function serviceWorker(written: ReadonlyMap<string, string>): Promise<BundleFile> {
  const version = createHash('sha256').update(JSON.stringify([...written].sort(([a], [b]) => (a < b ? -1 : 1)))).digest('hex').slice(0, 16);
  const shell = [...written.keys()].filter(inShell).concat('manifest.json').sort();
  const { files: [{ bytes }] } = await bundleCode({ entries: { 'service-worker': source('service-worker.ts') }, platform: 'browser', define: { SHELL_FILES: JSON.stringify(shell), SHELL_VERSION: JSON.stringify(version) } });
  return { path: 'service-worker.js', bytes };
}
