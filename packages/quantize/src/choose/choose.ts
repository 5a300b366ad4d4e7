import type { Backend, NamedTensors } from '@coppice/core';
import { CoppiceError, encodeModel, type Model } from '@coppice/graph';
import { calibrate, type CalibrationRuns, type ObservedRange } from '../calibrate/calibrate.ts';
import { prepareModel } from '../prepare.ts';
import { checkKept, leastOpset, possibleForms, settingsFor, writeForms, type Choice, type Form, type QuantizationMode, type QuantizedOperator, type QuantizeOptions } from '../quantize.ts';
import type { Settings } from '../rewriter.ts';
import { findSites, type Site, type Sites } from '../site.ts';
import { outputError, outputsOf } from './compare.ts';
import { activationsOf, exposingAll, interleavedTimes, oneOperator } from './time.ts';

export interface ChooseOptions extends Omit<QuantizeOptions, 'mode' | 'recurrent'> {
  /** Forms to try. Default int8-static, int8-dynamic, weight-int8. */
  readonly candidates?: readonly QuantizationMode[];
  /** Largest error that one operator alone may make in the outputs, relative root mean square. Default 0.03. */
  readonly operatorError?: number;
  /** Largest error of the whole model. Default 0.05. */
  readonly totalError?: number;
  /** What the model is for, as a number that is better when smaller (word error rate, loss). Asked for the float model and for whole quantised ones. */
  readonly metric?: (model: Model) => Promise<number>;
  /** How much the metric may rise. Default 0. */
  readonly metricRise?: number;
  /** Runs on which errors are measured, the first ones. Default 4. */
  readonly errorRuns?: number;
  /** Runs that are timed for each form of an operator. Default 15. */
  readonly repeats?: number;
  /** A former choice: nothing is measured, and the same bytes come out. */
  readonly replay?: QuantizationRecord;
  /** Milliseconds of a clock, for tests. */
  readonly now?: () => number;
  /** Told of each operator that was measured. */
  readonly onProgress?: (done: number, of: number, operator: OperatorChoice) => void;
}

/** One form of an operator, measured. */
export interface Candidate {
  readonly form: QuantizationMode;
  /** Milliseconds of the operator alone at the shapes of the first run; undefined where it could not be timed. */
  readonly ms?: number;
  /** `ms` over that in float; 1 where they differ by no more than float does from itself. */
  readonly ratio?: number;
  /** Error of the outputs of the model when only this operator has this form. */
  readonly error?: number;
  readonly bytes?: number;
  /** Why the operator cannot have the form. */
  readonly refused?: string;
}

export interface OperatorChoice extends QuantizedOperator {
  /** Milliseconds of the operator alone in float. */
  readonly floatMs?: number;
  readonly candidates: readonly Candidate[];
}

/** All that decides the bytes of the result; plain data. */
export interface QuantizationRecord {
  readonly settings: Settings;
  readonly opset: number;
  readonly choices: readonly { readonly node: string; readonly form: Form; readonly why: string }[];
  readonly ranges: Readonly<Record<string, ObservedRange>>;
}

export interface ChosenQuantization {
  readonly model: Model;
  readonly table: readonly OperatorChoice[];
  readonly record: QuantizationRecord;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** The whole model against the float one; undefined for a replay. */
  readonly whole?: { readonly error: number; readonly floatMs?: number; readonly ms?: number; readonly metric?: number; readonly floatMetric?: number };
}

/** A form that takes this much longer than float counts as slower. */
const SLOWER = 1.05;
/** Nor is a difference below so many milliseconds one of the operators: the call from JavaScript varies by more. */
const LEAST_MS = 0.005;

/**
 * Decides for each operator by measuring: its time alone on this backend, at the shapes of the first run, in float and in each form it can
 * have; and the error of the whole model's outputs when it alone has that form. The fastest form within the error is taken, the smaller of equally
 * fast ones, and float where every form is slower or costs too much. Then whole models are run: with these choices, with static forms next to
 * each other, and with stored weights only; the fastest is taken. Operators go back to float, the one with the largest error first, until
 * error and metric are kept.
 * @throws CoppiceError as `quantize`, and `COPPICE_QUANTIZE_INVALID` for a record of another model
 */
