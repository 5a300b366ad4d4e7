import type { Backend, NamedTensors } from '@coppice/core';
import { assertExportable, prepareForExport, targetNamed, type ClipSource, type DecoderChoice, type ExportRequest, type Measurements, type PreparedModel } from '@coppice/exporter-edge';
import { CoppiceError, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { makeBatch, prepareUtterances, type Dataset, type Example, type Utterance } from '@coppice/speech';
import { decodeAudio } from '@coppice/speech/node';
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform } from 'node:os';
import { basename, resolve } from 'node:path';
import { backendNamed } from '../container.ts';
import type { Context } from '../context.ts';
import { measureInTurns } from '../measure.ts';
import { corpusOf, preparePart } from '../speech/corpus.ts';
import { evaluateRecogniser } from '../speech/evaluate.ts';
import { assertDescribes } from '../speech/model-fit.ts';
import { readRecogniser, type Recogniser } from '../speech/recogniser.ts';
import { speechBackend } from '../speech/speech-options.ts';
import { progressBar } from '../text-table.ts';
import type { ExportOptions } from './export-options.ts';
import { recordOfPlan, recordOfRun } from './export-pruning.ts';

/** Everything of a bundle that does not depend on the target. */
export interface ReadyExport {
  readonly request: ExportRequest;
  readonly prepared: PreparedModel;
}

/**
 * Reads, checks, quantises and measures what is to be exported; nothing is written.
 * @param targets that will be written: what one of them cannot run is refused first
 */
export async function readyExport(path: string, { targets, ...options }: ExportOptions & { readonly targets: readonly string[] }, context: Context): Promise<ReadyExport> {
  const { terminal } = context;
  const model = resolve(context.folder, path);
  const recogniser = readRecogniser(model, options.description && resolve(context.folder, options.description));
  const original = options.original === undefined ? undefined : readOriginal(resolve(context.folder, options.original), recogniser);
  for (const name of targets) assertExportable(targetNamed(name), { model: recogniser.model, original, speech: recogniser.description });
  const own = targets.map(targetNamed).find(({ prepare }) => prepare !== undefined);
  if (own !== undefined && targets.length > 1) throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `The target '${own.name}' wants the model in a form of its own. Make its bundle alone: coppice export … --target ${own.name}.`);
  const pruned = options.plan !== undefined ? recordOfPlan(resolve(context.folder, options.plan), model) : options.run !== undefined ? recordOfRun(resolve(context.folder, options.run), model) : undefined;
  const { backend: chosen, threads } = await speechBackend(context, options);
  // WebAssembly has as many threads as its first model asked for.
  const backend: Backend = chosen.name.includes('native') ? chosen : { ...chosen, compile: (model, how) => chosen.compile(model, { ...how, threads }) };
  const part = options.dataset === undefined ? undefined : await openPart(options.dataset, options, recogniser, context);
  const recordings = options.audio?.map((file) => resolve(context.folder, file));
  const clips = recordings !== undefined ? await clipsOf(recordings) : part === undefined ? undefined : await part.clips(options.clips);

  terminal.progress('finishing the model');
  const held = options.quantize === 'auto' ? await heldOut(part?.dataset, recogniser, context) : undefined;
  const runs = await calibrationRuns(part?.dataset, clips, recogniser, context);
  const prepared = own?.prepare !== undefined && options.quantize !== 'none' && runs !== undefined ? await own.prepare(recogniser.model, { speech: recogniser.description, backend, runs }) : await prepareForExport(recogniser.model, {
    choice: options.quantize, backend: options.quantize === 'auto' ? timedBackend({ ...options, targets }, backend, context) : backend, runs, calibration: { method: options.calibration },
    ...(held && { metric: async (which: Model) => (await evaluateRecogniser({ model: which, description: recogniser.description }, held, { backend, threads, decoder: options.decoder })).errors.rate }),
    onProgress: (text) => terminal.progress(`measuring ${text}`),
  });
  for (const name of targets) assertExportable(targetNamed(name), { model: prepared.model, speech: recogniser.description });
  const measured = options.measure === false ? {} : await measure({ model: prepared.model, original, recogniser, part, options, context, backend, threads });
  return {
    prepared,
    request: {
      name: options.name ?? basename(path).replace(/\.onnx$/, ''), model: prepared.model, original, speech: recogniser.description, quantisation: prepared.quantisation, decoder: decoderOf(options.decoder),
      ...(options.licence === undefined ? {} : { licence: options.licence }), ...(clips === undefined ? {} : { clips }),
      ...(pruned === undefined ? {} : { pruned }), measured, backend, force: options.force, options: { webgpu: options.webgpu },
    },
  };
}

const decoderOf = (kind: 'greedy' | number): DecoderChoice => (kind === 'greedy' ? { type: 'greedy' } : { type: 'beam', width: kind });

function readOriginal(path: string, { description }: Recogniser): Model {
  const original = readModel(path);
  assertDescribes(description, original, path, 'The description of the slim model');
  return original;
}

/** A part of a corpus, for golden clips and error rates. */
interface Part {
  readonly dataset: Dataset;
  readonly name: string;
  readonly examples: readonly Example[];
  clips(count: number): Promise<ClipSource>;
}

async function openPart(dataset: string, { datasetOption, split }: ExportOptions, { description }: Recogniser, context: Context): Promise<Part> {
  const opened = await corpusOf(context, { dataset, options: datasetOption });
  const { examples } = await preparePart(opened, { split, description, purpose: 'evaluation' }, context.terminal);
  const utterances = new Map((await opened.utterances(split)).map((utterance) => [utterance.id, utterance]));
  const name = `${opened.name}, ${split}`;
  return {
    dataset: opened, name, examples,
    async clips(count) {
      // From all over the part, because corpora are sorted by speaker.
      const chosen = Array.from({ length: Math.min(count, examples.length) }, (_, k) => examples[Math.floor((k * examples.length) / Math.min(count, examples.length))]);
      const clips = await Promise.all(chosen.map(async ({ id, transcript }) => ({ id, said: transcript, audio: await (utterances.get(id) as Utterance).audio() })));
      return { source: name, clips };
    },
  };
}

