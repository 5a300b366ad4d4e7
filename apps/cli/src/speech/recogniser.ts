import { CoppiceError, type Model } from '@coppice/graph';
import { readModel, writeModel } from '@coppice/graph/node';
import { parseDescription, writeDescription, type SpeechDescription } from '@coppice/speech';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { uninterrupted } from '../output-files.ts';
import { writeText } from '../plan-document.ts';
import { assertDescribes } from './model-fit.ts';

/** An acoustic model and what must be known to use it. */
export interface Recogniser {
  readonly model: Model;
  readonly description: SpeechDescription;
}

/** Where the description of a model lies unless the user says otherwise: `model.speech.json` beside `model.onnx`. */
export const descriptionPath = (model: string): string => `${model.replace(/\.onnx$/, '')}.speech.json`;

/**
 * Reads a model and its description.
 * @throws CoppiceError `COPPICE_FILE_NOT_FOUND`, `COPPICE_DESCRIPTION_INVALID`, and what `readModel` throws
 */
export function readRecogniser(path: string, description: string = descriptionPath(path)): Recogniser {
  const model = readModel(path);
  if (!existsSync(description)) throw new CoppiceError('COPPICE_FILE_NOT_FOUND', `There is no ${description}, which says what the features and the alphabet of ${path} are. docs/speech-description.md shows how to write one; name it with --description.`);
  const recogniser = { model, description: parseDescription(parseJson(readFileSync(description, 'utf8'), description), description) };
  assertDescribes(recogniser.description, model, path, description);
  return recogniser;
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `${path} is not JSON: ${(cause as Error).message}.`, { cause });
  }
}

/** Writes a model and its description, both or neither. */
export const writeRecogniser = ({ model, description }: Recogniser, path: string, force: boolean): Promise<void> => uninterrupted(() => {
  const written = writeModel(model, path, { force });
  try {
    writeText(descriptionPath(path), writeDescription(description), force);
  } catch (error) {
    for (const file of written) rmSync(file, { force: true });
    throw error;
  }
});
