import { createRandom, type Random } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import type { Audio, Utterance } from '@coppice/speech';
import { makeNoise, type NoiseColour } from './noise.ts';
import type { Recording } from './recordings.ts';

/** How recordings become strings of digits. Ranges are drawn from evenly, both ends included. */
export interface JoinOptions {
  /** Another seed is another draw. Default 0. */
  readonly seed?: number;
  /** So is another epoch: training redraws with each. Default 0. */
  readonly epoch?: number;
  /** The ids begin with it. Draws of other names are independent. Default `strings`. */
  readonly name?: string;
  /** So many strings. Default: as many as it takes to use every recording `uses` times. */
  readonly count?: number;
  /** Without `count`: how often each recording is used; a few more where the lengths leave no other way, and all equally often. Default 1. */
  readonly uses?: number;
  /** Digits in a string. Default 1. */
  readonly minDigits?: number;
  /** Default 7. */
  readonly maxDigits?: number;
  /** Pause before, between and after the digits. Default 20. */
  readonly minGapMs?: number;
  /** Default 300. */
  readonly maxGapMs?: number;
  /** Each digit is made louder or softer by up to this. Default 3. */
  readonly digitGainDb?: number;
  /** So is the whole string. Default 6. */
  readonly gainDb?: number;
  /** `mixed` is white or pink for each string. Default `mixed`. */
  readonly noise?: NoiseColour | 'mixed' | 'none';
  /** Mean power of the digits, pauses left out, over that of the noise. Default 15. */
  readonly minSnrDb?: number;
  /** Default 40. */
  readonly maxSnrDb?: number;
}

/** Recordings of one speaker, one after the other; how they were joined is told, so that a result can be looked at by it. */
export interface DigitString extends Utterance {
  readonly speaker: string;
  readonly seconds: number;
  /** Ids of the recordings in the order in which they are heard. */
  readonly parts: readonly string[];
  /** Pauses before, between and after them: one more than there are parts. */
  readonly gapsMs: readonly number[];
  /** One for each part. */
  readonly digitGainsDb: readonly number[];
  /** Of the whole; where the sum would not fit into [−1, 1] it becomes softer than this says. */
  readonly gainDb: number;
  /** Absent without noise. */
  readonly noise?: { readonly colour: NoiseColour; readonly snrDb: number };
}

type Settings = Required<Omit<JoinOptions, 'count'>> & Pick<JoinOptions, 'count'>;

const defaults: Settings = {
  seed: 0, epoch: 0, name: 'strings', uses: 1, minDigits: 1, maxDigits: 7, minGapMs: 20, maxGapMs: 300, digitGainDb: 3, gainDb: 6,
  noise: 'mixed', minSnrDb: 15, maxSnrDb: 40,
};

/**
 * Joins recordings into strings of digits such as `three one four`, each by one speaker, with pauses, random loudness and noise.
 * The same recordings and options give the same strings to the last bit, and the strings of one draw keep their ids. Samples are put
 * together when `audio()` is called.
 *
 * Without `count` every recording is used equally often; with it, as nearly so as the count allows, and a speaker speaks as often as
 * the share of recordings says.
 * @throws CoppiceError `COPPICE_ARGUMENT_INVALID` for options that cannot be kept, `COPPICE_DATASET_INVALID` for no recordings at all or
 * for recordings of several sample rates
 */
export function joinDigits(recordings: readonly Recording[], options: JoinOptions = {}): DigitString[] {
  const settings = checkOptions(options);
  const rates = [...new Set(recordings.map(({ sampleRateHz }) => sampleRateHz))];
  if (rates.length === 0) throw new CoppiceError('COPPICE_DATASET_INVALID', 'There are no recordings to join into strings. Name a part of the corpus that has some.');
  if (rates.length > 1) throw new CoppiceError('COPPICE_DATASET_INVALID', `Recordings of ${rates.join(' and ')} Hz cannot be joined. Resample them to one rate first.`);
  const bySpeaker = Map.groupBy(recordings, ({ speaker }) => speaker);
  const drawn = settings.count === undefined ? dealEvenly(bySpeaker, settings) : dealCount(bySpeaker, recordings, settings, settings.count);
  const ordinals = new Map<string, number>();
  return drawn.map((parts) => {
    const { speaker } = parts[0];
    const ordinal = ordinals.get(speaker) ?? 0;
    ordinals.set(speaker, ordinal + 1);
    return drawString(`${settings.name}-${speaker}-${settings.seed}-${settings.epoch}-${String(ordinal).padStart(5, '0')}`, parts, settings);
  });
}

