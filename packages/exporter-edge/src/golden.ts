import type { Backend } from '@coppice/core';
import { CoppiceError, type Model } from '@coppice/graph';
import { decodeWav, encodeWav, layOutFeatures, modelFeatures, outputFrames, resampleAudio, splitBatch, type Audio, type SpeechDescription } from '@coppice/speech';
import type { GoldenRecord } from './manifest.ts';
import { decodeText, sayAlphabet, type Recipe } from './runtime/index.ts';
import { syntheticSound } from './synthetic-sound.ts';
import type { BundleFile } from './target.ts';

/** Sound for golden clips. */
export interface ClipSource {
  /** In words, for the manifest: `digits, test`, `recordings of the user`, … */
  readonly source: string;
  readonly clips: readonly { readonly id: string; readonly audio: Audio; readonly said?: string }[];
}

/** What the clips must give on every runtime. */
export interface GoldenTolerance {
  readonly features: number;
  readonly logProbs: number;
}

/**
 * Of models in float: our features come from the same code everywhere, bit for bit in V8; the 1e-5 is for engines with another logarithm.
 * Runtimes add up in another order. Of quantised models: a value that falls on the other side of a rounding moves a whole step.
 */
export const toleranceOf = (quantisation: string): GoldenTolerance => ({ features: 1e-5, logProbs: quantisation === 'none' ? 1e-3 : 0.25 });

/** Clips where the user has none. */
export const syntheticClips = (sampleRateHz: number, seed: number | string = 0): ClipSource => ({
  source: `synthetic sound (seed ${seed}) in which nobody says anything: it proves the numbers, not the words`,
  clips: [0, 1].map((k) => ({ id: `synthetic-${k + 1}`, audio: syntheticSound(`${seed}/${k}`, sampleRateHz) })),
});

/**
 * Golden clips with what must come out of them, computed from the very bytes of the WAV files that are written.
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` for a clip that is too short, `COPPICE_BACKEND_RUN`
 */
export async function makeGolden(model: Model, recipe: Recipe, { source, clips }: ClipSource, backend: Backend, tolerance: GoldenTolerance): Promise<{ record: GoldenRecord; files: BundleFile[] }> {
  const { speech } = recipe;
  const executable = await backend.compile(model, { optimise: 'all', threads: 1 });
  const files: BundleFile[] = [];
  const records: GoldenRecord['clips'][number][] = [];
  try {
    for (const [k, { id, audio, said }] of clips.entries()) {
      const name = `golden/${k + 1}`;
      const wav = encodeWav(await resampleAudio(audio, speech.features.sampleRateHz));
      const heard = decodeWav(wav, id);
      const features = modelFeatures(heard, speech, id);
      const logProbs = await runOn(executable, speech, features);
      files.push({ path: `${name}.wav`, bytes: wav }, { path: `${name}.features.f32`, bytes: littleEndian(features.data) }, { path: `${name}.log-probs.f32`, bytes: littleEndian(logProbs.data) });
      records.push({
        id, audio: `${name}.wav`, seconds: heard.samples.length / heard.sampleRateHz,
        features: { path: `${name}.features.f32`, dims: [features.frames, features.width] },
        logProbs: { path: `${name}.log-probs.f32`, dims: [logProbs.frames, logProbs.tokens] },
        text: decodeText(logProbs, recipe), ...(said === undefined ? {} : { said }),
      });
    }
  } finally {
    await executable.dispose();
  }
  const { version } = await backend.info();
  return { record: { source, computedBy: `${backend.name} ${version}`, tolerance, alphabet: sayAlphabet(recipe), clips: records }, files };
}

async function runOn(executable: Awaited<ReturnType<Backend['compile']>>, speech: SpeechDescription, { data, frames, width }: ReturnType<typeof modelFeatures>) {
  const results = await executable.run({ [speech.input]: layOutFeatures(data, { batch: 1, time: frames, feature: width }, speech.inputAxes) }, [speech.output]);
  const logProbs = splitBatch(results[speech.output], [outputFrames(frames, speech)], speech.outputAxes)[0];
  if (logProbs.tokens !== speech.tokens.length) throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `The output '${speech.output}' has ${logProbs.tokens} classes, and the description names ${speech.tokens.length} tokens.`);
  return logProbs;
}

function littleEndian(values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (let k = 0; k < values.length; k++) view.setFloat32(4 * k, values[k], true);
  return bytes;
}
