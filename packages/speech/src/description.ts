import { CoppiceError, type Model } from '@coppice/graph';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { ClipSize } from './clip.ts';
import { descriptionSchema } from './description-schema.ts';
import { type FeatureSettings, featureWidth, settingsFault } from './features/settings.ts';
import { type InputAxes, parseAxes } from './input-layout.ts';
import type { CtcAxes } from './log-probs.ts';
import { type Tokenizer, type TokenizerDescription, tokenizerFault } from './tokenizer.ts';

/** What must be known of an ONNX CTC acoustic model, beside the file, to train, prune and evaluate it. Plain data. */
export interface SpeechDescription extends TokenizerDescription {
  readonly features: FeatureSettings;
  /** Name of the input that takes the features. */
  readonly input: string;
  readonly inputAxes: InputAxes;
  /** Name of the output with the logarithms of probabilities. */
  readonly output: string;
  readonly outputAxes: CtcAxes;
  /** Frames of features for one of the output, rounded up at the end. */
  readonly frameStride: number;
  /** Of a model that hears clips of one length; left out where time is open. */
  readonly clip?: ClipSize;
}

type DescriptionFile = SpeechDescription & { readonly format: string; readonly version: number };

let compiled: ValidateFunction<DescriptionFile> | undefined;
/** Compiled at the first use: most who import this package read no description. */
const validator = (): ValidateFunction<DescriptionFile> => (compiled ??= new Ajv2020({ discriminator: true, allowUnionTypes: true }).compile<DescriptionFile>(descriptionSchema));

/**
 * Checks a description that came from a file.
 * @param json as `JSON.parse` gives it
 * @param where how messages call it, e.g. its file
 * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID` with the path of the fault
 */
export function parseDescription(json: unknown, where: string): SpeechDescription {
  const isDescription = validator();
  if (!isDescription(json)) {
    const [fault] = isDescription.errors ?? [];
    const unknown = fault?.params['additionalProperty'] as string | undefined;
    const choices = fault?.params['allowedValues'] as readonly unknown[] | undefined;
    const detail = unknown !== undefined ? `: '${unknown}'` : choices !== undefined ? `: ${choices.join(', ')}` : '';
    throw invalid(where, fault?.instancePath || 'the document', `${fault?.message ?? 'has another form'}${detail}`);
  }
  const { format: _format, version: _version, ...description } = json;
  const settings = settingsFault(description.features);
  if (settings !== undefined) throw invalid(where, `/features/${settings.setting.replaceAll('.', '/')}`, settings.rule);
  const tokens = tokenizerFault(description);
  if (tokens !== undefined) throw invalid(where, tokens.at, tokens.rule);
  if (parseAxes(description.inputAxes) === undefined) throw invalid(where, '/inputAxes', `is '${description.inputAxes}': name batch, time and feature once each, in the model's order, and 1 for axes of one element`);
  return description;
}

/** A description as JSON text, which `parseDescription` reads again. */
export const writeDescription = (description: SpeechDescription): string => `${JSON.stringify({ format: 'coppice-speech', version: 1, ...description }, null, 2)}\n`;

/** Frames of the output that belong to so many frames of features: every stride rounds up, so all of them together do. */
export const outputFrames = (frames: number, { frameStride }: Pick<SpeechDescription, 'frameStride'>): number => Math.ceil(frames / frameStride);

/**
 * The description of a model of `buildReferenceModel`, also after pruning: its metadata say the rest.
 * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID` when it is no such model, or features or alphabet do not fit it
 */
export function describeReferenceModel(model: Model, { features, tokenizer }: { features: FeatureSettings; tokenizer: Tokenizer }): SpeechDescription {
  const stated = (key: string): number => {
    const entry = model.proto.metadataProps.find((each) => each.key === key)?.value;
    if (entry === undefined || !/^[1-9]\d*$/.test(entry)) throw invalid('The model', `metadata ${key}`, 'is missing, so it is not one of buildReferenceModel; write its description by hand');
    return Number(entry);
  };
  const fits = (key: string, own: number, what: string): void => {
    if (stated(key) !== own) throw invalid('The model', `metadata ${key}`, `is ${stated(key)}, and ${what} ${own}`);
  };
  fits('mels', featureWidth(features), 'the features of a frame are');
  fits('tokens', tokenizer.description.tokens.length, 'the tokens of the alphabet are');
  return {
    features, ...tokenizer.description, input: 'features', inputAxes: 'batch time feature', output: 'log_probs', outputAxes: 'batch time token', frameStride: stated('frame_stride'),
  };
}

const invalid = (where: string, at: string, rule: string): CoppiceError => new CoppiceError('COPPICE_DESCRIPTION_INVALID', `${where} does not describe a speech model: ${at} ${rule}.`);
