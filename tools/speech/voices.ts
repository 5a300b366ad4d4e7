/** A synthetic speaker. */
export interface Voice {
  /** Letters and digits only: it is a part of file names. */
  readonly speaker: string;
  /** Where all takes go by the convention of the corpus: an index of 0–4 is `test`, 5–7 `dev`, 8 and more `train`. */
  readonly part: 'train' | 'dev' | 'test';
  readonly program: 'espeak-ng' | 'flite';
  /** As the program names it; for espeak-ng accent+variant. */
  readonly voice: string;
  /** espeak-ng: 0–99, where 50 is the voice's own; flite: mean in Hz. */
  readonly pitch: number;
  readonly wordsPerMinute: number;
}

const espeak = (part: Voice['part'], speaker: string, voice: string, pitch: number, wordsPerMinute: number): Voice => ({ speaker, part, program: 'espeak-ng', voice, pitch, wordsPerMinute });
const flite = (part: Voice['part'], speaker: string, voice: string, pitch: number, wordsPerMinute: number): Voice => ({ speaker, part, program: 'flite', voice, pitch, wordsPerMinute });

/**
 * Who speaks. Accents are the files of espeak-ng: it drops the variant without a word after names that are none, such as `en-gb`.
 * No MBROLA voice is among them, because many of those are not free; festival's voice is flite's `kal16`, so it would add nothing.
 */
export const voices: readonly Voice[] = [
  espeak('train', 'f1us', 'en-us+f1', 50, 150),
  espeak('train', 'f2rp', 'en-gb-x-rp+f2', 55, 140),
  espeak('train', 'f3gb', 'en+f3', 45, 160),
  espeak('train', 'f4us', 'en-us+f4', 60, 150),
  espeak('train', 'f5scot', 'en-gb-scotland+f5', 50, 150),
  espeak('train', 'anniecar', 'en-029+Annie', 50, 155),
  espeak('train', 'lindagb', 'en+linda', 55, 145),
  espeak('train', 'm1us', 'en-us+m1', 50, 150),
  espeak('train', 'm2gb', 'en+m2', 40, 140),
  espeak('train', 'm3wm', 'en-gb-x-gbcwmd+m3', 55, 160),
  espeak('train', 'm4car', 'en-029+m4', 50, 145),
  espeak('train', 'm7lanc', 'en-gb-x-gbclan+m7', 60, 155),
  espeak('train', 'm8rp', 'en-gb-x-rp+m8', 50, 150),
  espeak('train', 'croakus', 'en-us+croak', 50, 140),
  espeak('train', 'whispergb', 'en+whisper', 50, 140),
  espeak('train', 'klattus', 'en-us+klatt', 50, 145),
  espeak('train', 'maxnyc', 'en-us-nyc+max', 45, 155),
  flite('train', 'kal', 'kal', 105, 120),
  flite('train', 'slt', 'slt', 175, 150),
  flite('train', 'awb', 'awb', 125, 150),
  espeak('dev', 'andreascot', 'en-gb-scotland+Andrea', 50, 120),
  espeak('dev', 'm5us', 'en-us+m5', 45, 150),
  espeak('dev', 'michaelgb', 'en+Michael', 50, 150),
  espeak('test', 'alicialanc', 'en-gb-x-gbclan+Alicia', 50, 150),
  espeak('test', 'travisus', 'en-us+travis', 50, 145),
  espeak('test', 'denisgb', 'en+Denis', 45, 140),
  espeak('test', 'hugorp', 'en-gb-x-rp+Hugo', 50, 155),
  flite('test', 'rms', 'rms', 95, 150),
];
