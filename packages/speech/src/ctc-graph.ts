import { gradientName, type Loss } from '@coppice/core';
import { makeValueInfo } from '@coppice/graph';
import type { CtcAxes } from './log-probs.ts';
import { asLoss, graphWriter, type GraphWriter } from './loss-graph.ts';

/** What `ctcLossGraph` takes. */
export interface CtcGraphOptions {
  /** The model's output with the log-probabilities. Default `log_probs`. */
  readonly output?: string;
  /** Size of its token axis; open when left out. */
  readonly tokens?: number;
  /** Default 0. */
  readonly blank?: number;
  /** Default `batch time token`. */
  readonly axes?: CtcAxes;
}

/** Stands for the logarithm of 0: far below every sum of log-probabilities, and still finite when a few are added. */
const LOG_ZERO = -1e30;

/**
 * `ctcLoss` for a batch as an ONNX graph in float32, with its gradient. Inputs: the log-probabilities [batch, time, token] or
 * [time, batch, token], natural logarithms; `targets` int64 [batch, label], the labels of each item from the left, padded with anything
 * that is a token; `target_lengths` int64 [batch]; `input_lengths` int64 [batch], the frames that belong to each item (no more than
 * there are). Outputs: `loss`, the mean over the items of −log P(labels) in nats, not divided by the number of labels; its gradient with
 * respect to the log-probabilities, which count as free variables as in `ctcLoss`; and `losses` float32 [batch], those of the items.
 *
 * Frames beyond an item's length have gradient 0, whatever is in them. An item whose labels do not fit its frames (`requiredFrames`), or
 * without frames, counts as an item with loss 0 and gradient 0: find such items beforehand. An item whose labels fit but have
 * probability 0 has loss Infinity; a NaN in a frame of an item makes the loss NaN.
 */
export function ctcLossGraph({ output = 'log_probs', tokens, blank = 0, axes = 'batch time token' }: CtcGraphOptions = {}): Loss {
  const [batch, time, token] = ['batch', `${output}.time`, tokens ?? `${output}.token`];
  const batchFirst = axes === 'batch time token';
  const reads = [makeValueInfo(output, 'float32', batchFirst ? [batch, time, token] : [time, batch, token])];
  const labels = [
    makeValueInfo('targets', 'int64', [batch, 'label']), makeValueInfo('target_lengths', 'int64', [batch]), makeValueInfo('input_lengths', 'int64', [batch]),
  ];
  const writer = graphWriter(['loss', 'losses', gradientName(output), ...reads.map(({ name }) => name), ...labels.map(({ name }) => name)]);
  const swap = (value: string, name?: string): string => writer.op('Transpose', [value], { perm: [1, 0, 2] }, name);
  const timeFirst = batchFirst ? swap(output) : output;

  const spelling = spell(writer, blank);
  const present = writer.op('Min', ['input_lengths', writer.size(timeFirst, 0)]);
  const frames = writer.op('Max', [present, writer.int(1)]);
  const fits = writer.op('And', [writer.op('LessOrEqual', [spelling.required, present]), writer.op('Greater', [present, writer.int(0)])]);
  const emissions = emit(writer, timeFirst, spelling);
  const posterior = align(writer, emissions.relative, spelling, frames);
  const inFrames = within(writer, timeFirst, frames);

  // What was taken from each frame comes back: [batch].
  const scales = writer.op('ReduceSum', [writer.op('Where', [inFrames, emissions.scale, writer.float(0)]), writer.int([0, 2])], { keepdims: 0 });
  const logLikelihood = writer.op('Add', [writer.op('ReduceLogSumExp', [posterior.firstFrame, writer.int([1])], { keepdims: 0 }), scales]);
  const impossible = writer.op('Less', [logLikelihood, writer.float(LOG_ZERO / 2)]);
  const itemLoss = writer.op('Where', [impossible, writer.float(Infinity), writer.op('Neg', [logLikelihood])]);
  writer.op('Where', [fits, itemLoss, writer.float(0)], {}, 'losses');
  writer.op('ReduceMean', ['losses'], { keepdims: 0 }, 'loss');

  // −occupancy / batch, summed over the states of each token: [batch, time, state] · [batch, state, token].
  const counted = writer.op('And', [inFrames, column(writer, writer.op('And', [fits, writer.op('Not', [impossible])]))]);
  const occupancy = writer.op('Where', [counted, posterior.occupancy, writer.float(0)]);
  const share = writer.op('Div', [writer.float(-1, [1]), writer.op('Cast', [writer.size(timeFirst, 1)], { to: 1 })]);
  const depth = writer.op('Squeeze', [writer.size(timeFirst, 2)]);
  const oneHot = writer.op('OneHot', [spelling.states, depth, writer.op('Concat', [writer.float(0, [1]), share], { axis: 0 })]);
  const gradient = writer.op('MatMul', [swap(occupancy), oneHot], {}, batchFirst ? gradientName(output) : undefined);
  if (!batchFirst) swap(gradient, gradientName(output));

  return asLoss({ name: 'ctc', reads, labels, extras: [makeValueInfo('losses', 'float32', [batch])], written: writer });
}

