/**
 * Models that others trained, pruned from the file alone with nothing but recordings: Moonshine's SpellingCNN and Honk's keyword spotter, on
 * the digits of the Free Spoken Digit Dataset; about a quarter of an hour on two cores that others use
 * too. Each row is kept in the folder of runs, so a study that was stopped goes on where it was.
 * Usage: node tools/studies/third-party.ts --models ../shared/models --data ../shared/data/fsdd [--steps 80] [--seed 0] [--runs runs/third-party]
 *        [--out docs/results/third-party.md] [--threads 2]
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { trainableParameters } from '@coppice/autodiff';
import { nativeBackend } from '@coppice/backend-onnx';
import type { Scorer } from '@coppice/core';
import type { Model } from '@coppice/graph';
import { readModel, writeModel } from '@coppice/graph/node';
import { openDigits } from '@coppice/dataset-digits';
import { teacherLabel } from '@coppice/recovery';
import { wanda } from '@coppice/scorer-activation';
import { taylor } from '@coppice/scorer-gradient';
import { l2 } from '@coppice/scorer-magnitude';
import { crossEntropyLoss, distillationLoss } from '@coppice/speech';
import { classify, decisions, meanDivergence, type Classifier, type Clip, type Logits } from './third-party/classifier.ts';
import { toClip } from './third-party/clip.ts';
import { openHonk, readoutParameters, withDigitReadout } from './third-party/honk.ts';
import { measure } from './third-party/measure.ts';
import { openMoonshine } from './third-party/moonshine.ts';
import { classLabels, pruneClassifier, someOf } from './third-party/prune.ts';
import { reportText, type Row, type Subject } from './third-party/report.ts';
import { tune, type TuneRequest } from './third-party/tune.ts';

const { values } = parseArgs({ options: {
  models: { type: 'string', default: '../shared/models' }, data: { type: 'string', default: '../shared/data/fsdd' }, steps: { type: 'string', default: '80' }, seed: { type: 'string', default: '0' },
  runs: { type: 'string', default: 'runs/third-party' }, out: { type: 'string', default: 'docs/results/third-party.md' }, threads: { type: 'string', default: '2' },
} });
const [steps, seed, threads] = [values.steps, values.seed, values.threads].map(Number);
const backend = nativeBackend();
const started = performance.now();
const settings = { steps, batchSize: 16, peak: 3e-4, seed };
const calibration = 128;

const corpus = await openDigits(values.data);
const runs = resolve(values.runs);
mkdirSync(runs, { recursive: true });

interface Parts { readonly train: readonly Clip[]; readonly dev: readonly Clip[]; readonly test: readonly Clip[] }

/** A study: what is pruned, how, and with what. */
interface Study {
  readonly subject: Subject;
  readonly classifier: Classifier;
  readonly parts: Parts;
  readonly scorers: readonly Scorer[];
  /** The scorer whose cuts are also recovered with labels. */
  readonly labelled?: string;
}

async function clipsOf(split: string, classifier: Classifier, place = classifier.place): Promise<Clip[]> {
  const clips: Clip[] = [];
  for (const recording of corpus.recordings(split)) {
    const { id, speaker, digit } = recording;
    clips.push({ id, speaker, digit, features: classifier.features(await toClip(await recording.audio(), place)) });
  }
  return clips;
}

const partsFor = async (classifier: Classifier): Promise<Parts> => ({ train: await clipsOf('train', classifier), dev: await clipsOf('dev', classifier), test: await clipsOf('test', classifier) });

const logitsOf = (classifier: Classifier, clips: readonly Clip[]): Promise<Logits> => classify(classifier, clips, backend, threads);
const labelsOf = ({ digits }: Classifier) => (clips: readonly Clip[]) => ({ labels: classLabels(clips.map(({ digit }) => digits![digit])) });
const errorOf = async (classifier: Classifier, clips: readonly Clip[]): Promise<number> => {
  const said = decisions(await logitsOf(classifier, clips));
  return said.filter((c, k) => c !== classifier.digits![clips[k].digit]).length / clips.length;
};

/** Trains with labels: only the readout of Honk's digits, and the rows that say so. */
const withLabels = (student: Classifier, parts: Parts, options: Pick<TuneRequest, 'parameters' | 'settings'>): Promise<Model> => tune({
  student, loss: crossEntropyLoss({ output: student.output, kind: 'logits' }), clips: parts.train, labels: labelsOf(student),
  heldOut: (model) => errorOf({ ...student, model }, parts.dev), backend, threads, ...options,
});

/** Trains without labels, towards the logits of the unpruned model; the held-out error is the distance from it. */
async function distilled(student: Classifier, teacher: Classifier, parts: Parts): Promise<Model> {
  const wanted = await logitsOf(teacher, parts.dev);
  return tune({
    student, teacher: teacher.model, loss: distillationLoss({ output: student.output, teacher: teacherLabel(student.output), axes: 'batch token' }), parameters: trainableParameters, clips: parts.train,
    heldOut: async (model) => meanDivergence(wanted, await logitsOf({ ...student, model }, parts.dev)), settings, backend, threads,
  });
}

/** What an earlier run with the same settings has left in a file, or what `make` gives. */
async function keptIn(name: string, cell: unknown, make: () => Promise<Row[]>): Promise<Row[]> {
  const file = join(runs, `${name}.json`);
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { cell: unknown; rows: Row[] }) : undefined;
  if (kept && JSON.stringify(kept.cell) === JSON.stringify(cell)) return kept.rows;
  const rows = await make();
  writeFileSync(file, JSON.stringify({ cell, rows }));
  return rows;
}

