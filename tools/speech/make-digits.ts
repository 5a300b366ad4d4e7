/**
 * Makes the synthetic speech of the demo: spoken digits in the layout of the Free Spoken Digit Dataset, 8 kHz, µ-law.
 * Usage: node tools/speech/make-digits.ts [FOLDER]   (default examples/digits; the recordings in it are replaced)
 * Needs espeak-ng, and flite for some of the voices (Debian: apt-get install espeak-ng flite).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createRandom } from '../../packages/core/src/index.ts';
import { decodeWav, resampleAudio, type Audio } from '../../packages/speech/src/index.ts';
import { encodeMuLaw } from './mu-law.ts';
import { voices, type Voice } from './voices.ts';

const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const takes = 3;
const sampleRateHz = 8000;
const firstIndex = { test: 0, dev: 5, train: 8 } as const;

/** Numbers about one recording. */
export interface Measured {
  readonly seconds: number;
  /** Of full scale. */
  readonly peak: number;
  /** Root of the mean square, dB of full scale. */
  readonly levelDb: number;
}

/** What a listener would notice first. */
export function measure({ samples, sampleRateHz }: Audio): Measured {
  const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
  return { seconds: samples.length / sampleRateHz, peak: samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0), levelDb: 10 * Math.log10(power) };
}

/** Why a recording is not fit to be used; undefined when it is. */
export function findFault({ seconds, peak, levelDb }: Measured): string | undefined {
  if (!(seconds >= 0.2 && seconds <= 0.9)) return `lasts ${seconds.toFixed(2)} s, not 0.2–0.9 s`;
  if (peak > 0.95) return `clips: its peak is ${peak.toFixed(2)}`;
  if (!(levelDb >= -30 && levelDb <= -12)) return `is at ${levelDb.toFixed(1)} dB, not −30 to −12 dB`;
  return undefined;
}

/** Without the silence at both ends: from the first to the last stretch of 5 ms within 40 dB of the loudest, and 10 ms around. */
export function trimSilence({ samples, sampleRateHz }: Audio): Audio {
  const width = Math.round(sampleRateHz / 200);
  const powers = Array.from({ length: Math.floor(samples.length / width) }, (_, k) => samples.subarray(k * width, (k + 1) * width).reduce((sum, value) => sum + value * value, 0));
  const floor = Math.max(...powers) * 1e-4;
  const first = powers.findIndex((power) => power > floor);
  const last = powers.findLastIndex((power) => power > floor);
  return { samples: samples.slice(Math.max(0, first - 2) * width, (last + 3) * width), sampleRateHz };
}

/** At a level about −20 dB, or softer where the peak would pass 0.9. */
export function setLevel(audio: Audio, levelDb: number): Audio {
  const { peak, levelDb: now } = measure(audio);
  const gain = Math.min(10 ** ((levelDb - now) / 20), 0.9 / peak);
  return { ...audio, samples: audio.samples.map((value) => gain * value) };
}

/** The arguments that make a program say a word; takes go from slow to fast, and neither is quite like another. */
function argumentsFor({ program, speaker, voice, pitch, wordsPerMinute }: Voice, word: string, take: number, file: string): string[] {
  const random = createRandom(`digits/${speaker}/${word}/${take}`);
  const rate = wordsPerMinute * (0.99 + 0.13 * take) * (0.96 + 0.08 * random.uniform());
  const bend = 2 * random.uniform() - 1;
  // Half the amplitude: at the default some voices of espeak-ng clip.
  if (program === 'espeak-ng') return ['-v', voice, '-a', '50', '-p', String(Math.round(pitch + 12 * bend)), '-s', String(Math.round(rate)), '-z', '-w', file, word];
  return ['-voice', voice, '--setf', `duration_stretch=${(150 / rate).toFixed(3)}`, '--setf', `int_f0_target_mean=${(pitch * (1 + 0.1 * bend)).toFixed(1)}`, '-t', word, '-o', file];
}

/** What the program says of itself; undefined when it is not installed. flite ends with 1 although nothing is wrong. */
function versionOf(program: Voice['program']): string | undefined {
  const { stdout, error } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (error) return undefined;
  const version = /(?:text-to-speech: |flite-)(\d\S*)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`\`${program} --version\` does not tell a version: ${stdout.slice(0, 200)}`);
  return `${program} ${version}`;
}

/** Makes one recording as it is written. */
async function speak(voice: Voice, word: string, take: number, scratch: string): Promise<Uint8Array> {
  const file = join(scratch, 'word.wav');
  execFileSync(voice.program, argumentsFor(voice, word, take, file), { stdio: 'ignore' });
  const levelDb = -20 + 3 * (2 * createRandom(`level/${voice.speaker}/${word}/${take}`).uniform() - 1);
  const spoken = trimSilence(decodeWav(readFileSync(file), file));
  return encodeMuLaw(setLevel(await resampleAudio(spoken, sampleRateHz), levelDb).samples, sampleRateHz);
}

