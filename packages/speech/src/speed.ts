import { createRandom } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import type { Audio } from './audio.ts';
import type { Dataset } from './dataset.ts';
import { resampleAudio } from './resample.ts';

/** By how much a recording may be made faster or slower. Beyond it the sound is no speech that anybody utters. */
const [SLOWEST, FASTEST] = [0.5, 2];

/**
 * The same sound played faster, for a factor above 1, or slower: tempo and pitch both change, as those of another speaker. Ko et al. 2015,
 * "Audio augmentation for speech recognition".
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` for a factor that is not from 0.5 to 2, and what `resampleAudio` throws
 */
export async function changeSpeed({ samples, sampleRateHz }: Audio, factor: number): Promise<Audio> {
  checkSpeed(factor);
  return resampleAudio({ samples, sampleRateHz: Math.round(sampleRateHz * factor) }, sampleRateHz);
}

/**
 * A corpus whose recordings have a speed that is drawn for each utterance and epoch. The same seed draws the same ones.
 * @param speeds factors, each as likely as the others, e.g. `[0.9, 1, 1.1]`
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` for no factor, or one that is not from 0.5 to 2
 */
export function perturbSpeed(dataset: Dataset, speeds: readonly number[], seed: number | string): Dataset {
  if (speeds.length === 0) throw new CoppiceError('COPPICE_CONFIG_INVALID', 'There is no speed to draw from. Give factors such as 0.9, 1 and 1.1.');
  speeds.forEach(checkSpeed);
  if (speeds.every((speed) => speed === 1)) return dataset;
  return {
    ...dataset,
    async utterances(split, epoch = 0) {
      return (await dataset.utterances(split, epoch)).map(({ seconds, ...utterance }) => {
        const factor = speeds[createRandom(`${seed}/speed/${epoch}/${utterance.id}`).integer(speeds.length)];
        return { ...utterance, ...(seconds !== undefined && { seconds: seconds / factor }), audio: async () => changeSpeed(await utterance.audio(), factor) };
      });
    },
  };
}

function checkSpeed(factor: number): void {
  if (!(factor >= SLOWEST && factor <= FASTEST)) throw new CoppiceError('COPPICE_CONFIG_INVALID', `Recordings cannot have the speed ${factor}: a factor is from ${SLOWEST} to ${FASTEST}, 1 being as recorded.`);
}
