import type { Backend } from '@coppice/core';
import { CoppiceError, domainOf, encodeModel, withFields, type Model } from '@coppice/graph';
import { calibrate, type CalibrationOptions, type CalibrationRuns, type ObservedRange } from './calibrate/calibrate.ts';
import { dropUnread, prepareModel } from './prepare.ts';
import { Rewriter, type Settings } from './rewriter.ts';
import { saturates } from './saturation.ts';
import { findSites, type Site, type Sites } from './site.ts';
import { isAbsent } from './table/forms.ts';
import type { IntegerForm } from './table/row.ts';
import { storeWeights, whyNotStored } from './table/weight-only.ts';

/** How one operator is computed. */
export type Form = 'float' | 'int8-static' | 'int8-dynamic' | 'weight-int8' | 'weight-int4';
export type QuantizationMode = Exclude<Form, 'float'>;

export interface QuantizeOptions {
  readonly mode: QuantizationMode;
  readonly calibration?: CalibrationOptions;
  /** Node names (of the finished model) that stay in float. */
  readonly keepFloat?: readonly string[];
  /** How activations are written in static mode. Default uint8. ONNX Runtime 1.30 refuses some graphs with int8 from opset 21 on. */
  readonly activations?: 'uint8' | 'int8';
  /**
   * Whether weights that meet activations in integers use 7 of 8 bits: without VNNI, x86 adds pairs of products in 16 bits, which overflow
   * (ONNX Runtime, "Quantize ONNX models", about `reduce_range`). `auto` (the default) tries it on the given backend; the model may be
   * meant for another machine, so say `true` where that is an old x86 without the relaxed kernels.
   */
  readonly reduceRange?: boolean | 'auto';
  /** What recurrent layers become in static mode. Default `dynamic` (LSTM on the fly, others stored in int8). */
  readonly recurrent?: 'dynamic' | 'weights' | 'float';
  /**
   * Whether convolutions become ConvInteger in dynamic mode. Default false: ONNX Runtime 1.30 takes 2 to 12 times as long for it as for float,
   * so their weights are stored in int8.
   */
  readonly convInteger?: boolean;
  /**
   * How weights that are only stored in few bits become floats: `cast` (Cast, Mul), which runtimes compute once while they load, or
   * `dequantize` (DequantizeLinear), which they compute in every run but which other tools recognise. Default `cast`.
   */
  readonly weightsAs?: 'cast' | 'dequantize';
  /** Elements that share a scale in int4. Default 32. */
  readonly blockSize?: number;
}