/** espeak-ng takes a variant that it does not know for none at all. */
function refuseUnknownVariant({ program, speaker, voice }: Voice, scratch: string): void {
  if (program !== 'espeak-ng') return;
  const say = (name: string): Buffer => {
    const file = join(scratch, 'variant.wav');
    execFileSync(program, ['-v', name, '-w', file, 'seven'], { stdio: 'ignore' });
    return readFileSync(file);
  };
  if (say(voice).equals(say(voice.split('+')[0]))) throw new Error(`espeak-ng does not know the variant of '${voice}' (${speaker}); list them with \`espeak-ng --voices=variant\`.`);
}

/** Makes all recordings and the note beside them; returns one line about them. */
export async function makeDigits(folder: string): Promise<string> {
  const versions = { 'espeak-ng': versionOf('espeak-ng'), flite: versionOf('flite') };
  if (versions['espeak-ng'] === undefined) throw new Error('espeak-ng is not installed. On Debian: apt-get install espeak-ng flite');
  const present = voices.filter(({ program }) => versions[program] !== undefined);
  const scratch = mkdtempSync(join(tmpdir(), 'coppice-digits-'));
  try {
    const made: { readonly file: string; readonly bytes: Uint8Array }[] = [];
    for (const voice of present) {
      refuseUnknownVariant(voice, scratch);
      for (const [digit, word] of words.entries()) {
        for (let take = 0; take < takes; take++) made.push({ file: `${digit}_${voice.speaker}_${firstIndex[voice.part] + take}.wav`, bytes: await speak(voice, word, take, scratch) });
      }
    }
    const measured = made.map(({ file, bytes }) => ({ file, ...measure(decodeWav(bytes, file)) }));
    const faults = measured.flatMap((numbers) => findFault(numbers)?.replace(/^/, `${numbers.file} `) ?? []);
    if (faults.length > 0) throw new Error(`Nothing is written, because of ${made.length} recordings ${faults.length} are not fit to be used:\n  ${faults.join('\n  ')}`);
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) if (name.endsWith('.wav')) rmSync(join(folder, name));
    for (const { file, bytes } of made) writeFileSync(join(folder, file), bytes);
    writeFileSync(join(folder, 'README.md'), describe(folder, present, versions));
    const seconds = measured.map((numbers) => numbers.seconds);
    const levels = measured.map(({ levelDb }) => levelDb);
    const span = (numbers: readonly number[], digits: number): string => `${Math.min(...numbers).toFixed(digits)} to ${Math.max(...numbers).toFixed(digits)}`;
    return `${made.length} recordings of ${present.length} speakers, ${(made.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1e6).toFixed(2)} MB; ${span(seconds, 2)} s, ` +
      `mean ${(seconds.reduce((a, b) => a + b) / seconds.length).toFixed(2)} s; level ${span(levels, 1)} dB; highest peak ${Math.max(...measured.map(({ peak }) => peak)).toFixed(2)}`;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function describe(folder: string, present: readonly Voice[], versions: Readonly<Record<Voice['program'], string | undefined>>): string {
  const rows = present.map(({ speaker, part, program, voice }) => `| ${speaker} | ${part} | ${program} | ${voice} |`).join('\n');
  const used = Object.values(versions).filter((version) => version !== undefined).join(' and ');
  return `# Synthetic spoken digits

**Nobody spoke this.** Every file here was made by a speech synthesiser, for a demo that needs no download. It sounds like a machine and is much easier than
real speech: an error rate on it says that the method works, not how well a recogniser does on people. For that, use real recordings, such as the
[Free Spoken Digit Dataset](https://github.com/Jakobovski/free-spoken-digit-dataset), which has the same layout, with the same commands.

\`{digit}_{speaker}_{index}.wav\`, 8 kHz, one channel, µ-law, trimmed of silence. An index of 0–4 is \`test\`, 5–7 \`dev\`, 8 and more \`train\`; each voice
is in one part only, so a recogniser is tested on voices that it was not trained on.

Made with ${used}, by

\`\`\`sh
node tools/speech/make-digits.ts ${relative(join(import.meta.dirname, '../..'), folder) || '.'}
\`\`\`

which gives the same bytes again with the same versions of these programs.

| speaker | part | program | voice |
|---|---|---|---|
${rows}

## Licence

The files are under the licence of this repository, Apache-2.0. espeak-ng is GPL-3.0 software: its licence covers the program and its data, neither of which
is in this repository, and not the sound that comes out when it is run. flite and its voices (kal, slt, awb, rms of Carnegie Mellon University) may be used
without restriction under a licence like BSD's. No MBROLA voice was used, because many of those are not free.
`;
}

if (process.argv[1] === import.meta.filename) {
  try {
    console.log(await makeDigits(process.argv[2] ?? join(import.meta.dirname, '../../examples/digits')));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
