import { escapeHtml, htmlPage } from '../../html.ts';
import type { Page } from '../../target.ts';

/** Says what the folder is, where nobody asked for a demonstration. */
export const plainPage: Page = {
  async *files({ manifest: { name, runtime, model } }) {
    const example = "import { createRecognizer, listen } from './recognizer.js';\n\nconst recognizer = await createRecognizer();\nawait listen([recognizer], { onHeard: ({ results }) => console.log(results[0].text) });";
    yield {
      path: 'index.html',
      bytes: htmlPage({
        title: name, styles: ['verify.css'], scripts: [],
        body: `<main>\n<h1>${escapeHtml(name)}</h1>\n<p>A speech recogniser of ${(model.bytes / 1e6).toFixed(2)} MB. ${escapeHtml(runtime.note)}</p>\n<pre><code>${escapeHtml(example)}</code></pre>\n<p><a href="verify.html">Verify it in this browser</a></p>\n</main>`,
      }),
    };
  },
};