export async function chooseQuantization(model: Model, backend: Backend, runs: CalibrationRuns, options: ChooseOptions = {}): Promise<ChosenQuantization> {
  if (options.replay) return replay(model, backend, options.replay);
  const forms = options.candidates ?? ['int8-static', 'int8-dynamic', 'weight-int8'];
  const opset = Math.max(7, ...forms.map((mode) => leastOpset({ mode, weightsAs: options.weightsAs })));
  const sites = await findSites(prepareModel(model, opset), backend);
  checkKept(sites, options.keepFloat ?? []);
  const settings = await settingsFor(options, backend);
  const ranges = new Map<string, ObservedRange>();
  const rangesOf = async (names: readonly string[]) => {
    const missing = names.filter((name) => !ranges.has(name));
    for (const [name, range] of await calibrate(sites.model, backend, runs, missing, options.calibration ?? { method: 'min-max' })) ranges.set(name, range);
    return ranges;
  };
  const inputs = await take(runs, options.errorRuns ?? 4);
  const bench: Bench = { sites, settings, backend, inputs, expected: await outputsOf(sites.model, backend, inputs), options, rangesOf, forms, timed: new Map() };
  if (forms.includes('int8-static')) await writeForms(sites, settings, new Map(sites.sites.map((site) => [site.key, { form: possibleForms(site, sites)['int8-static'] === true ? 'int8-static' : 'float', why: '' }])), rangesOf);

  const measured = sites.sites.filter((site) => site.weights.length > 0);
  const choices = new Map<string, Measured>();
  for (const [k, site] of measured.entries()) {
    const choice = await measureSite(site, bench);
    choices.set(site.key, choice);
    options.onProgress?.(k + 1, measured.length, asRow(site, choice));
  }
  const whole = await settleWhole(choices, bench);
  const written = await writeForms(sites, settings, allChoices(sites, choices), rangesOf);
  const table = written.table.map((row) => ({ ...row, floatMs: choices.get(row.node)?.floatMs, candidates: choices.get(row.node)?.candidates ?? [] }));
  return {
    model: written.model, table, whole,
    record: { settings, opset, choices: written.table.map(({ node, form, why }) => ({ node, form, why })), ranges: Object.fromEntries(written.ranges) },
    bytesBefore: encodeModel(model).byteLength, bytesAfter: encodeModel(written.model).byteLength,
  };
}

/** What all measurements share. */
interface Bench {
  readonly sites: Sites;
  readonly settings: Settings;
  readonly backend: Backend;
  readonly inputs: readonly NamedTensors[];
  readonly expected: readonly NamedTensors[];
  readonly options: ChooseOptions;
  readonly rangesOf: (names: readonly string[]) => Promise<ReadonlyMap<string, ObservedRange>>;
  readonly forms: readonly QuantizationMode[];
  /** Times by what an operator is: layers that repeat are timed once. */
  readonly timed: Map<string, Times>;
}

/** Milliseconds of an operator alone. */
interface Times {
  readonly floatMs?: number;
  /** By form, in the order in which they were asked for. */
  readonly ms: readonly (number | undefined)[];
  /** How much the same float model differed from itself, at least 1. */
  readonly noise: number;
}

interface Measured extends Choice {
  readonly floatMs?: number;
  readonly candidates: readonly Candidate[];
  /** Error of the form that was chosen, 0 for float. */
  readonly error: number;
}

const asRow = (site: Site, { form, why, floatMs, candidates }: Measured): OperatorChoice => ({ node: site.key, operator: site.node.op, form, why, bytesBefore: 0, bytesAfter: 0, floatMs, candidates });