/** [batch] → [batch, 1], to stand beside the tokens or states of a frame. */
const column = (writer: GraphWriter, perItem: string): string => writer.op('Unsqueeze', [perItem, writer.int([1])]);

/** bool [time, batch, 1]: which frames belong to each item. */
function within(writer: GraphWriter, timeFirst: string, frames: string): string {
  const times = writer.op('Unsqueeze', [writer.indices(timeFirst, 0), writer.int([1, 2])]);
  return writer.op('Less', [times, column(writer, frames)]);
}

/** The labels with blanks before, between and after them, and two more at the end that no path reaches. */
interface Spelling {
  /** int64 [batch, state]: the token of each state. */
  readonly states: string;
  /** bool [batch, state]: up to the last blank of the item. */
  readonly used: string;
  /** bool [batch, state]: the token is that of two states before, so that the blank between may not be left out. */
  readonly repeats: string;
  /** int64 [batch]: the fewest frames that spell the labels. */
  readonly required: string;
  /** int64 [batch, state]: where each state is when the used ones are read backwards. */
  readonly backwards: string;
}

function spell(writer: GraphWriter, blank: number): Spelling {
  const length = column(writer, writer.op('Min', ['target_lengths', writer.size('targets', 1)]));
  // One label more, so that there are states also where no item has labels.
  const labels = writer.op('Unsqueeze', [writer.op('Pad', ['targets', writer.int([0, 0, 0, 1]), writer.int(blank)]), writer.int([2])]);
  const pairs = writer.op('Pad', [labels, writer.int([0, 0, 1, 0, 0, 0]), writer.int(blank)]);
  const states = writer.op('Flatten', [pairs], { axis: 1 });
  const places = writer.indices(states, 1);
  const last = writer.op('Add', [length, length]);
  const used = writer.op('LessOrEqual', [places, last]);
  const repeats = repeatsOf(writer, states);
  // As many blanks repeat the one before them as there are labels; and a label that repeats needs a frame more.
  const counted = writer.op('Cast', [writer.op('And', [repeats, used])], { to: 7 });
  return {
    states,
    used,
    repeats,
    required: writer.op('ReduceSum', [counted, writer.int([1])], { keepdims: 0 }),
    backwards: writer.op('Where', [used, writer.op('Sub', [last, places]), places]),
  };
}

/** bool [batch, state]: the token is that of two states before. */
function repeatsOf(writer: GraphWriter, states: string): string {
  const shifted = writer.op('Pad', [states, writer.int([0, 2, 0, 0]), writer.int(-1)]);
  return writer.op('Equal', [states, writer.op('Slice', [shifted, writer.int([0]), writer.int([-2]), writer.int([1])])]);
}

/** An index [batch, state] for each frame. */
const forEachFrame = (writer: GraphWriter, index: string, timeFirst: string): string =>
  writer.op('Expand', [index, writer.op('Concat', [writer.size(timeFirst, 0), writer.int([1, 1])], { axis: 0 })]);

/**
 * The log-probability of each state's token, relative to the likeliest state of the frame [time, batch, state], and that one's own
 * [time, batch, 1]: small numbers keep float32 exact over long recordings.
 */
function emit(writer: GraphWriter, timeFirst: string, { states, used }: Spelling): { readonly relative: string; readonly scale: string } {
  const spoken = writer.op('GatherElements', [timeFirst, forEachFrame(writer, states, timeFirst)], { axis: 2 });
  const finite = writer.op('Where', [used, writer.op('Max', [spoken, writer.float(LOG_ZERO)]), writer.float(LOG_ZERO)]);
  const scale = writer.op('ReduceMax', [finite, writer.int([2])], { keepdims: 1 });
  return { relative: writer.op('Max', [writer.op('Sub', [finite, scale]), writer.float(LOG_ZERO)]), scale };
}