function checkOptions(options: JoinOptions): Settings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings: Settings = { ...defaults, ...given };
  const refuse = (what: string): never => {
    throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `Digit strings cannot be made so: ${what}.`);
  };
  const { count, uses, minDigits, maxDigits, minGapMs, maxGapMs, minSnrDb, maxSnrDb } = settings;
  for (const [name, value, least] of [['count', count ?? 1, 1], ['uses', uses, 1], ['minDigits', minDigits, 1], ['maxDigits', maxDigits, 1]] as const) {
    if (!Number.isSafeInteger(value) || value < least) refuse(`${name} is ${value} and must be a whole number from ${least} on`);
  }
  for (const name of ['minGapMs', 'digitGainDb', 'gainDb'] as const) {
    if (!(settings[name] >= 0 && Number.isFinite(settings[name]))) refuse(`${name} is ${settings[name]} and must not be negative`);
  }
  if (minDigits > maxDigits) refuse(`minDigits is ${minDigits}, more than maxDigits, which is ${maxDigits}`);
  if (!(minGapMs <= maxGapMs && maxGapMs < 60_000)) refuse(`pauses go from minGapMs ${minGapMs} to maxGapMs ${maxGapMs}, and must go upwards and stay below a minute`);
  if (!(minSnrDb <= maxSnrDb && minSnrDb >= -100 && maxSnrDb <= 200)) refuse(`the signal-to-noise ratio goes from minSnrDb ${minSnrDb} to maxSnrDb ${maxSnrDb}, and must go upwards between −100 and 200`);
  if (!['white', 'pink', 'mixed', 'none'].includes(settings.noise)) refuse(`noise is '${settings.noise}' and must be white, pink, mixed or none`);
  return settings;
}

/** Every recording equally often, the strings of all speakers mixed. */
function dealEvenly(bySpeaker: ReadonlyMap<string, readonly Recording[]>, { minDigits, maxDigits, uses, seed, epoch, name }: Settings): Recording[][] {
  const sizes = [...bySpeaker.values()].map(({ length }) => length);
  let times = uses;
  // Ends at a multiple of maxDigits at the latest, where strings of that length use up everything.
  while (!sizes.every((size) => canDeal(size * times, minDigits, maxDigits))) times++;
  const strings = [...bySpeaker].flatMap(([speaker, own]) => {
    const random = createRandom(`${name}/${seed}/${epoch}/${speaker}/deal`);
    const deck = Array.from({ length: times }, () => random.shuffle(own)).flat();
    const dealt: Recording[][] = [];
    for (let start = 0; start < deck.length; start += dealt.at(-1)!.length) {
      const left = deck.length - start;
      const lengths = Array.from({ length: maxDigits - minDigits + 1 }, (_, k) => minDigits + k).filter((length) => length <= left && canDeal(left - length, minDigits, maxDigits));
      dealt.push(deck.slice(start, start + lengths[random.integer(lengths.length)]));
    }
    return dealt;
  });
  return createRandom(`${name}/${seed}/${epoch}/order`).shuffle(strings);
}

/** Whether some numbers from `least` to `most` sum to the total. */
const canDeal = (total: number, least: number, most: number): boolean => Math.ceil(total / most) * least <= total;

