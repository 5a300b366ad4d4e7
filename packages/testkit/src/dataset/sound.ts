import type { Audio, Utterance } from '@coppice/speech';
import { demand, partsOf, spread, type DatasetClaim, type DatasetSubject } from './claim.ts';

/** Claims about recordings. */
export const soundClaims: readonly DatasetClaim[] = [
  {
    title: 'gives mono sound that is finite, as loud as 1 at most, and as long as it says',
    async check(subject) {
      for (const { split, utterance } of await chosen(subject)) {
        const { samples, sampleRateHz } = await utterance.audio();
        const what = `'${utterance.id}' in '${split}'`;
        demand(samples instanceof Float32Array && samples.length > 0, `${what} has no samples`);
        demand(Number.isFinite(sampleRateHz) && sampleRateHz > 0, `${what} has ${sampleRateHz} samples a second`);
        const wrong = samples.find((value) => !(value >= -1 && value <= 1));
        demand(wrong === undefined, `${what} has a sample of ${wrong}`);
        const seconds = samples.length / sampleRateHz;
        demand(utterance.seconds === undefined || Math.abs(utterance.seconds - seconds) <= subject.secondsTolerance, `${what} says it has ${utterance.seconds} s and has ${seconds.toFixed(3)} s`);
      }
    },
  },
  {
    title: 'gives the same samples in two passes, and when it is opened anew',
    async check(subject) {
      const first = await chosen(subject);
      const marks = await marksOf(first);
      for (const [what, again] of [['in a second pass', first], ['opened anew', await chosen(subject)]] as const) {
        (await marksOf(again)).forEach((mark, k) => demand(mark === marks[k], `'${first[k].utterance.id}' in '${first[k].split}' sounds differently ${what}`));
      }
    },
  },
  {
    title: 'gives the same samples when it is taken up in the middle, backwards, and several at once',
    async check(subject) {
      const first = await chosen(subject);
      const marks = await marksOf(first);
      const differs = (k: number, how: string): string => `'${first[k].utterance.id}' in '${first[k].split}' sounds differently ${how}`;
      const middle = Math.floor(first.length / 2);
      const resumed = await marksOf((await chosen(subject)).slice(middle));
      resumed.forEach((mark, k) => demand(mark === marks[middle + k], differs(middle + k, 'when reading begins in the middle')));
      const backwards = await marksOf((await chosen(subject)).toReversed());
      backwards.toReversed().forEach((mark, k) => demand(mark === marks[k], differs(k, 'when it is read backwards')));
      const together = await Promise.all((await chosen(subject)).slice(0, 8).map(async ({ utterance }) => markOf(await utterance.audio())));
      together.forEach((mark, k) => demand(mark === marks[k], differs(k, 'when several are read at once')));
    },
  },
  {
    title: 'gives samples that the caller may change',
    async check(subject) {
      const [first] = await chosen({ ...subject, decoded: 1 });
      const { samples } = await first.utterance.audio();
      const before = samples.slice();
      samples.fill(0.5);
      const again = (await first.utterance.audio()).samples;
      demand(again.length === before.length && again.every((value, k) => value === before[k]), `what was written over the samples of '${first.utterance.id}' is still there when it is read again`);
    },
  },
  {
    title: 'holds a bounded amount of sound, however much is read',
    async check(subject) {
      const all = (await partsOf(await subject.open())).flatMap(({ utterances }) => utterances);
      const collect = await collector();
      // Buffers are let go a little after what held them.
      const held = async (): Promise<number> => {
        for (let k = 0; k < 3; k++) {
          collect();
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        return process.memoryUsage().arrayBuffers;
      };
      // What a decoder takes for itself is no sound.
      for (const utterance of all.slice(0, 2)) await utterance.audio();
      const before = await held();
      let read = 0;
      // A corpus that is shorter is read again and again: what grows with each reading shows too.
      while (read < 3 * subject.heldBytes) {
        for (const utterance of all) {
          read += (await utterance.audio()).samples.byteLength;
          if (read >= 3 * subject.heldBytes) break;
        }
      }
      const grown = (await held()) - before;
      demand(grown <= subject.heldBytes, `after ${megabytes(read)} MB of samples were read and let go, ${megabytes(grown)} MB are still held; ${megabytes(subject.heldBytes)} MB may be`);
      // So that what the utterances hold is not let go before it was counted.
      demand(all.length > 0, 'it has no utterances');
    },
  },
];

const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;

interface Chosen {
  readonly split: string;
  readonly utterance: Utterance;
}

/** Some utterances of each part, of a corpus that was opened for them. */
async function chosen({ open, decoded }: DatasetSubject): Promise<Chosen[]> {
  const parts = await partsOf(await open());
  return parts.flatMap(({ split, utterances }) => spread(utterances, Math.max(2, Math.ceil(decoded / parts.length))).map((utterance) => ({ split, utterance })));
}

async function marksOf(items: readonly Chosen[]): Promise<string[]> {
  const marks: string[] = [];
  for (const { utterance } of items) marks.push(markOf(await utterance.audio()));
  return marks;
}

/** Length, rate and a hash (FNV-1a over the bits of the samples): sound need not be kept to be compared. */
function markOf({ samples, sampleRateHz }: Audio): string {
  let hash = 0x811c9dc5;
  for (const bits of new Uint32Array(samples.buffer, samples.byteOffset, samples.length)) hash = Math.imul(hash ^ bits, 0x01000193);
  return `${samples.length} ${sampleRateHz} ${hash}`;
}

/** Collects garbage now. */
async function collector(): Promise<() => void> {
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([import('node:v8'), import('node:vm')]);
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