/**
 * Forwards and backwards in one Scan over a batch of twice the size: an item read backwards, in frames and in states, is an item like
 * any other. `occupancy` [time, batch, state]: the probability of each state; each frame sums to 1 by a softmax, which takes out what
 * rounding has added up. `firstFrame` [batch, state]: log-probability of the paths that begin there.
 */
function align(writer: GraphWriter, emissions: string, { states, repeats, backwards }: Spelling, frames: string): { readonly occupancy: string; readonly firstFrame: string } {
  const turnedPlaces = forEachFrame(writer, backwards, emissions);
  const turn = (value: string): string =>
    writer.op('GatherElements', [writer.op('ReverseSequence', [value, frames], { time_axis: 0, batch_axis: 1 }), turnedPlaces], { axis: 2 });
  const turned = turn(emissions);
  const turnedRepeats = repeatsOf(writer, writer.op('GatherElements', [states, backwards], { axis: 1 }));
  const mayJump = writer.op('Where', [writer.op('Concat', [repeats, turnedRepeats], { axis: 0 }), writer.float(LOG_ZERO), writer.float(0)]);
  const arriving = walk(writer, writer.op('Concat', [emissions, turned], { axis: 1 }), mayJump);
  const [ahead, behind] = [writer.name('ahead'), writer.name('behind')];
  writer.node('Split', [arriving], [ahead, behind], { axis: 1, num_outputs: 2 });
  // Forwards up to the frame without it, backwards with it.
  const paths = writer.op('Add', [ahead, turn(writer.op('Add', [behind, turned]))]);
  return { occupancy: writer.op('Softmax', [paths], { axis: 2 }), firstFrame: writer.op('Gather', [paths, writer.int(0)], { axis: 0 }) };
}

/**
 * One Scan over frames. The carried state [item, 2 + state] is log-probability of the paths that end in each state, behind two places
 * that are never reached; a path comes from the same state, the one before, or, where `mayJump` is 0, from two before.
 * @returns [time, item, state], log-probability of the paths that arrive in a state, before its own frame is counted
 */
function walk(writer: GraphWriter, emissions: string, mayJump: string): string {
  const [zero, one, two, all, minusOne, minusTwo] = [0, 1, 2, Number.MAX_SAFE_INTEGER, -1, -2].map((value) => writer.int([value]));
  const edge = writer.op('Expand', [writer.float(LOG_ZERO), writer.op('Concat', [writer.size(emissions, 1), two], { axis: 0 })]);
  // A path starts in the state before all labels, so that the first frame is like the others.
  const start = writer.op('Where', [writer.op('Equal', [writer.indices(emissions, 2), writer.int(0)]), writer.float(0), writer.float(LOG_ZERO)]);
  const starts = writer.op('Expand', [start, writer.op('Shape', [mayJump])]);
  const first = writer.op('Concat', [edge, starts], { axis: 1 });
  const [before, frame, after, arriving, last, arrivals] = ['before', 'frame', 'after', 'arriving', 'last', 'arrivals'].map(writer.name);
  const body = writer.body([makeValueInfo(before, 'float32', ['item', 'place']), makeValueInfo(frame, 'float32', ['item', 'state'])], (inner) => {
    const stay = inner.op('Slice', [before, two, all, one]);
    const step = inner.op('Slice', [before, one, minusOne, one]);
    const jump = inner.op('Add', [inner.op('Slice', [before, zero, minusTwo, one]), mayJump]);
    const top = inner.op('Max', [stay, step, jump]);
    const sum = inner.op('Sum', [stay, step, jump].map((way) => inner.op('Exp', [inner.op('Sub', [way, top])])));
    inner.op('Add', [top, inner.op('Log', [sum])], {}, arriving);
    inner.op('Concat', [edge, inner.op('Add', [arriving, frame])], { axis: 1 }, after);
    return [makeValueInfo(after, 'float32', ['item', 'place']), makeValueInfo(arriving, 'float32', ['item', 'state'])];
  });
  writer.node('Scan', [first, emissions], [last, arrivals], { body, num_scan_inputs: 1 });
  return arrivals;
}