async function clipsOf(files: readonly string[]): Promise<ClipSource> {
  const clips = await Promise.all(files.map(async (file) => {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(file);
    } catch (cause) {
      throw new CoppiceError('COPPICE_FILE_NOT_FOUND', `${file} cannot be read: ${(cause as Error).message}.`, { cause });
    }
    return { id: basename(file), audio: await decodeAudio(bytes, file) };
  }));
  return { source: 'recordings that were given', clips };
}

/** Utterances that are calibrated on, where the corpus has a part to learn from. */
const CALIBRATION = 48;

/** Never the part that is evaluated, where there is another. */
async function calibrationRuns(dataset: Dataset | undefined, clips: ClipSource | undefined, { description }: Recogniser, context: Context): Promise<(() => AsyncIterable<NamedTensors>) | undefined> {
  const split = ['train', 'dev'].find((name) => dataset?.splits.includes(name));
  const examples = dataset !== undefined && split !== undefined
    ? (await preparePart(dataset, { split, description, purpose: 'evaluation', atMost: CALIBRATION }, context.terminal)).examples
    : clips && (await prepareUtterances(clips.clips.map(({ id, audio, said = '' }) => ({ id, transcript: said, phones: [], audio: () => Promise.resolve(audio) })), { description, purpose: 'evaluation' })).examples;
  if (examples === undefined || examples.length === 0) return undefined;
  return async function* () {
    for (const example of examples) yield { [description.input]: makeBatch([example], description).tensors[description.input] };
  };
}

/** Utterances that decide whether quantising costs accuracy: held out, and not those that are evaluated in the end. */
const HELD_OUT = 100;
async function heldOut(dataset: Dataset | undefined, { description }: Recogniser, context: Context): Promise<readonly Example[] | undefined> {
  if (dataset?.splits.includes('dev') !== true) return undefined;
  return (await preparePart(dataset, { split: 'dev', description, purpose: 'evaluation', atMost: HELD_OUT }, context.terminal)).examples;
}

/** Speed is measured where the bundle runs: in WebAssembly on one thread for the web, unless the user named a backend. */
function timedBackend({ targets, backend: asked }: Pick<ExportOptions, 'backend'> & { readonly targets: readonly string[] }, usual: Backend, { container }: Context): Backend {
  if (asked !== 'auto' || !targets.includes('web')) return usual;
  const wasm = backendNamed(container, 'onnx');
  return { ...wasm, compile: (model, options) => wasm.compile(model, { ...options, threads: 1 }) };
}

interface MeasureParts {
  readonly model: Model;
  readonly original: Model | undefined;
  readonly recogniser: Recogniser;
  readonly part: Part | undefined;
  readonly options: ExportOptions;
  readonly context: Context;
  readonly backend: ExportRequest['backend'];
  readonly threads: number;
}

/** Frames of one second of sound, more or less, are what latency is measured on. */
const SECONDS = 1;

async function measure({ model, original, recogniser: { description }, part, options, context: { terminal }, backend, threads }: MeasureParts): Promise<Measurements> {
  const models: (readonly ['model' | 'original', Model])[] = [['model', model], ...(original === undefined ? [] : [['original', original] as const])];
  const frames = description.clip?.frames ?? Math.round((1000 * SECONDS) / description.features.hopMs);
  const width = description.features.type === 'mfcc' ? description.features.coefficients : description.features.mels;
  const silence: Example = { id: 'silence', features: Float32Array.from({ length: frames * width }, (_, k) => Math.sin(k)), frames, labels: new Int32Array(), transcript: '' };
  const inputs = { [description.input]: makeBatch([silence], description).tensors[description.input] };
  const oneThread = { ...backend, compile: (which: Model, how?: object) => backend.compile(which, { ...how, threads: backend.name.includes('native') ? 1 : threads }) };
  const timings = await measureInTurns(oneThread, models.map(([, which]) => ({ model: which, inputs })), { runs: 40, limitMs: 4000, onRound: (round) => terminal.progress(`${progressBar(round, 40)} latency`) });
  const measured: Record<string, Measurements['model']> = {};
  for (const [k, [name, which]] of models.entries()) {
    const { medianMs, p10Ms, p90Ms, runs } = timings[k];
    const evaluation = part && await evaluateRecogniser({ model: which, description }, part.examples, { backend, threads, decoder: options.decoder, onProgress: (done, of) => terminal.progress(`${progressBar(done, of)} ${name}`) });
    measured[name] = {
      latency: { backend: backend.name, threads: backend.name.includes('native') ? 1 : threads, seconds: (frames * description.features.hopMs) / 1000, medianMs, p10Ms, p90Ms, runs },
      ...(evaluation && part && {
        errors: {
          unit: evaluation.errors.unit, rate: evaluation.errors.rate, interval: { low: evaluation.interval.low, high: evaluation.interval.high, level: evaluation.interval.level },
          utterances: evaluation.errors.utterances.length, length: evaluation.errors.length, corpus: part.name, normaliser: evaluation.errors.normaliser,
        },
      }),
    };
  }
  return { machine: `${cpus()[0]?.model.trim() || arch()}, ${availableParallelism()} cores, ${platform()} ${arch()}, Node ${process.versions.node}`, ...measured };
}
