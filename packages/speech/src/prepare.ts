import { CoppiceError } from '@coppice/graph';
import type { Audio } from './audio.ts';
import { fitClip, fitFrames } from './clip.ts';
import { requiredFrames } from './ctc.ts';
import type { Utterance } from './dataset.ts';
import { outputFrames, type SpeechDescription } from './description.ts';
import { computeFeatures, type Features, type FeatureSettings } from './features/index.ts';
import { inOrder } from './in-order.ts';
import { resampleAudio } from './resample.ts';
import { createTokenizer } from './tokenizer.ts';

/** An utterance as a model needs it. */
export interface Example {
  readonly id: string;
  /** [time, feature] */
  readonly features: Float32Array;
  /** Frames of `features`. */
  readonly frames: number;
  /** Numbers of tokens, [label]. Empty in an evaluation for a transcript that the alphabet cannot write. */
  readonly labels: Int32Array;
  /** What is compared with what the model heard; of phones, those of its alphabet. */
  readonly transcript: string;
  readonly speaker?: string;
}

/** An utterance that was left out, and why. */
export interface Skipped {
  readonly id: string;
  /** A sentence. */
  readonly reason: string;
}

export interface PrepareOptions {
  readonly description: Pick<SpeechDescription, 'features' | 'tokenizer' | 'tokens' | 'blank' | 'wordSeparator' | 'frameStride' | 'clip'>;
  /**
   * For `training`, an utterance whose transcript has symbols outside the alphabet, or more labels than the output has frames for, is
   * skipped: nothing can be learnt from it. In an `evaluation` it stays, because leaving out what a model cannot say would flatter it.
   */
  readonly purpose: 'training' | 'evaluation';
  /** How features are computed; default `computeFeatures`. A cache of them gives the same numbers. */
  readonly features?: (audio: Audio, settings: FeatureSettings, where: string) => Features | Promise<Features>;
  /** So many utterances are under way at a time, and no more of their sound is held. Default 1; more where decoding or features run beside this thread. */
  readonly ahead?: number;
  /** Called after each utterance. */
  readonly onProgress?: (done: number, of: number) => void;
}

export interface Prepared {
  /** In the order of the utterances. */
  readonly examples: readonly Example[];
  readonly skipped: readonly Skipped[];
  /** Recordings that had another sample rate and were resampled. */
  readonly resampled: number;
}

/**
 * Decodes utterances, resamples them where needed, and computes features and labels. Phone models read `phones`
 * of an utterance, all others its transcript.
 *
 * Broken, empty and too short recordings are skipped and listed; any other fault is thrown.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID`, `COPPICE_DESCRIPTION_INVALID` for a description that makes no sense
 */
export async function prepareUtterances(utterances: readonly Utterance[], { description, purpose, features = computeFeatures, ahead = 1, onProgress }: PrepareOptions): Promise<Prepared> {
  const tokenizer = createTokenizer(description);
  const { sampleRateHz } = description.features;
  const examples: Example[] = [];
  const skipped: Skipped[] = [];
  let resampled = 0;
  for await (const outcome of inOrder(utterances, ahead, prepare)) {
    if ('reason' in outcome) skipped.push(outcome);
    else {
      examples.push(outcome.example);
      if (outcome.resampled) resampled++;
    }
    onProgress?.(examples.length + skipped.length, utterances.length);
  }
  return { examples, skipped, resampled };

  async function prepare(utterance: Utterance): Promise<{ readonly example: Example; readonly resampled: boolean } | Skipped> {
    const { id, speaker } = utterance;
    try {
      const recorded = await utterance.audio();
      const audio: Audio = await resampleAudio(recorded, sampleRateHz);
      const { data, frames } = fitFrames(await features(fitClip(audio, description.clip), description.features, id), description.clip);
      const transcript = description.tokenizer === 'phones' ? phonesOf(utterance) : utterance.transcript;
      const labels = encode(transcript);
      const needed = requiredFrames(labels);
      const given = outputFrames(frames, description);
      if (purpose === 'training' && needed > given) {
        throw new CoppiceError('COPPICE_TRANSCRIPT_INVALID', `Its ${labels.length} labels need ${needed} frames of the output, and it has ${given}: the recording is too short for what is said, or the transcript is another's.`);
      }
      // In the alphabet's own names: what is heard is compared with it, and has neither stress nor position in the word.
      const said = description.tokenizer === 'phones' && labels.length > 0 ? tokenizer.decode(labels) : transcript;
      return { example: { id, features: data, frames, labels, transcript: said, speaker }, resampled: audio !== recorded };
    } catch (error) {
      if (!(error instanceof CoppiceError) || !skippable.has(error.code)) throw error;
      return { id, reason: error.message };
    }
  }

  function encode(transcript: string): Int32Array {
    try {
      return tokenizer.encode(transcript);
    } catch (error) {
      if (purpose === 'evaluation' && error instanceof CoppiceError && error.code === 'COPPICE_TRANSCRIPT_INVALID') return new Int32Array();
      throw error;
    }
  }
}

const skippable: ReadonlySet<string> = new Set(['COPPICE_AUDIO_INVALID', 'COPPICE_TRANSCRIPT_INVALID']);

function phonesOf({ id, phones }: Utterance): string {
  if (phones === undefined) throw new CoppiceError('COPPICE_TRANSCRIPT_INVALID', `${id} has no phones, and the model's tokens are phones. Take a corpus with phones, or a lexicon.`);
  return phones.join(' ');
}
