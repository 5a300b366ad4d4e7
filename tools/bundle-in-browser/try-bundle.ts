import { readManifest, serveFolder } from '@coppice/exporter-edge';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchBrowser, linesOf, messageOf, newPage, untilReady } from './open-page.ts';
import type { SaidAloud } from './said-aloud.ts';

export interface TryOptions {
  readonly chromium: string;
  /** Whether the page is cross-origin isolated. */
  readonly isolated: boolean;
  readonly said: SaidAloud;
  /** Where pictures go, `%` standing for what they show. */
  readonly picture?: string;
}

/** What the page of a bundle did. */
export interface BundleTrial {
  readonly browser: string;
  readonly threads: string;
  /** Transferred until the page was ready. */
  readonly firstLoadBytes: number;
  readonly saidAloud: readonly string[];
  /** On the screen, utterance by utterance, by the microphone. */
  readonly heard: { readonly slim: readonly string[]; readonly original?: readonly string[] };
  /** On the screen, from the same sound as a file, without a network. */
  readonly offline: readonly string[];
  readonly realTimeFactor: { readonly slim: string; readonly original?: string };
  readonly loaded: { readonly slim: string; readonly original?: string };
  readonly complaints: readonly string[];
}

/** Opens a bundle's page as a person would: load, compare, speak, and then again with the server gone. */
export async function tryBundle(folder: string, { chromium, isolated, said, picture }: TryOptions): Promise<BundleTrial> {
  const both = readManifest(folder).original !== undefined;
  const temporary = mkdtempSync(join(tmpdir(), 'coppice-microphone-'));
  const microphone = join(temporary, 'said.wav');
  writeFileSync(microphone, said.wav);
  let firstLoadBytes = 0;
  const served = await serveFolder(folder, { isolated, onSent: (_, bytes) => (firstLoadBytes += bytes) });
  const browser = await launchBrowser({ executablePath: chromium, microphone });
  try {
    const { page, complaints } = await newPage(browser);
    const show = async (what: string): Promise<void> => {
      if (picture !== undefined) await page.screenshot({ path: picture.replace('%', what), fullPage: true });
    };
    await page.goto(served.url);
    await untilReady(page);
    const transferred = firstLoadBytes;
    if (await page.locator('body[data-state=failed]').count() > 0) throw new Error(await messageOf(page));
    if (both) {
      await page.click('#compare');
      await page.waitForSelector('#original [data-fact=load] small');
      await untilReady(page);
    }
    await page.click('#listen');
    const last = `#slim .transcript p:not(.partial):not(.hint):nth-of-type(${said.words.length})`;
    await page.waitForSelector(last, { timeout: 60_000 });
    if (both) await page.waitForSelector(last.replace('slim', 'original'), { timeout: 10_000 });
    await show('listening');
    const heard = { slim: await linesOf(page, 'slim'), ...(both ? { original: await linesOf(page, 'original') } : {}) };
    const fact = async (name: string) => ({ slim: await page.locator(`#slim [data-fact=${name}]`).innerText(), ...(both ? { original: await page.locator(`#original [data-fact=${name}]`).innerText() } : {}) });
    const [realTimeFactor, loaded] = [await fact('factor'), await fact('load')];
    await page.click('#listen');
    await page.waitForSelector('body[data-offline=ready]', { timeout: 20_000 });
    const threads = await page.locator('#way').innerText();

    await served.close();
    await page.reload();
    await untilReady(page);
    await page.setInputFiles('#file', microphone);
    await page.waitForSelector('#slim .transcript p:not(.hint)');
    await untilReady(page);
    await show('offline');
    return { browser: browser.version(), threads, firstLoadBytes: transferred, saidAloud: said.words, heard, offline: await linesOf(page, 'slim'), realTimeFactor, loaded, complaints };
  } finally {
    await browser.close();
    await served.close();
    rmSync(temporary, { recursive: true, force: true });
  }
}