/** What became of one operator. */
export interface QuantizedOperator {
  /** Name of the node, or of its first result, behind the path of the body it is in. */
  readonly node: string;
  readonly operator: string;
  readonly form: Form;
  /** A sentence about the operator. */
  readonly why: string;
  /** Bytes of its weights and their scales. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface QuantizedModel {
  readonly model: Model;
  /** Every operator of the model, in its order. */
  readonly table: readonly QuantizedOperator[];
  /** What calibration saw, by activation. */
  readonly ranges: ReadonlyMap<string, ObservedRange>;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** The operator set that each form needs at least: per-axis DequantizeLinear is of 13, int4 of 21. */
const LEAST_OPSET: Readonly<Record<Form, number>> = { float: 7, 'weight-int8': 9, 'int8-dynamic': 11, 'int8-static': 13, 'weight-int4': 21 };

/**
 * A model in 8 or 4 bits. Every operator with weights gets the form that the mode asks for, or the nearest one that there is (a GRU in
 * static mode has its weights stored in int8), or stays in float; the table says which and why. Values keep their names.
 * @param runs for the ranges of activations; drawn in static mode only
 * @throws CoppiceError `COPPICE_QUANTIZE_INVALID` when nothing in the model can be quantised, or for options that do not fit;
 * `COPPICE_CALIBRATION_INVALID` without runs; `COPPICE_UNSUPPORTED_OPSET` when an old file cannot be said in the opset it needs; what the backend throws
 */
export async function quantize(model: Model, backend: Backend, runs: CalibrationRuns, options: QuantizeOptions): Promise<QuantizedModel> {
  checkOptions(options);
  const sites = await findSites(prepareModel(model, leastOpset(options)), backend);
  checkKept(sites, options.keepFloat ?? []);
  const settings = await settingsFor(options, backend);
  const result = await writeForms(sites, settings, new Map(sites.sites.map((site) => [site.key, formFor(site, sites, options)])), (names) =>
    calibrate(sites.model, backend, runs, names, options.calibration ?? { method: 'min-max' }));
  if (result.table.every(({ form }) => form === 'float')) throw nothingToQuantize(result.table);
  return { ...result, bytesBefore: encodeModel(model).byteLength, bytesAfter: encodeModel(result.model).byteLength };
}

/** The operator set that a mode needs. */
export const leastOpset = ({ mode, weightsAs }: Pick<QuantizeOptions, 'mode' | 'weightsAs'>): number => Math.max(LEAST_OPSET[mode], weightsAs === 'dequantize' ? 13 : 0);

/** A form and the sentence why it is that one. */
export interface Choice {
  readonly form: Form;
  readonly why: string;
}

/** What writes the forms into the graph needs to know besides them. */
export async function settingsFor({ activations = 'uint8', reduceRange = 'auto', weightsAs = 'cast', blockSize = 32 }: Omit<QuantizeOptions, 'mode'>, backend: Backend): Promise<Settings> {
  const reduced = reduceRange === 'auto' ? await saturates(backend) : reduceRange;
  return { activations, mostWithActivations: reduced ? 63 : 127, weightsAs, blockSize };
}

/**
 * Writes a form for each operator.
 * @param choices by key of the site
 * @param rangesOf calibrates the activations that static forms need; they fall back where there is no range
 */
export async function writeForms(sites: Sites, settings: Settings, choices: ReadonlyMap<string, Choice>, rangesOf: (names: readonly string[]) => Promise<ReadonlyMap<string, ObservedRange>>): Promise<Pick<QuantizedModel, 'model' | 'table' | 'ranges'>> {
  const plan = new Rewriter(sites, settings, new Map());
  const observed = new Map(sites.sites.flatMap((site) => {
    const form = choices.get(site.key)?.form === 'int8-static' ? integerForm(site, 'static') : undefined;
    return form ? [[site.key, form.observes?.(site, plan) ?? []] as const] : [];
  }));
  const names = [...new Set([...observed.values()].flat())];
  const ranges = names.length > 0 ? await rangesOf(names) : new Map<string, ObservedRange>();
  const to = new Rewriter(sites, settings, ranges);
  const table = sites.sites.map((site): QuantizedOperator => {
    const choice = withRanges(choices.get(site.key) ?? { form: 'float', why: 'nothing was chosen for it' }, site, observed.get(site.key) ?? [], ranges);
    write(site, choice.form, to);
    const bytesBefore = site.weights.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    return { node: site.key, operator: site.node.domain ? `${site.node.domain}.${site.node.op}` : site.node.op, ...choice, bytesBefore, bytesAfter: choice.form === 'float' ? bytesBefore : to.written.get(site.key) ?? 0 };
  });
  return { model: withDomains(dropUnread(to.edits.apply()), to.domains), table, ranges };
}

function write(site: Site, form: Form, to: Rewriter): void {
  if (isAbsent(site.forms) || form === 'float') return;
  if (form === 'int8-static') return integerForm(site, 'static')!.write(site, to);
  if (form === 'int8-dynamic') return integerForm(site, 'dynamic')!.write(site, to);
  if (site.forms.stored) return site.forms.stored(site, to);
  return storeWeights(site, to, form === 'weight-int4' ? 4 : 8);
}

function integerForm({ forms }: Site, kind: 'static' | 'dynamic'): IntegerForm | undefined {
  if (isAbsent(forms)) return undefined;
  const form = forms[kind];
  return 'absent' in form ? undefined : form;
}

/** A static form without a range becomes stored weights, or float, and says so. */
function withRanges(choice: Choice, site: Site, names: readonly string[], ranges: ReadonlyMap<string, ObservedRange>): Choice {
  if (choice.form !== 'int8-static') return choice;
  for (const name of names) {
    const range = ranges.get(name);
    if (range !== undefined && !('refused' in range)) continue;
    const why = `the activation '${name}' ${range?.refused ?? 'was never seen'}`;
    return whyNotStored(site) === undefined ? { form: 'weight-int8', why: `${why}; ${GRANTED['weight-int8']}` } : { form: 'float', why };
  }
  return choice;
}

/** The forms that a site can have, and for the others a sentence why not. */
export function possibleForms(site: Site, sites: Sites): { readonly [F in QuantizationMode]: true | string } {
  const { forms } = site;
  if (isAbsent(forms)) return { 'int8-static': forms.absent, 'int8-dynamic': forms.absent, 'weight-int8': forms.absent, 'weight-int4': forms.absent };
  const integer = (kind: 'static' | 'dynamic'): true | string => {
    const form = forms[kind];
    if ('absent' in form) return form.absent;
    if (kind === 'static' && site.inBody) return 'it is in the body of another node, where its activations cannot be observed';
    if (site.weights.some(({ dequantized }) => dequantized)) return 'its weight is stored in few bits already';
    const unusable = site.weights.find((weight) => !isFinite(weight));
    if (unusable) return `its weight '${unusable.name}' has elements that are infinite or not a number`;
    return form.misfit(site, sites) ?? true;
  };
  const unusable = site.weights.find((weight) => !isFinite(weight));
  const stored = unusable ? `its weight '${unusable.name}' has elements that are infinite or not a number` : forms.stored && site.weights[0]?.sharing.keep.length === 0 ? 'it does not look up rows of a table' : whyNotStored(site) ?? true;
  return { 'int8-static': integer('static'), 'int8-dynamic': integer('dynamic'), 'weight-int8': stored, 'weight-int4': stored };
}

const finite = new WeakMap<object, boolean>();

function isFinite({ tensor }: Site['weights'][number]): boolean {
  const known = finite.get(tensor);
  if (known !== undefined) return known;
  const halves = tensor.dtype === 'float16';
  const result = (tensor.data as Float32Array).every((x) => (halves ? (x & 0x7c00) !== 0x7c00 : x - x === 0));
  finite.set(tensor, result);
  return result;
}

/** The sentences of forms that were had. */
const GRANTED: Readonly<Record<QuantizationMode, string>> = {
  'int8-static': 'weights and activations are in 8 bits, with scales from calibration',
  'int8-dynamic': 'weights are in 8 bits, and activations get their scale in each run',
  'weight-int8': 'its weights are stored in 8 bits and computed with in float',
  'weight-int4': 'its weights are stored in 4 bits where blocks divide them, and in 8 elsewhere; it computes in float',
};

/** The form that a mode gives a site, or the nearest one. */
function formFor(site: Site, sites: Sites, { mode, keepFloat = [], recurrent = 'dynamic', convInteger = false }: QuantizeOptions): Choice {
  if (keepFloat.includes(site.key) || (site.step.proto.name !== '' && keepFloat.includes(site.step.proto.name))) return { form: 'float', why: 'it was asked to stay in float' };
  const possible = possibleForms(site, sites);
  if (mode === 'int8-dynamic' && site.node.op === 'Conv' && !convInteger && possible['weight-int8'] === true) return { form: 'weight-int8', why: `runtimes take several times as long for ConvInteger as for float; ${GRANTED['weight-int8']}` };
  if (possible[mode] === true) return { form: mode, why: GRANTED[mode] };
  if (isAbsent(site.forms)) return { form: 'float', why: site.forms.absent };
  const isRecurrent = ['LSTM', 'GRU', 'RNN'].includes(site.node.op);
  if (mode === 'int8-static' && isRecurrent && recurrent === 'float') return { form: 'float', why: 'recurrent layers were asked to stay in float' };
  if (mode === 'int8-static' && isRecurrent && recurrent === 'dynamic' && possible['int8-dynamic'] === true) return { form: 'int8-dynamic', why: `${possible[mode]}; ${GRANTED['int8-dynamic']}` };
  if (mode.startsWith('int8') && possible['weight-int8'] === true) return { form: 'weight-int8', why: `${possible[mode]}; ${GRANTED['weight-int8']}` };
  const [asked, stored] = [possible[mode], possible['weight-int8']] as readonly string[];
  return { form: 'float', why: asked === stored || !mode.startsWith('int8') ? asked : `${asked}; ${stored}` };
}

function withDomains(model: Model, domains: ReadonlySet<string>): Model {
  const known = new Set(model.proto.opsetImport.map(domainOf));
  const added = [...domains].filter((domain) => !known.has(domain)).map((domain) => withFields(model.proto.opsetImport[0], { domain, version: 1n }));
  return added.length === 0 ? model : { ...model, proto: withFields(model.proto, { opsetImport: [...model.proto.opsetImport, ...added] }) };
}

function checkOptions({ mode, blockSize = 32, activations = 'uint8' }: QuantizeOptions): void {
  if (!Object.hasOwn(GRANTED, mode)) throw new CoppiceError('COPPICE_QUANTIZE_INVALID', `There is no mode '${String(mode)}'. Choose ${Object.keys(GRANTED).join(', ')}.`);
  if (!Number.isInteger(blockSize) || blockSize < 16 || (blockSize & (blockSize - 1)) !== 0) throw new CoppiceError('COPPICE_QUANTIZE_INVALID', `Blocks of ${blockSize} weights are not what runtimes take. Give 16, 32, 64, 128 or 256.`);
  if (activations !== 'uint8' && activations !== 'int8') throw new CoppiceError('COPPICE_QUANTIZE_INVALID', `Activations cannot be written as '${String(activations)}'. Choose uint8 or int8.`);
}

/** @throws CoppiceError `COPPICE_QUANTIZE_INVALID` for a name that no node has */
export function checkKept({ sites }: Sites, keepFloat: readonly string[]): void {
  const names = new Set(sites.flatMap(({ key, step }) => [key, step.proto.name]));
  const unknown = keepFloat.filter((name) => !names.has(name));
  if (unknown.length > 0) throw new CoppiceError('COPPICE_QUANTIZE_INVALID', `No node is named ${unknown.map((name) => `'${name}'`).join(', ')}, so it cannot be kept in float. Names are those of the finished model, e.g. ${sites.slice(0, 3).map(({ key }) => `'${key}'`).join(', ')}.`);
}

function nothingToQuantize(table: readonly QuantizedOperator[]): CoppiceError {
  const reasons = new Map<string, string[]>();
  for (const { operator, why, node, bytesBefore } of table) if (bytesBefore > 0) reasons.set(why, [...(reasons.get(why) ?? []), `${operator} '${node}'`]);
  const said = [...reasons].map(([why, nodes]) => `${nodes.slice(0, 3).join(', ')}${nodes.length > 3 ? ` and ${nodes.length - 3} more` : ''}: ${why}`);
  return new CoppiceError('COPPICE_QUANTIZE_INVALID', `No operator of the model was quantised. ${said.length > 0 ? said.join('. ') : 'None has constant weights'}. Choose another mode, or ship the model as it is.`);
}
