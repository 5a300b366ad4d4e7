import type { Audio, Dataset, Utterance } from '@coppice/speech';

/**
 * The same corpus, which puts together or decodes each recording once: the runs of a study hear the same ones again and again, and joining
 * digits with noise takes longer than their features. Holds all audio that was asked for.
 */
export function remembered(dataset: Dataset): Dataset {
  const parts = new Map<string, Promise<readonly Utterance[]>>();
  return {
    ...dataset,
    utterances(split, epoch = 0) {
      const key = `${split}/${epoch}`;
      const known = parts.get(key);
      if (known) return known;
      const part = dataset.utterances(split, epoch).then((utterances) => utterances.map(remember));
      parts.set(key, part);
      return part;
    },
  };
}

function remember(utterance: Utterance): Utterance {
  let audio: Promise<Audio> | undefined;
  return { ...utterance, audio: () => (audio ??= utterance.audio()) };
}
