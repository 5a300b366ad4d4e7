import { chromiumArguments } from '@coppice/exporter-edge';
import { chromium, type Browser, type Page } from 'playwright-core';

export interface BrowserOptions {
  readonly executablePath: string;
  /** A WAV file that is the microphone, once; without, there is none. */
  readonly microphone?: string;
}

/** Headless Chromium whose microphone is a file. */
export const launchBrowser = ({ executablePath, microphone }: BrowserOptions): Promise<Browser> => chromium.launch({
  executablePath,
  args: [...chromiumArguments, ...(microphone === undefined ? [] : ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${microphone}%noloop`])],
});

/** A page of a bundle, and what its console complained of: every violation of the content-security-policy is there. */
export interface OpenedPage {
  readonly page: Page;
  readonly complaints: readonly string[];
}

export async function newPage(browser: Browser, size = { width: 1200, height: 900 }): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: size });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  return { page, complaints };
}

/** Until the models are loaded, or the page says why not. */
export const untilReady = (page: Page): Promise<unknown> => page.waitForSelector('body[data-state=ready], body[data-state=failed]', { timeout: 60_000 });

/** Final lines of a transcript. */
export const linesOf = async (page: Page, model: 'slim' | 'original'): Promise<string[]> => (await page.locator(`#${model} .transcript p:not(.partial):not(.hint)`).allInnerTexts()).map((line) => line.trim());

/** What the page says at the moment. */
export const messageOf = (page: Page): Promise<string> => page.locator('#message').innerText();
