/**
 * Tries bundles for the web in a real browser: a file is the microphone, the transcript on the screen is compared with what is said, with
 * and without cross-origin isolation, and again without a network.
 * Usage: node tools/bundle-in-browser/run.ts BUNDLE… [--speech examples/digits] [--say 7_klattus_8,3_klattus_10/4_m7lanc_8] [--chromium /usr/bin/chromium] [--picture shots/%.png] [--json]
 * Ends with 1 when something on the screen is not what is said.
 */
import { findChromium } from '@coppice/exporter-edge';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { sayAloud } from './said-aloud.ts';
import { tryBundle } from './try-bundle.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: {
  speech: { type: 'string', default: 'examples/digits' }, say: { type: 'string', default: '7_klattus_8,3_klattus_10/5_m7lanc_10,3_m7lanc_9/4_m7lanc_8,7_m7lanc_8/9_m4car_8,0_m4car_8' }, chromium: { type: 'string' }, picture: { type: 'string' }, json: { type: 'boolean', default: false },
} });
const chromium = findChromium(values.chromium);
if (chromium === undefined) {
  console.error('There is no Chromium in the usual places. Install it (Debian: apt install chromium), or name it with --chromium.');
  process.exit(2);
}
const said = sayAloud(values.speech, values.say.split('/').map((list) => list.split(',').map((name) => `${name}.wav`)));
for (const bundle of positionals) {
  for (const isolated of [true, false]) {
    const trial = await tryBundle(bundle, { chromium, isolated, said, picture: values.picture?.replace('%', `${basename(bundle)}-${isolated ? 'isolated' : 'plain'}-%`) });
    const right = [trial.heard.slim, ...(trial.heard.original ? [trial.heard.original] : [])].every((lines) => lines.join('|') === said.words.join('|'));
    if (!right || trial.complaints.length > 0) process.exitCode = 1;
    if (values.json) console.log(JSON.stringify({ bundle, isolated, ...trial }));
    else {
      console.log(`${bundle}, ${isolated ? 'cross-origin isolated' : 'not isolated'}, Chromium ${trial.browser}: ${trial.threads}`);
      console.log(`  first load   ${(trial.firstLoadBytes / 1e6).toFixed(2)} MB`);
      console.log(`  said         ${said.words.join(' | ')}`);
      for (const [model, lines] of Object.entries(trial.heard)) console.log(`  ${model.padEnd(12)} ${lines.join(' | ')}   factor ${trial.realTimeFactor[model as 'slim'].replaceAll('\n', ', ')}; loaded in ${trial.loaded[model as 'slim'].replaceAll('\n', ', ')}`);
      console.log(`  offline      ${trial.offline.join(' | ')}`);
      for (const complaint of trial.complaints) console.log(`  console: ${complaint}`);
    }
  }
}
