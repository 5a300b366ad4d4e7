import { GraphEdits, type Backend, type Program } from '@coppice/core';
import { fromFloat32, makeInitializer, toFloat32, type Model, type NormalNode } from '@coppice/graph';
import { findSites, type Site, type Sites, type SiteWeight } from '../site.ts';
import { affineOf, type Affine } from './affine.ts';
import { unchanged, type Pass } from './step.ts';

type Step = Program['steps'][number];

/** What an affine map of channels can be folded into, with the axis of its result that axis 1 of the norm is. */
const LINEAR: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);

/**
 * Batch norms, and arithmetic with one constant for each channel, go into the weights of the linear operator in front of them, or into the
 * one behind them where no padding lies between. One round: what becomes foldable by it is for the next.
 */
export async function foldBatchNorms(model: Model, backend: Backend): Promise<Pass> {
  const sites = await findSites(model, backend);
  const { program } = sites;
  const edits = new GraphEdits(model);
  const readers = readersOf(program);
  const siteOf = new Map(sites.sites.map((site) => [site.step, site]));
  const makers = new Map(program.steps.flatMap((step) => step.outputs.map((id) => [id, step] as const)));
  const used = new Set<Step>();
  const [changed, left]: string[][] = [[], []];
  for (const step of program.steps) {
    const norm = step.node.op === 'BatchNormalization' && step.node.domain === '';
    if (step.scope.parent !== undefined) {
      if (norm) left.push(`${labelOf(step)} is in the body of another node`);
      continue;
    }
    const done = foldBack(step, makers, readers, siteOf, sites, edits, used) ?? (norm ? foldForward(step, readers, siteOf, sites, edits, used) : undefined);
    if (done === true) changed.push(step.proto.name || step.proto.output[0]);
    else if (norm) left.push(`${labelOf(step)}: ${done ?? 'what makes its input is not linear, and what reads it is not either'}`);
  }
  return changed.length === 0 ? unchanged(model, left) : { model: edits.apply(), changed, left };
}

const labelOf = ({ node, proto }: Step): string => `${node.op} '${proto.name || proto.output[0]}'`;

function readersOf({ steps, outputs }: Program): (id: number) => readonly Step[] | undefined {
  const readers = new Map<number, Step[]>();
  for (const step of steps) for (const id of step.inputs) if (id >= 0) (readers.get(id) ?? readers.set(id, []).get(id)!).push(step);
  // A result of the model has a reader that nobody knows.
  return (id) => (outputs.includes(id) ? undefined : readers.get(id) ?? []);
}

/** The node whose weights can change, what stands in the way, or undefined where it is nothing of the kind. */
function foldBack(step: Step, makers: ReadonlyMap<number, Step>, readers: ReturnType<typeof readersOf>, siteOf: ReadonlyMap<Step, Site>, sites: Sites, edits: GraphEdits, used: Set<Step>): true | string | undefined {
  for (const operand of step.node.op === 'BatchNormalization' ? [0] : [0, 1]) {
    const maker = makers.get(step.inputs[operand] ?? -1);
    if (!maker || !LINEAR.has(maker.node.op) || maker.node.domain !== '' || maker.scope.parent !== undefined) continue;
    const site = siteOf.get(maker)!;
    const weight = site.weights.find((w) => w.operand.input === 1);
    const affine = affineOf(step, sites, weight?.dims.length ?? 0);
    if (affine === undefined || typeof affine === 'string') return affine;
    if (affine.operand !== operand) continue;
    if (!weight) return `the weight of ${labelOf(maker)} is not a constant`;
    if (weight.dequantized) return `the weight of ${labelOf(maker)} is stored in few bits`;
    if (used.has(maker) || used.has(step)) return 'its neighbour was folded in this round';
    if (readers(maker.outputs[0])?.length !== 1) return `${labelOf(maker)} is read by others too`;
    const folded = intoMaker(site, weight, affine, sites, edits);
    if (folded !== true) return folded;
    // The norm's result is made by the linear node now; the norm itself has no reader and goes.
    const [y] = step.proto.output;
    edits.freeOutput(step.proto, 0);
    edits.setOutput(maker.proto, 0, y);
    edits.setInput(step.proto, operand, y);
    used.add(maker).add(step);
    return true;
  }
  return undefined;
}

const channelsOf = ({ node }: Step, dims: readonly number[]): number =>
  node.op === 'ConvTranspose' ? dims[1] * groupsOf(node) : node.op === 'Gemm' ? dims[node.attributes.transB ? 0 : 1] : dims[0];

const groupsOf = (node: NormalNode): number => Number(node.attributes.group ?? 1);

/** W·scale and b·scale + shift along the output channels. */
function intoMaker(site: Site, weight: SiteWeight, { scale, shift }: Affine, sites: Sites, edits: GraphEdits): true | string {
  const { step } = site;
  const channels = channelsOf(step, weight.dims);
  if (scale.length !== 1 && scale.length !== channels) return `it has ${scale.length} channels where ${labelOf(step)} makes ${channels}`;
  const at = (values: Float64Array, c: number) => values[values.length === 1 ? 0 : c];
  const bias = biasOf(step, sites, channels);
  if (typeof bias === 'string') return bias;
  const beta = step.node.op === 'Gemm' ? Number(step.node.attributes.beta ?? 1) : 1;
  if (beta === 0) return `${labelOf(step)} leaves its bias out`;
  const channel = outputChannel(step, weight.dims);
  const data = toFloat32(weight.tensor).map((w, k) => w * at(scale, channel(k)));
  const biases = Float32Array.from({ length: channels }, (_, c) => (bias?.[c] ?? 0) * at(scale, c) + at(shift, c) / beta);
  if (![...data, ...biases].every((w) => Number.isFinite(w))) return 'the folded weights would not be finite';
  setWeight(step, 1, weight, data, edits);
  if (bias !== undefined || shift.some((s) => s !== 0)) setBias(step, weight, biases, edits);
  return true;
}

