import { demoPage } from '@coppice/edge-bundler';
import { exportBundle, findChromium, serveFolder, syntheticClips, targetNamed, verifyBundle, type ServedFolder } from '@coppice/exporter-edge';
import { wasmBackend } from '@coppice/backend-onnx';
import { readModel } from '@coppice/graph/node';
import { parseDescription } from '@coppice/speech';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, messageOf, newPage, untilReady } from './open-page.ts';
import { sayAloud } from './said-aloud.ts';
import { tryBundle } from './try-bundle.ts';

const chromium = findChromium();
const root = join(import.meta.dirname, '../..');
const file = (path: string): string => join(root, path);

describe.skipIf(chromium === undefined)(`a bundle in ${chromium ?? 'Chromium, which is not installed here (Debian: apt install chromium), so that this is skipped'}`, () => {
  let base: string;
  let bundle: string;
  beforeAll(async () => {
    base = mkdtempSync(join(tmpdir(), 'coppice-in-browser-'));
    bundle = join(base, 'web');
    const model = readModel(file('examples/demo/digits.onnx'));
    const speech = parseDescription(JSON.parse(readFileSync(file('examples/demo/digits.speech.json'), 'utf8')), 'digits.speech.json');
    await exportBundle(targetNamed('web'), { name: 'Digits <b>&</b>', model, original: model, speech, backend: wasmBackend(), clips: syntheticClips(8000, 1), options: { page: demoPage } }, bundle);
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  // Chromium plays the file in real time, and on a busy machine it may drop some of it.
  it.each([true, false])('hears what is said into the microphone, on both models, and again without a network (cross-origin isolated: %s)', { retry: 2 }, async (isolated) => {
    const said = sayAloud(file('examples/digits'), [['7_klattus_8.wav', '3_klattus_10.wav'], ['9_m4car_8.wav', '0_m4car_8.wav']]);
    const trial = await tryBundle(bundle, { chromium: chromium!, isolated, said });
    expect(trial.heard).toEqual({ slim: ['seven three', 'nine zero'], original: ['seven three', 'nine zero'] });
    expect(trial.offline).toEqual(said.words);
    expect(trial.threads).toMatch(isolated ? /\d threads|one thread;/ : /one thread \(the page is not cross-origin isolated/);
    expect(trial.complaints).toEqual([]);
    expect(Number(trial.realTimeFactor.slim.split('\n')[0])).toBeLessThan(1);
    const { files } = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8')) as { files: { path: string; bytes: number }[] };
    const needed = files.filter(({ path }) => path === 'model.onnx' || path.startsWith('runtime/')).reduce((sum, { bytes }) => sum + bytes, 0);
    expect(trial.firstLoadBytes - needed).toBeLessThan(200_000);
  });

  it('recognises the golden clips, features equal bit for bit, and names what is wrong', async () => {
    const { findings, largest, ranOn } = await verifyBundle(bundle, { chromium });
    expect({ findings, features: largest?.features }).toEqual({ findings: [], features: 0 });
    expect(ranOn).toMatch(/onnxruntime-web 1\.30.* in .*Chrome/);
    const wrong = join(base, 'wrong');
    cpSync(bundle, wrong, { recursive: true });
    const manifest = readFileSync(join(wrong, 'manifest.json'), 'utf8');
    writeFileSync(join(wrong, 'manifest.json'), manifest.replace('"melScale": "htk"', '"melScale": "slaney"').replace('"eight",\n      "five"', '"five",\n      "eight"'));
    const messages = (await verifyBundle(wrong, { chromium })).findings.map(({ message }) => message).join('\n');
    expect(messages).toMatch(/setting 'melScale' of the features is wrong: it is "slaney", and with "htk"/);
    expect(messages).toMatch(/alphabet reads '.*five eight/);
  });

  it('says what to install where there is no browser', async () => {
    const { findings } = await verifyBundle(bundle, { chromium: '/no/such/chromium' });
    expect(findings).toMatchObject([{ about: 'runtime', message: expect.stringMatching(/no Chromium at \/no\/such\/chromium\. Install it .*verify\.html/) }]);
  });

  describe('the page', () => {
    let browser: Browser;
    let served: ServedFolder;
    beforeAll(async () => {
      browser = await launchBrowser({ executablePath: chromium! });
      served = await serveFolder(bundle);
    });
    afterAll(async () => {
      await browser?.close();
      await served?.close();
    });
    const open = async (prepare: (page: Page) => Promise<unknown> = () => Promise.resolve()): Promise<Page> => {
      const { page } = await newPage(browser, { width: 390, height: 844 });
      await prepare(page);
      await page.goto(served.url);
      await untilReady(page);
      return page;
    };

    it('shows names of others as text', async () => {
      const page = await open();
      expect(await page.locator('h1').innerText()).toBe('Digits <b>&</b>');
      await page.close();
    });

    it('tells a person without a microphone what to do, and one who refused it', async () => {
      const page = await open();
      await page.click('#listen');
      await page.waitForSelector('#message.fault');
      expect(await messageOf(page)).toMatch(/^(No microphone was found\. Connect one|The microphone was refused\. Allow it)/);
      await page.evaluate("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError')); undefined");
      await page.click('#listen');
      await page.locator('#message', { hasText: 'The microphone was refused. Allow it for this page' }).waitFor();
      await page.close();
    });

    it.each<[string, RegExp, (page: Page) => Promise<unknown>]>([
      ['no SIMD', /WebAssembly without SIMD.*Chrome from 91/, (page) => page.addInitScript('WebAssembly.validate = () => false')],
      ['a model that arrives cut off', /model\.onnx is cut off: it has 1000 of \d+ bytes, as after a download that broke off/, (page) => page.route('**/model.onnx', (route) => route.fulfill({ body: readFileSync(join(bundle, 'model.onnx')).subarray(0, 1000) }))],
      ['a model that was changed', /model\.onnx was changed after the export/, (page) => page.route('**/model.onnx', (route) => route.fulfill({ body: Buffer.alloc(readFileSync(join(bundle, 'model.onnx')).length) }))],
      ['a runtime that is missing', /wasm\.packed could not be downloaded: the server answered 404/, (page) => page.route('**/*.packed', (route) => route.fulfill({ status: 404 }))],
      ['a manifest that is missing', /manifest\.json could not be downloaded/, (page) => page.route('**/manifest.json', (route) => route.abort())],
    ])('tells of %s', async (_, words, prepare) => {
      const page = await open(prepare);
      expect(await page.locator('body').getAttribute('data-state')).toBe('failed');
      expect(await messageOf(page)).toMatch(words);
      await page.close();
    });

    it('fits a phone, and every control has a name', async () => {
      const page = await open();
      expect(await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')).toBe(true);
      const nameless = await page.evaluate("[...document.querySelectorAll('button, input, a, canvas, progress')].filter((control) => !(control.textContent || control.getAttribute('aria-label') || control.closest('label')?.textContent)).map((control) => control.outerHTML)");
      expect(nameless).toEqual([]);
      await page.close();
    });
  });
});
