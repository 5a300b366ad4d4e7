import { existsSync } from 'node:fs';
import type { Verification } from '../../finding.ts';
import type { BundleManifest } from '../../manifest.ts';
import type { VerifyOptions } from '../../target.ts';
import { serveFolder } from './serve-folder.ts';

const usualPlaces = [
  '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe', 'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** Where Chromium or Chrome is; undefined when it is in none of the usual places. */
export const findChromium = (wanted = process.env.COPPICE_CHROMIUM): string | undefined => (wanted === undefined ? usualPlaces.find((path) => existsSync(path)) : existsSync(wanted) ? wanted : undefined);

/** So that Chromium runs without a screen, asks nothing and downloads nothing. */
export const chromiumArguments: readonly string[] = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** How to get what is missing. */
const missing = (what: string): Verification => ({
  clips: 0, findings: [{ about: 'runtime', where: 'onnxruntime-web', message: `The golden clips were not run in a browser: ${what}. Files and manifest were checked. Without it, open verify.html of the bundle in any browser.` }], notes: [],
});

/** Opens `verify.html` of the bundle in headless Chromium, served by us with cross-origin isolation, and hands on what it found. */
export async function verifyInBrowser(folder: string, _manifest: BundleManifest, { chromium: wanted, onProgress }: VerifyOptions): Promise<Verification> {
  const executablePath = findChromium(wanted);
  if (executablePath === undefined) return missing(`there is no Chromium${wanted === undefined ? ' in the usual places' : ` at ${wanted}`}. Install it (Debian: apt install chromium) or name it with --chromium`);
  const playwright = await import('playwright-core').catch(() => undefined);
  if (playwright === undefined) return missing('playwright-core is not installed. Install it with: pnpm add playwright-core@1.65.1');
  const served = await serveFolder(folder);
  try {
    const browser = await playwright.chromium.launch({ executablePath, args: [...chromiumArguments] });
    try {
      onProgress?.(`golden clips in Chromium ${browser.version()}`);
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      await page.goto(`${served.url}verify.html`);
      const handle = await page.waitForSelector('html[data-verification]', { timeout: 120_000 }).catch((error: unknown) => {
        throw new Error([`verify.html did not finish: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`, ...problems].join('; '));
      });
      const verification = JSON.parse(await handle.getAttribute('data-verification') ?? '') as Verification;
      return { ...verification, notes: [...verification.notes, ...problems.map((problem) => `the browser said: ${problem}`)] };
    } finally {
      await browser.close();
    }
  } catch (error) {
    return { clips: 0, findings: [{ about: 'runtime', where: 'Chromium', message: error instanceof Error ? error.message : String(error) }], notes: [] };
  } finally {
    await served.close();
  }
}