async function measureSite(site: Site, bench: Bench): Promise<Measured> {
  const { sites, options: { keepFloat = [], operatorError = 0.03 } } = bench;
  if (keepFloat.includes(site.key) || (site.step.proto.name !== '' && keepFloat.includes(site.step.proto.name))) return { form: 'float', why: 'it was asked to stay in float', candidates: [], error: 0 };
  const possible = possibleForms(site, sites);
  const open = bench.forms.filter((form) => possible[form] === true);
  const refused = bench.forms.filter((form) => possible[form] !== true).map((form): Candidate => ({ form, refused: possible[form] as string }));
  if (open.length === 0) return { form: 'float', why: refused[0]?.refused ?? 'no form was asked for', candidates: refused, error: 0 };
  const { floatMs, ms, noise } = await timesOf(site, open, bench);
  const candidates: Candidate[] = [];
  for (const [k, form] of open.entries()) {
    const { model, table } = await writeForms(sites, bench.settings, new Map([[site.key, { form, why: '' }]]), bench.rangesOf);
    const row = table.find(({ node }) => node === site.key)!;
    if (row.form === 'float') {
      candidates.push({ form, refused: row.why });
      continue;
    }
    const error = outputError(await outputsOf(model, bench.backend, bench.inputs), bench.expected);
    candidates.push({ form, error, bytes: row.bytesAfter, ...(ms[k] !== undefined && { ms: ms[k] }), ...(ms[k] !== undefined && floatMs && { ratio: ratioOf(ms[k], floatMs, noise) }) });
  }
  return { ...decide(candidates, operatorError), floatMs, candidates: [...candidates, ...refused] };
}

const ratioOf = (ms: number, floatMs: number, noise: number): number => {
  const ratio = ms / floatMs;
  return Math.max(ratio, 1 / ratio) <= noise || Math.abs(ms - floatMs) < LEAST_MS ? 1 : ratio;
};

/** Times the operator alone, in float (twice, to know the noise) and in each form. Nothing where it cannot be run alone. */
async function timesOf(site: Site, forms: readonly QuantizationMode[], { sites, settings, backend, inputs, options, rangesOf, timed }: Bench): Promise<Times> {
  if (site.inBody || inputs.length === 0) return { ms: [], noise: 1 };
  const names = activationsOf(site, sites);
  const given = names.filter((name) => name in inputs[0]);
  const executable = await backend.compile(exposingAll(sites, names), { optimise: 'none' });
  let activations: NamedTensors;
  try {
    const fetched = names.filter((name) => !given.includes(name));
    activations = { ...Object.fromEntries(given.map((name) => [name, inputs[0][name]])), ...(fetched.length > 0 && await executable.run(inputs[0], fetched)) };
  } finally {
    await executable.dispose();
  }
  const { model, inputs: own } = oneOperator(site, sites, activations);
  const key = JSON.stringify([site.node.op, site.node.domain, forms, site.step.proto.attribute.map((a) => [a.name, String(a.i), a.f, a.ints.map(String)]), site.weights.map(({ dims }) => dims), Object.values(own).map(({ dims, dtype }) => [dtype, dims])]);
  const known = timed.get(key);
  if (known) return known;
  const alone = await findSites(model, backend);
  const models = [model, model];
  for (const form of forms) models.push((await writeForms(alone, settings, new Map(alone.sites.map(({ key: own }) => [own, { form, why: '' }])), rangesOf)).model);
  const [first, second, ...ms] = await interleavedTimes(models, own, backend, options);
  const times = first === undefined || second === undefined ? { ms: [], noise: 1 } : { floatMs: Math.min(first, second), ms, noise: Math.max(first / second, second / first) };
  timed.set(key, times);
  return times;
}

const percent = (error: number): string => `${(100 * error).toPrecision(2)} %`;

