/**
 * Writes a corpus in LibriSpeech's layout with phones (speechocean762) as a tree of TIMIT's shape: SPHERE recordings, labels with times, sentences.
 * Usage: node tools/speech/as-timit.ts FROM TO [speakers of `train` that become TIMIT's development speakers, default 3]
 * The corpus has no times, so labels share the recording evenly: enough for CTC, useless for segmentation.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openLibriSpeech } from '../../packages/dataset-librispeech/src/index.ts';
import { coreTestSpeakers, devSpeakers } from '../../packages/dataset-timit/src/index.ts';
import { cmuPhones, toPhone39, type Utterance } from '../../packages/speech/src/index.ts';
import { writeSphere } from '../../packages/speech/src/testing/sphere-writer.ts';

/** TIMIT's label of a phone of the CMU dictionary, with or without stress and place in the word; undefined for what is no phone. */
export function timitLabel(phone: string): string | undefined {
  const bare = toPhone39(phone);
  return cmuPhones.includes(bare) ? bare.toLowerCase() : undefined;
}

/** Names that no speaker of TIMIT's test part has: MAAA0, MAAB0, … */
export const trainSpeakers = (count: number): string[] => {
  const taken = new Set([...coreTestSpeakers, ...devSpeakers]);
  const letter = (k: number): string => String.fromCharCode(65 + (k % 26));
  return Array.from({ length: count + taken.size }, (_, k) => `M${letter(Math.floor(k / 676))}${letter(Math.floor(k / 26))}${letter(k)}0`).filter((name) => !taken.has(name)).slice(0, count);
};

async function writeSpeaker(folder: string, utterances: readonly Utterance[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [k, utterance] of utterances.entries()) {
    const { samples, sampleRateHz } = await utterance.audio();
    const labels = ['h#', ...(utterance.phones ?? []).map(timitLabel).filter((label) => label !== undefined), 'h#'];
    const from = (at: number): number => Math.floor((at * samples.length) / labels.length);
    const stem = join(folder, `SX${k + 1}`);
    writeFileSync(`${stem}.WAV`, writeSphere([...samples].map((sample) => Math.round(sample * 32_768)), { sampleRateHz }));
    writeFileSync(`${stem}.PHN`, labels.map((label, at) => `${from(at)} ${from(at + 1)} ${label}\n`).join(''));
    writeFileSync(`${stem}.TXT`, `0 ${samples.length} ${utterance.transcript.slice(0, 1)}${utterance.transcript.slice(1).toLowerCase()}.\n`);
  }
}

/** `train` becomes TRAIN, its last speakers the development speakers of TEST, and `dev` the core test set of TEST. */
export async function writeTimit(from: string, to: string, devCount = 3): Promise<void> {
  if (existsSync(to)) throw new Error(`'${to}' is there already. Name a folder that is not`);
  const corpus = await openLibriSpeech(from, { holdOut: devCount });
  const parts = [['train', 'TRAIN', trainSpeakers(500)], ['heldOut', 'TEST', [...devSpeakers]], ['dev', 'TEST', [...coreTestSpeakers]]] as const;
  for (const [split, part, names] of parts) {
    const speakers = Map.groupBy(await corpus.utterances(split), ({ speaker }) => speaker);
    if (speakers.size > names.length) throw new Error(`'${split}' has ${speakers.size} speakers, and there are names for ${names.length}`);
    for (const [k, own] of [...speakers.values()].entries()) await writeSpeaker(join(to, part, `DR${(k % 8) + 1}`, names[k]), own);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [from, to, devCount] = process.argv.slice(2);
  if (!from || !to) throw new Error('Say from where and to where: node tools/speech/as-timit.ts speechocean762 timit-shaped');
  await writeTimit(from, to, devCount === undefined ? undefined : Number(devCount));
}
