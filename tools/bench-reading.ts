/**
 * How fast a corpus is read: decoding and 40 log-mel features, in one thread and beside it, in turns in one process.
 * Usage: node tools/bench-reading.ts FORMAT:PATH [--split dev] [--rounds 5] [--at-most 400]
 * Prints seconds of speech for each second: of the clock, and of a processor (user and system time of all threads).
 */
import { parseArgs } from 'node:util';
import { createContainer, openCorpus } from '@coppice/cli';
import { defaultFeatures, prepareUtterances, tokenizerOf, type Prepared } from '@coppice/speech';
import { sharedAudioPool } from '@coppice/speech/node';

const { positionals: [corpus], values } = parseArgs({ allowPositionals: true, options: { split: { type: 'string', default: 'dev' }, rounds: { type: 'string', default: '5' }, 'at-most': { type: 'string', default: '400' } } });
if (!corpus) throw new Error('Say which corpus: node tools/bench-reading.ts librispeech:/data/LibriSpeech --split dev-clean');

const dataset = await openCorpus(createContainer(), { dataset: corpus }, process.cwd());
const utterances = (await dataset.utterances(values.split)).slice(0, Number(values['at-most']));
const features = defaultFeatures({ sampleRateHz: (await utterances[0].audio()).sampleRateHz });
const description = { features, frameStride: 1, ...tokenizerOf('words', []).description };
const pool = sharedAudioPool();
const ways = {
  'one thread': {},
  [`beside, ${pool.threads} threads`]: { features: pool.features, ahead: 2 * pool.threads + 2 },
};

interface Speed {
  readonly clock: number;
  readonly processor: number;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const secondsOf = ({ examples }: Prepared): number => (examples.reduce((sum, { frames }) => sum + frames, 0) * features.hopMs) / 1000;

async function timed(options: (typeof ways)[string]): Promise<{ prepared: Prepared } & Speed> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const prepared = await prepareUtterances(utterances, { description, purpose: 'evaluation', ...options });
  const [clock, used] = [(performance.now() - start) / 1000, process.cpuUsage(before)];
  return { prepared, clock: secondsOf(prepared) / clock, processor: secondsOf(prepared) / ((used.user + used.system) / 1e6) };
}

const speeds = new Map<string, Speed[]>(Object.keys(ways).map((name) => [name, []]));
let first: Prepared | undefined;
// The first round warms up.
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const [name, options] of Object.entries(ways)) {
    const { prepared, ...speed } = await timed(options);
    first ??= prepared;
    if (prepared.examples.some(({ features: own }, k) => Buffer.compare(bytesOf(own), bytesOf(first!.examples[k].features)) !== 0)) throw new Error(`'${name}' gives other features`);
    if (round > 0) speeds.get(name)!.push(speed);
  }
}

function bytesOf(numbers: Float32Array): Buffer {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

console.log(`${utterances.length} utterances, ${(secondsOf(first!) / 60).toFixed(1)} min, ${first!.skipped.length} skipped; seconds of speech a second, median of ${values.rounds} rounds`);
for (const [name, list] of speeds) console.log(`${name}: ${median(list.map(({ clock }) => clock)).toFixed(0)} × of the clock, ${median(list.map(({ processor }) => processor)).toFixed(0)} × of a processor`);
console.log(`most memory: ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