/** The rows of a cut. */
function rowsOf({ subject, classifier, parts, labelled }: Study, scorer: Scorer, keep: number, original: Logits): Promise<Row[]> {
  const cell = { subject: subject.name, scorer: scorer.name, keep, ...settings, calibration, labelled: labelled === scorer.name };
  return keptIn(`${subject.id}_${scorer.name}_keep${Math.round(100 * keep)}`, cell, async () => {
    const { cut, rebuilt, before, after } = await pruneClassifier({ classifier, scorer, keep, clips: someOf(parts.train, calibration, seed), backend, threads });
    const student = { ...classifier, model: rebuilt };
    const stages: [Row['stage'], Model][] = [['cut', cut], ['rebuilt', rebuilt], ['distilled', await distilled(student, classifier, parts)]];
    if (cell.labelled) stages.push(['labelled', await withLabels(student, parts, { parameters: trainableParameters, settings })]);
    const rows: Row[] = [];
    for (const [stage, model] of stages) {
      const measured = measure(classifier, parts.test, await logitsOf({ ...classifier, model }, parts.test), original);
      rows.push({ subject: subject.name, scorer: scorer.name, stage, macs: after.macs / before.macs, params: after.params / before.params, ...measured });
    }
    return rows;
  });
}

/** What the same training with labels makes of the whole model: the control of the rows with labels. */
const controlOf = ({ subject, classifier, parts }: Study, original: Logits): Promise<Row[]> => keptIn(`${subject.id}_whole`, { subject: subject.name, ...settings }, async () => {
  const model = await withLabels(classifier, parts, { parameters: trainableParameters, settings });
  return [{ subject: subject.name, scorer: '', stage: 'labelled', macs: 1, params: 1, ...measure(classifier, parts.test, await logitsOf({ ...classifier, model }, parts.test), original) }];
});

/** Honk with a last layer for digits: trained with labels, everything before it as its authors left it. */
async function honkOfDigits(honk: Classifier, parts: Parts): Promise<Classifier> {
  const fresh = withDigitReadout(honk);
  const file = join(runs, `honk-digits-${seed}.onnx`);
  if (!existsSync(file)) writeModel(await withLabels(fresh, parts, { parameters: () => readoutParameters, settings: { steps: 150, batchSize: 16, peak: 1e-4, seed } }), file);
  return { ...fresh, model: readModel(file) };
}

const moonshine = await openMoonshine(join(values.models, 'moonshine_spelling.onnx'), backend);
const honk = openHonk(join(values.models, 'honk_kws.onnx'));
const [moonshineParts, honkParts] = [await partsFor(moonshine), await partsFor(honk)];
const studies: Study[] = [
  { subject: { id: 'moonshine', name: 'Moonshine SpellingCNN' }, classifier: moonshine, parts: moonshineParts, scorers: [l2, wanda, taylor], labelled: taylor.name },
  { subject: { id: 'honk-digits', name: 'Honk, last layer for digits' }, classifier: await honkOfDigits(honk, honkParts), parts: honkParts, scorers: [l2, wanda, taylor], labelled: taylor.name },
  { subject: { id: 'honk', name: 'Honk as published' }, classifier: honk, parts: honkParts, scorers: [taylor] },
];

const rows: Row[] = [];
for (const study of studies) {
  const { subject, classifier, parts, scorers } = study;
  const original = await logitsOf(classifier, parts.test);
  rows.push({ subject: subject.name, scorer: '', stage: 'original', macs: 1, params: 1, decided: decided(classifier, original), elsewhere: await elsewhere(classifier, original), ...measure(classifier, parts.test, original, original) });
  if (study.labelled) rows.push(...(await controlOf(study, original)));
  for (const keep of [0.7, 0.5]) {
    for (const scorer of scorers) {
      const made = await rowsOf(study, scorer, keep, original);
      rows.push(...made);
      console.log(`${((performance.now() - started) / 1000).toFixed(0)} s  ${subject.name}, ${scorer.name}, ${keep}: ${made.map(({ stage, accuracy, agreement }) => `${stage} ${(100 * (accuracy ?? agreement)).toFixed(1)}`).join(', ')}`);
    }
  }
  write();
}

/** How many clips each class is decided for. */
function decided({ classes }: Classifier, logits: Logits): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const c of decisions(logits)) counts[classes[c]] = (counts[classes[c]] ?? 0) + 1;
  return counts;
}

/** What the unpruned model makes of words that lie elsewhere in the second. */
async function elsewhere(classifier: Classifier, original: Logits): Promise<Row['elsewhere']> {
  const place = classifier.place === 'start' ? 'middle' : 'start';
  const clips = await clipsOf('test', classifier, place);
  const logits = await logitsOf(classifier, clips);
  return { place, decided: decided(classifier, logits), accuracy: measure(classifier, clips, logits, original).accuracy };
}

function write(): void {
  const out = resolve(values.out);
  mkdirSync(resolve(out, '..'), { recursive: true });
  const hardware = `Node ${process.version}, ${cpus()[0].model.trim()}, ${cpus().length} cores shared with other work, ${backend.name}, ${threads} threads`;
  writeFileSync(out, reportText({ rows, subjects: studies.map(({ subject }) => subject), settings: { ...settings, calibration }, weightsComputed: moonshine.computed, clips: moonshineParts.test.length, trained: moonshineParts.train.length, hardware, command: process.argv.slice(2) }));
  writeFileSync(out.replace(/\.md$/, '.json'), `${JSON.stringify({ settings: { ...settings, calibration }, rows }, undefined, 1)}\n`);
}
