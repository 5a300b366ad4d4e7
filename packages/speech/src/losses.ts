import { gradientName, type Loss } from '@coppice/core';
import { CoppiceError, makeValueInfo } from '@coppice/graph';
import type { CtcAxes } from './log-probs.ts';
import { asLoss, graphWriter, type GraphWriter } from './loss-graph.ts';

/** Stands for the logarithm of 0 where an infinity would become 0 · ∞. */
const LOG_ZERO = -1e30;

/** What `distillationLoss` takes. */
export interface DistillationOptions {
  /** The model's output with log-probabilities or logits. Default `log_probs`. */
  readonly output?: string;
  /** Size of its token axis; open when left out. */
  readonly tokens?: number;
  /** The label input with the same output of the teacher. Default `teacher_log_probs`. */
  readonly teacher?: string;
  /** What the logarithms of both are divided by before they are normalised again. Default 1. */
  readonly temperature?: number;
  /** Default `batch time token`. `batch token` is a classifier's: each item is one frame that counts, and there are no `input_lengths`. */
  readonly axes?: CtcAxes | 'batch token';
}

/**
 * How far the student's frames are from the teacher's: the mean over all frames within `input_lengths` of T²·KL(pᵀ ‖ qᵀ) in nats, p of
 * the teacher and q of the student, each softmax(log-probabilities / T). T² keeps the size of gradients. Hinton et al. 2015, section 2.
 *
 * Inputs: the student's output and `teacher_log_probs`, float32 of the same axes, `input_lengths` int64 [batch]. The gradient is that of
 * the formula as it stands, normalisation included: T·(qᵀ − pᵀ) / frames; so logits do as well as log-probabilities. No frames: 0.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` for a temperature that is not a positive number
 */
export function distillationLoss(options: DistillationOptions = {}): Loss {
  const { output = 'log_probs', tokens, teacher = 'teacher_log_probs', temperature = 1, axes = 'batch time token' } = options;
  if (!(temperature > 0) || temperature === Infinity) {
    throw new CoppiceError('COPPICE_CONFIG_INVALID', `The temperature of a distillation is ${temperature}; give a positive number, usually 1 to 5.`);
  }
  const [time, token] = [`${output}.time`, tokens ?? `${output}.token`];
  const dims = axes === 'batch token' ? ['batch', token] : axes === 'batch time token' ? ['batch', time, token] : [time, 'batch', token];
  const reads = [makeValueInfo(output, 'float32', dims)];
  const labels = [makeValueInfo(teacher, 'float32', dims), ...(axes === 'batch token' ? [] : [makeValueInfo('input_lengths', 'int64', ['batch'])])];
  const writer = graphWriter(['loss', gradientName(output), output, teacher, 'input_lengths']);

  const inFrames = axes === 'batch token' ? undefined : framesThatCount(writer, output, axes);
  const count = inFrames === undefined ? asFloat(writer, writer.size(output, 0)) : asFloat(writer, inFrames);
  const frames = writer.op('Max', [writer.op('ReduceSum', [count], { keepdims: 0 }), writer.float(1)]);
  const softened = (value: string): string => {
    const finite = writer.op('Max', [writer.op('Div', [value, writer.float(temperature)]), writer.float(LOG_ZERO)]);
    return writer.op('LogSoftmax', [finite], { axis: -1 });
  };
  const [logP, logQ] = [softened(teacher), softened(output)];
  const [p, q] = [writer.op('Exp', [logP]), writer.op('Exp', [logQ])];
  const masked = (value: string): string => (inFrames === undefined ? value : writer.op('Where', [inFrames, value, writer.float(0)]));
  const total = writer.op('ReduceSum', [masked(writer.op('Mul', [p, writer.op('Sub', [logP, logQ])]))], { keepdims: 0 });
  writer.op('Div', [writer.op('Mul', [total, writer.float(temperature ** 2)]), frames], {}, 'loss');
  writer.op('Mul', [masked(writer.op('Sub', [q, p])), writer.op('Div', [writer.float(temperature), frames])], {}, gradientName(output));
  return asLoss({ name: 'distillation', reads, labels, written: writer });
}

/** Whether each frame lies within `input_lengths`, with an axis of one for the tokens. */
function framesThatCount(writer: GraphWriter, output: string, axes: CtcAxes): string {
  const timeAxis = axes === 'batch time token' ? 1 : 0;
  return writer.op('Less', [
    writer.op('Unsqueeze', [writer.indices(output, timeAxis), writer.int([1 - timeAxis, 2])]), writer.op('Unsqueeze', ['input_lengths', writer.int([timeAxis, 2])]),
  ]);
}

/** What `crossEntropyLoss` takes. */
export interface CrossEntropyOptions {
  /** The model's output [batch, class]. */
  readonly output: string;
  /** What its numbers are. */
  readonly kind: 'logits' | 'log-probs' | 'probabilities';
  /** Size of its class axis; open when left out. */
  readonly classes?: number;
  /** The label input. Default `labels`. */
  readonly labels?: string;
}

/** Probabilities below this count as this, so that the logarithm is finite. */
const LEAST_PROBABILITY = 1e-12;

/**
 * The mean over a batch of −log p(label) in nats, for a classifier. Inputs: its output float32 [batch, class], `labels` int64 [batch].
 * The gradient is that with respect to the output as it is: logits go through a softmax; log-probabilities and probabilities count as
 * free variables. A probability below 1e-12 counts as 1e-12, and keeps the slope that it has there, so that learning can leave it.
 */
export function crossEntropyLoss({ output, kind, classes, labels = 'labels' }: CrossEntropyOptions): Loss {
  const reads = [makeValueInfo(output, 'float32', ['batch', classes ?? `${output}.class`])];
  const writer = graphWriter(['loss', gradientName(output), output, labels]);
  const wanted = writer.op('Equal', [writer.op('Unsqueeze', [labels, writer.int([1])]), writer.indices(output, 1)]);
  const probability = kind === 'probabilities' ? writer.op('Max', [output, writer.float(LEAST_PROBABILITY)]) : undefined;
  const logProbs = kind === 'logits' ? writer.op('LogSoftmax', [output], { axis: -1 }) : probability !== undefined ? writer.op('Log', [probability]) : output;
  const items = writer.op('Cast', [writer.size(output, 0)], { to: 1 });
  const total = writer.op('ReduceSum', [writer.op('Where', [wanted, logProbs, writer.float(0)])], { keepdims: 0 });
  writer.op('Div', [writer.op('Neg', [total]), writer.op('Squeeze', [items])], {}, 'loss');
  const one = asFloat(writer, wanted);
  const slope = kind === 'logits' ? writer.op('Sub', [writer.op('Exp', [logProbs]), one])
    : writer.op('Neg', [probability !== undefined ? writer.op('Div', [one, probability]) : one]);
  writer.op('Div', [slope, items], {}, gradientName(output));
  return asLoss({ name: 'cross-entropy', reads, labels: [makeValueInfo(labels, 'int64', ['batch'])], written: writer });
}

const asFloat = (writer: GraphWriter, value: string): string => writer.op('Cast', [value], { to: 1 });