/** The fastest form within the error; of those as fast as each other the smaller one. */
function decide(candidates: readonly Candidate[], most: number): Choice & { readonly error: number } {
  const why = (c: Candidate): string | undefined => {
    if (c.refused !== undefined) return c.refused;
    if (!((c.error ?? Infinity) <= most)) return `${c.form} moves the output by ${percent(c.error ?? Infinity)}, more than the ${percent(most)} that one operator may`;
    if ((c.ratio ?? 1) > SLOWER) return `${c.form} takes ${c.ratio!.toFixed(2)} times as long as float`;
    return undefined;
  };
  const good = candidates.filter((c) => why(c) === undefined);
  // What is as fast as float to within noise counts as equal to it.
  const speed = (c: Candidate): number => (c.ratio !== undefined && c.ratio < 1 / SLOWER ? c.ratio : 1);
  const [best] = good.toSorted((a, b) => speed(a) - speed(b) || a.bytes! - b.bytes! || a.error! - b.error!);
  if (!best) return { form: 'float', error: 0, why: `in float, because ${candidates.map(why).filter(Boolean).join('; ')}` };
  const time = best.ratio === undefined ? 'could not be timed alone, and is smaller' : speed(best) < 1 ? `takes ${best.ratio.toFixed(2)} of the time of float` : 'is as fast as float, and smaller';
  const others = candidates.filter((c) => c !== best).flatMap((c) => why(c) ?? []);
  return { form: best.form, error: best.error!, why: `${best.form} ${time}; alone it moves the output by ${percent(best.error!)}${others.length > 0 ? ` (${others.join('; ')})` : ''}` };
}

function allChoices(sites: Sites, measured: ReadonlyMap<string, Choice>): Map<string, Choice> {
  return new Map(sites.sites.map((site) => [site.key, measured.get(site.key) ?? { form: 'float', why: possibleForms(site, sites)['weight-int8'] as string }]));
}

/** One way of giving every operator a form, as a whole model. */
interface Variant {
  readonly name: 'each for itself' | 'static together' | 'stored';
  readonly choices: Map<string, Measured>;
  model: Model;
  error: number;
}

/** Decides by running whole models: what is fastest alone need not be in company, where numbers are converted to and fro, or stay in 8 bits. */
async function settleWhole(choices: Map<string, Measured>, bench: Bench): Promise<ChosenQuantization['whole']> {
  const { sites, backend, inputs, options } = bench;
  const variants: Variant[] = [];
  for (const [name, of] of [['each for itself', choices], ['static together', withForm(choices, 'int8-static', bench)], ['stored', withForm(choices, 'weight-int8', bench)]] as const) {
    if (name === 'each for itself' || [...of].some(([key, { form }]) => form !== choices.get(key)!.form)) variants.push(await keepError({ name, choices: new Map(of), model: sites.model, error: 0 }, bench));
  }
  const [first, second, ...times] = await interleavedTimes([sites.model, sites.model, ...variants.map(({ model }) => model)], inputs[0], backend, options);
  const floatMs = Math.min(first!, second!);
  const noise = Math.max(SLOWER, first! / second!, second! / first!);
  const own = times[0] ?? Infinity;
  const ranked = variants.map((variant, k) => ({ variant, ms: times[k] ?? Infinity })).filter(({ ms }, k) => k === 0 || ms * noise < own).toSorted((x, y) => x.ms - y.ms);
  const { variant, ms } = ranked[0];
  for (const [key, choice] of variant.choices) {
    const alone = choices.get(key)!;
    const changed = choice.form !== alone.form && choice.form !== 'float';
    choices.set(key, changed ? { ...choice, why: `${choice.form}, because the whole model takes ${(ms / floatMs).toFixed(2)} of the time of float with ${variant.name === 'stored' ? 'stored weights only' : 'static operators next to each other'}, and ${(own / floatMs).toFixed(2)} with each operator's own fastest form (${alone.why})` } : choice);
  }
  const settled = options.metric ? await keepMetric({ ...variant, choices }, bench) : undefined;
  return { error: settled?.error ?? variant.error, floatMs, ms: Number.isFinite(ms) ? ms : undefined, ...settled?.scores };
}