/** So many strings; each speaker's recordings are shuffled anew whenever all have been used. */
function dealCount(bySpeaker: ReadonlyMap<string, readonly Recording[]>, recordings: readonly Recording[], { minDigits, maxDigits, seed, epoch, name }: Settings, count: number): Recording[][] {
  const random = createRandom(`${name}/${seed}/${epoch}/deal`);
  const decks = new Map([...bySpeaker].map(([speaker, own]) => [speaker, endless(own, random)]));
  return Array.from({ length: count }, () => {
    const next = decks.get(recordings[random.integer(recordings.length)].speaker)!;
    return Array.from({ length: minDigits + random.integer(maxDigits - minDigits + 1) }, next);
  });
}

function endless<T>(items: readonly T[], random: Random): () => T {
  let deck: T[] = [];
  return () => {
    if (deck.length === 0) deck = random.shuffle(items);
    return deck.pop()!;
  };
}

/** Draws all that a string is made with, but no sample. */
function drawString(id: string, parts: readonly Recording[], settings: Settings): DigitString {
  const random = createRandom(`${id}/string`);
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  const { sampleRateHz, speaker } = parts[0];
  const samplesOf = (ms: number): number => Math.round((ms * sampleRateHz) / 1000);
  const gapsMs = Array.from({ length: parts.length + 1 }, () => between(settings.minGapMs, settings.maxGapMs));
  const digitGainsDb = parts.map(() => between(-settings.digitGainDb, settings.digitGainDb));
  const gainDb = between(-settings.gainDb, settings.gainDb);
  const colour = settings.noise === 'mixed' ? (random.uniform() < 0.5 ? 'white' : 'pink') : settings.noise;
  const noise = colour === 'none' ? undefined : { colour, snrDb: between(settings.minSnrDb, settings.maxSnrDb) };
  const gaps = gapsMs.map(samplesOf);
  const spoken = parts.reduce((sum, { seconds }) => sum + seconds, 0);
  return {
    id,
    transcript: parts.map(({ transcript }) => transcript).join(' '),
    speaker,
    seconds: spoken + gaps.reduce((sum, gap) => sum + gap, 0) / sampleRateHz,
    parts: parts.map((part) => part.id),
    gapsMs, digitGainsDb, gainDb,
    ...(noise && { noise }),
    async audio() {
      const sounds = await Promise.all(parts.map((part) => part.audio()));
      return { samples: mix(id, sounds, gaps, { digitGainsDb, gainDb, noise }), sampleRateHz };
    },
  };
}

const gainOf = (db: number): number => 10 ** (db / 20);

/** gap digit gap … digit gap, plus noise at the ratio asked for. Sums in double precision. Returns [time]. */
function mix(id: string, sounds: readonly Audio[], gaps: readonly number[], { digitGainsDb, gainDb, noise }: Pick<DigitString, 'digitGainsDb' | 'gainDb' | 'noise'>): Float32Array {
  const spoken = sounds.reduce((sum, { samples }) => sum + samples.length, 0);
  const sum = new Float64Array(spoken + gaps.reduce((total, gap) => total + gap, 0));
  let start = gaps[0];
  let energy = 0;
  for (const [k, { samples }] of sounds.entries()) {
    const gain = gainOf(digitGainsDb[k]);
    for (let t = 0; t < samples.length; t++) {
      const value = gain * samples[t];
      sum[start + t] = value;
      energy += value * value;
    }
    start += samples.length + gaps[k + 1];
  }
  if (noise) {
    const added = makeNoise(noise.colour, sum.length, createRandom(`${id}/noise`));
    let power = 0;
    for (let t = 0; t < added.length; t++) power += (added[t] * added[t]) / added.length;
    const scale = Math.sqrt(energy / spoken / power) / gainOf(noise.snrDb);
    for (let t = 0; t < sum.length; t++) sum[t] += scale * added[t];
  }
  let peak = 0;
  for (let t = 0; t < sum.length; t++) peak = Math.max(peak, Math.abs(sum[t]));
  const gain = Math.min(gainOf(gainDb), peak > 0 ? 0.999 / peak : 1);
  const mixed = new Float32Array(sum.length);
  for (let t = 0; t < sum.length; t++) mixed[t] = gain * sum[t];
  return mixed;
}
