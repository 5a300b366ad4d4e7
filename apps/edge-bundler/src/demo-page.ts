import { bundleCode, escapeHtml, htmlPage, type Page } from '@coppice/exporter-edge';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const source = (name: string): string => fileURLToPath(new URL(`../browser/${name}`, import.meta.url));

/** The demonstration: microphone and files, waveform, transcript while one speaks, the original beside the slim model. */
export const demoPage: Page = {
  async *files({ manifest: { name, original, speech } }) {
    yield {
      path: 'index.html',
      bytes: htmlPage({
        title: `${name}: speech recognition in the browser`, description: `Recognises speech (${speech.tokenizer}) in the browser; nothing leaves the device.`,
        styles: ['page.css'], scripts: ['page.js'], body: readFileSync(source('page.html'), 'utf8').trim().replace('{{name}}', escapeHtml(name)).replace('{{compare}}', original === undefined ? ' hidden' : ''),
      }),
    };
    yield { path: 'page.css', bytes: readFileSync(source('page.css'), 'utf8') };
    // What it has of others is in the worker too, and named there.
    yield* (await bundleCode({ entries: { page: source('page.ts') }, platform: 'browser', chunks: 'page-' })).files;
  },
};