/** The same choices with one form wherever it was measured to be within the error. */
function withForm(choices: ReadonlyMap<string, Measured>, form: 'int8-static' | 'weight-int8', { options: { operatorError = 0.03 } }: Bench): Map<string, Measured> {
  return new Map([...choices].map(([key, choice]) => {
    const found = choice.candidates.find((c) => c.form === form && c.refused === undefined && c.error! <= operatorError);
    return [key, found ? { ...choice, form, error: found.error! } : choice];
  }));
}

const build = async (choices: ReadonlyMap<string, Choice>, { sites, settings, rangesOf }: Bench): Promise<Model> => (await writeForms(sites, settings, allChoices(sites, choices), rangesOf)).model;

/** Puts the operators with the largest errors back to float; false when none is left. */
function giveUp(choices: Map<string, Measured>, count: number, reason: string): boolean {
  const worst = [...choices].filter(([, { form }]) => form !== 'float').toSorted(([, a], [, b]) => b.error - a.error).slice(0, count);
  for (const [key, choice] of worst) choices.set(key, { ...choice, form: 'float', why: `in float, because ${reason}, and this one had the largest share (${percent(choice.error)})`, error: 0 });
  return worst.length > 0;
}

/** Takes forms back until the error of the whole is kept. */
async function keepError(variant: Variant, bench: Bench): Promise<Variant> {
  const { backend, inputs, expected, options: { totalError = 0.05 } } = bench;
  for (;;) {
    variant.model = await build(variant.choices, bench);
    variant.error = outputError(await outputsOf(variant.model, backend, inputs), expected);
    if (variant.error <= totalError || !giveUp(variant.choices, 1, `together the operators moved the output by ${percent(variant.error)}, more than ${percent(totalError)}`)) return variant;
  }
}

/** Takes forms back until the metric is kept: more at a time, the longer it takes, because a metric may take minutes. */
async function keepMetric(variant: Variant, bench: Bench): Promise<{ readonly error: number; readonly scores: { readonly metric: number; readonly floatMetric: number } }> {
  const { sites, backend, inputs, expected, options: { metric, metricRise = 0 } } = bench;
  const floatMetric = await metric!(sites.model);
  for (let atOnce = 1; ; atOnce *= 2) {
    const score = await metric!(variant.model);
    if (score <= floatMetric + metricRise || !giveUp(variant.choices, atOnce, `the metric rose from ${floatMetric} to ${score}`)) {
      return { error: outputError(await outputsOf(variant.model, backend, inputs), expected), scores: { metric: score, floatMetric } };
    }
    variant.model = await build(variant.choices, bench);
  }
}

async function take(runs: CalibrationRuns, count: number): Promise<NamedTensors[]> {
  const taken: NamedTensors[] = [];
  for await (const inputs of runs()) {
    if (taken.length === count) break;
    taken.push(inputs);
  }
  if (taken.length === 0) throw new CoppiceError('COPPICE_CALIBRATION_INVALID', 'There was no run to measure with. Give a few recordings that the model was made for.');
  return taken;
}

/** The same choice once more, without measuring anything. */
async function replay(model: Model, backend: Backend, { settings, opset, choices, ranges }: QuantizationRecord): Promise<ChosenQuantization> {
  const sites = await findSites(prepareModel(model, opset), backend);
  const known = new Set(sites.sites.map(({ key }) => key));
  const strange = choices.filter(({ node }) => !known.has(node));
  if (strange.length > 0 || choices.length !== known.size) {
    throw new CoppiceError('COPPICE_QUANTIZE_INVALID', `The stored choice is about another model: ${strange.length > 0 ? `there is no node '${strange[0].node}'` : `it has ${choices.length} operators and the model ${known.size}`}. Choose anew, without the record.`);
  }
  const { table, ...written } = await writeForms(sites, settings, new Map(choices.map(({ node, form, why }) => [node, { form, why }])), async () => new Map(Object.entries(ranges)));
  return {
    ...written, table: table.map((row) => ({ ...row, candidates: [] })),
    record: { settings, opset, choices, ranges },
    bytesBefore: encodeModel(model).byteLength, bytesAfter: encodeModel(written.model).byteLength,
  };
}