/** The output channel of each element of a weight. */
function outputChannel({ node }: Step, dims: readonly number[]): (k: number) => number {
  const kernel = dims.slice(2).reduce((product, n) => product * n, 1);
  if (node.op === 'Conv') return (k) => Math.floor(k / (dims[1] * kernel));
  if (node.op === 'Gemm') return node.attributes.transB ? (k) => Math.floor(k / dims[1]) : (k) => k % dims[1];
  // W[i, o/groups, k…]: the input channel says which group.
  const perGroup = dims[0] / groupsOf(node);
  return (k) => Math.floor(Math.floor(k / (dims[1] * kernel)) / perGroup) * dims[1] + (Math.floor(k / kernel) % dims[1]);
}

/** The input channel of each element of a Conv or Gemm weight. */
function inputChannel({ node }: Step, dims: readonly number[]): (k: number) => number {
  if (node.op === 'Gemm') return node.attributes.transB ? (k) => k % dims[1] : (k) => Math.floor(k / dims[1]);
  const kernel = dims.slice(2).reduce((product, n) => product * n, 1);
  const perGroup = dims[0] / groupsOf(node);
  return (k) => Math.floor(Math.floor(k / (dims[1] * kernel)) / perGroup) * dims[1] + (Math.floor(k / kernel) % dims[1]);
}

/** One bias for each channel; undefined where there is none, a sentence where it is something else. */
function biasOf(step: Step, { contents }: Sites, channels: number): Float32Array | undefined | string {
  if (!((step.inputs[2] ?? -1) >= 0)) return undefined;
  const bias = contents(step.inputs[2]);
  if (!bias || bias.dims.slice(0, -1).some((n) => n !== 1)) return `the bias of ${labelOf(step)} is not one constant for each channel`;
  const own = toFloat32(bias);
  if (own.length === channels) return own;
  return own.length === 1 ? new Float32Array(channels).fill(own[0]) : `the bias of ${labelOf(step)} is not one constant for each channel`;
}

function setWeight(step: Step, input: number, weight: SiteWeight, data: Float32Array, edits: GraphEdits): void {
  const name = edits.fresh(`${weight.name}/folded`);
  edits.addTensor(makeInitializer(name, weight.dtype, weight.dims, fromFloat32(data, weight.dtype)));
  edits.setInput(step.proto, input, name);
}

function setBias(step: Step, weight: SiteWeight, data: Float32Array, edits: GraphEdits): void {
  const name = edits.fresh(`${weight.name}/folded_bias`);
  edits.addTensor(makeInitializer(name, weight.dtype, [data.length], fromFloat32(data, weight.dtype)));
  edits.setInput(step.proto, 2, name);
}

/** W·scale along the input channels, b + Σ W·shift: exact where the operator behind never sees padding. */
function foldForward(step: Step, readers: ReturnType<typeof readersOf>, siteOf: ReadonlyMap<Step, Site>, sites: Sites, edits: GraphEdits, used: Set<Step>): true | string | undefined {
  const behind = readers(step.outputs[0]);
  if (behind?.length !== 1) return undefined;
  const [reader] = behind;
  if (reader.scope.parent !== undefined || !['Conv', 'Gemm'].includes(reader.node.op) || reader.node.domain !== '' || reader.inputs[0] !== step.outputs[0]) return undefined;
  const site = siteOf.get(reader)!;
  const weight = site.weights.find((w) => w.operand.input === 1);
  const affine = affineOf(step, sites, weight?.dims.length ?? 0);
  if (affine === undefined || typeof affine === 'string') return affine;
  if (!weight) return `the weight of ${labelOf(reader)} is not a constant`;
  if (weight.dequantized) return `the weight of ${labelOf(reader)} is stored in few bits`;
  if (used.has(reader) || used.has(step)) return 'its neighbour was folded in this round';
  const { attributes } = reader.node;
  if (reader.node.op === 'Conv') {
    const auto = attributes.auto_pad ?? 'NOTSET';
    const pads = (attributes.pads as readonly number[] | undefined) ?? [];
    if (!(auto === 'VALID' || (auto === 'NOTSET' && pads.every((p) => p === 0)))) return `${labelOf(reader)} behind it pads with zeros, which the norm would not have made zero`;
  } else if (attributes.transA) return `${labelOf(reader)} behind it transposes`;
  const channels = channelsOf(reader, weight.dims);
  const bias = biasOf(reader, sites, channels);
  if (typeof bias === 'string') return bias;
  const [alpha, beta] = reader.node.op === 'Gemm' ? [Number(attributes.alpha ?? 1), Number(attributes.beta ?? 1)] : [1, 1];
  if (beta === 0) return `${labelOf(reader)} leaves its bias out`;
  const [into, out] = [inputChannel(reader, weight.dims), outputChannel(reader, weight.dims)];
  const own = toFloat32(weight.tensor);
  const sums = Float64Array.from({ length: channels }, (_, c) => bias?.[c] ?? 0);
  const data = own.map((w, k) => {
    sums[out(k)] += (w * affine.shift[into(k)] * alpha) / beta;
    return w * affine.scale[into(k)];
  });
  if (![...data, ...sums].every((w) => Number.isFinite(w))) return 'the folded weights would not be finite';
  setWeight(reader, 1, weight, data, edits);
  setBias(reader, weight, Float32Array.from(sums), edits);
  edits.setInput(reader.proto, 0, step.proto.input[0]);
  used.add(reader).add(step);
  return true;
}
