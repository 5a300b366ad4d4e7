import type { Emit, Known, Value } from '../emit.ts';
import { NoGradient, withForward, type Call, type Cotangents, type Rows } from '../vjp.ts';
import { countOf, from, lastAxes, once } from './axes.ts';

/** x̂ = (x − mean x)·inv with inv = 1 / √(var x + ε), over some axes; inv has those as ones. */
interface Standard {
  readonly standard: Value;
  readonly inv: Value;
}

function standardise(emit: Emit, x: Value, axes: readonly number[], epsilon: number): Standard {
  const centred = emit.sub(x, emit.reduce('ReduceMean', x, axes, true));
  const inv = inverseRoot(emit, emit.reduce('ReduceMean', emit.mul(centred, centred), axes, true), epsilon);
  return { standard: emit.mul(centred, inv), inv };
}

/** 1 / √(v + ε). */
const inverseRoot = (emit: Emit, v: Value, epsilon: number): Value => emit.op('Reciprocal', [emit.op('Sqrt', [emit.add(v, epsilon)])]);

/** dx = inv·(g − mean g − x̂·mean(g·x̂)), where g flows back into x̂. Ba, Kiros & Hinton 2016; Ioffe & Szegedy 2015, §3. */
function throughStandard(emit: Emit, { standard, inv }: Standard, g: Value, axes: readonly number[]): Value {
  const mean = (v: Value) => emit.reduce('ReduceMean', v, axes, true);
  const rest = emit.sub(emit.sub(g, mean(g)), emit.mul(standard, mean(emit.mul(g, standard))));
  return emit.mul(inv, rest);
}

/** dx = inv·(g − x̂·mean(g·x̂)), without a mean to take off. */
function throughRoot(emit: Emit, { standard, inv }: Standard, g: Value, axes: readonly number[]): Value {
  return emit.mul(inv, emit.sub(g, emit.mul(standard, emit.reduce('ReduceMean', emit.mul(g, standard), axes, true))));
}

/** What has one element a channel [C], against a tensor [N, C, …]: [C, 1, …]. */
const asChannels = (emit: Emit, v: Value, rank: number): Value => emit.unsqueeze(v, from(1, rank - 1));

/** The sum for each channel [C] of a tensor [N, C, …]. A tensor of rank one is a batch of one channel. */
const sumByChannel = (emit: Emit, v: Value, rank: number): Value => (rank === 1 ? emit.reduceSum(v, [0], true) : emit.reduceSum(v, [0, ...from(2, rank)]));

type BatchNormCall = Call<'BatchNormalization'> & Cotangents<'BatchNormalization'>;

/**
 * With stored statistics, which are constants: y = a·(x − mean) + B, a = scale·inv.
 *   dX = dy·a,  dscale = inv·Σ dy·(x − mean),  dB = Σ dy.
 */
const batchNormStored = ({ inputs: { X, scale, input_mean, input_var }, attributes: { epsilon }, dY, emit }: BatchNormCall) => {
  const rank = X.shape.length;
  const inv = once(() => inverseRoot(emit, input_var, epsilon));
  return {
    X: () => emit.mul(dY, asChannels(emit, emit.mul(scale, inv()), rank)),
    scale: () => emit.mul(inv(), sumByChannel(emit, emit.mul(dY, emit.sub(X, asChannels(emit, input_mean, rank))), rank)),
    B: () => sumByChannel(emit, dY, rank),
  };
};

/** Mean and variance of each channel [C] in the batch. */
interface BatchStatistics { readonly mean: Value; readonly variance: Value }

/**
 * With the statistics of the batch; n elements a channel, x' = x − mean, p = Σ dy·x'.
 *   dX = a·dy − a·inv²·p/n·x' − a·Σdy/n,  dscale = inv·p,  dB = Σ dy.  Ioffe & Szegedy 2015, §3.
 * What belongs to channels stays [C, 1, …], so that few products have the size of X.
 */
const batchNormOfBatch = ({ inputs: { X, scale }, attributes: { epsilon }, dY, emit }: BatchNormCall, { mean, variance }: BatchStatistics) => {
  const rank = X.shape.length;
  const column = (v: Value) => asChannels(emit, v, rank);
  const inv = once(() => inverseRoot(emit, variance, epsilon));
  const centred = once(() => emit.sub(X, column(mean)));
  const total = once(() => sumByChannel(emit, dY, rank));
  const product = once(() => sumByChannel(emit, emit.mul(dY, centred()), rank));
  return {
    X: () => {
      const n = countOf(emit, X, rank === 1 ? [0] : [0, ...from(2, rank)]);
      const a = emit.mul(scale, inv());
      const k = emit.mul(a, emit.mul(emit.mul(inv(), inv()), emit.div(product(), n)));
      const kept = emit.sub(emit.mul(dY, column(a)), column(emit.mul(a, emit.div(total(), n))));
      return emit.sub(kept, emit.mul(centred(), column(k)));
    },
    scale: () => emit.mul(inv(), product()),
    B: total,
  };
};

/**
 * Two values [C] of zeros that share no memory with anything. ONNX Runtime writes new running statistics over the old ones, even where those are
 * initializers or belong to the caller, unless the new ones are results of the graph; and it makes one of equal nodes and of equal constants.
 */
function zerosOfItsOwn(emit: Emit, X: Known): readonly [Value, Value] {
  const axes = from(0, X.shape.length).filter((axis) => axis !== 1);
  const sample = emit.reshape(emit.slice(X, { axes, starts: axes.map(() => 0), ends: axes.map(() => 1) }), [-1]);
  return [emit.sub(sample, sample), emit.mul(sample, 0)];
}

/** What of a softmax changes with its input: dx = y·(dy − Σ dy·y) along the axis. */
const softmaxGradient = (emit: Emit, y: Value, dY: Value, axis: number): Value =>
  emit.mul(y, emit.sub(dY, emit.reduceSum(emit.mul(dY, y), [axis], true)));

/** Sums of `size` neighbours along the channels, of which `before` precede. */
function windowSums(emit: Emit, x: Value, channels: Known, size: number, before: number): Value {
  const rank = channels.shape.length;
  const width = emit.size(channels, 1);
  const pads = Array.from({ length: 2 * rank }, (_, k) => (k === 1 ? before : k === rank + 1 ? size - 1 - before : 0));
  const wide = emit.pad(x, pads);
  return from(0, size).map((k) => emit.slice(wide, { axes: [1], starts: [k], ends: [emit.plus(width, k)] })).reduce((a, b) => emit.add(a, b));
}

export const normalisation = {
  /**
   * In training the two running statistics become updates of the stored ones. The operator gives no other statistics, so they are asked for with
   * momentum 0, which is those of the batch (a third faster than taking them again), and mixed into the stored ones outside.
   */
  BatchNormalization: withForward<'BatchNormalization', BatchStatistics>({
    forward({ inputs: { X, scale, B, input_mean, input_var }, attributes: { epsilon, momentum, training_mode }, training, emit }) {
      if (!training && training_mode === 0) return undefined;
      const [firstMean, firstVariance] = zerosOfItsOwn(emit, X);
      const [Y, mean, variance] = emit.node('BatchNormalization', [X, scale, B, firstMean, firstVariance], { epsilon, momentum: 0, training_mode: 1 }, 3);
      const running = (stored: Value, current: Value) => emit.add(emit.mul(stored, momentum), emit.mul(current, 1 - momentum));
      const [running_mean, running_var] = [running(input_mean, mean), running(input_var, variance)];
      return { outputs: { Y, running_mean, running_var }, saved: { mean, variance }, ...(training && { updates: { input_mean: running_mean, input_var: running_var } }) };
    },
    backward(call) {
      if (call.legacy.spatial === false) throw new NoGradient('it has statistics for each element (spatial = 0)');
      return call.saved ? batchNormOfBatch(call, call.saved) : batchNormStored(call);
    },
  }),

  /** y = x̂·Scale + B over the axes from `axis` on. The statistics come with the forward pass. */
  LayerNormalization: withForward<'LayerNormalization', { readonly mean: Value; readonly inv: Value }>({
    forward({ inputs: { X, Scale, B }, attributes: { axis, epsilon }, emit }) {
      const [Y, mean, inv] = emit.node('LayerNormalization', [X, Scale, B], { axis, epsilon }, 3);
      return { outputs: { Y, Mean: mean, InvStdDev: inv }, saved: { mean, inv } };
    },
    backward({ inputs: { X, Scale, B }, attributes: { axis }, dY, gradients, saved, emit }) {
      if (gradients.Mean || gradients.InvStdDev) throw new NoGradient('its mean or deviation is used as a result');
      const { mean, inv } = saved!;
      const axes = lastAxes(X, axis);
      const standard = once(() => emit.mul(emit.sub(X, mean), inv));
      return {
        X: () => throughStandard(emit, { standard: standard(), inv }, emit.mul(dY, Scale), axes),
        Scale: () => emit.reduceTo(emit.mul(dY, standard()), X.shape, Scale),
        B: B && (() => emit.reduceTo(dY, X.shape, B)),
      };
    },
  }),

  /** y = x·inv·scale with inv = 1 / √(mean x² + ε), over the axes from `axis` on. Zhang & Sennrich 2019. */
  RMSNormalization({ inputs: { X, scale }, attributes: { axis, epsilon }, dY, emit }) {
    const axes = lastAxes(X, axis);
    const root = once(() => {
      const inv = inverseRoot(emit, emit.reduce('ReduceMean', emit.mul(X, X), axes, true), epsilon);
      return { standard: emit.mul(X, inv), inv };
    });
    return {
      X: () => throughRoot(emit, root(), emit.mul(dY, scale), axes),
      scale: () => emit.reduceTo(emit.mul(dY, root().standard), X.shape, scale),
    };
  },

  /** y = x̂·scale + B, each channel of each item over its spatial axes. Ulyanov et al. 2016. */
  InstanceNormalization({ inputs: { input, scale }, attributes: { epsilon }, dY, emit }) {
    const rank = input.shape.length;
    const space = from(2, rank);
    const standard = once(() => standardise(emit, input, space, epsilon));
    return {
      input: () => throughStandard(emit, standard(), emit.mul(dY, asChannels(emit, scale, rank)), space),
      scale: () => sumByChannel(emit, emit.mul(dY, standard().standard), rank),
      B: () => sumByChannel(emit, dY, rank),
    };
  },

  /** y = x̂·scale + bias, each group of channels of each item on its own: x as [N, groups, rest]. Wu & He 2018. */
  GroupNormalization({ inputs: { X, scale }, attributes: { num_groups, epsilon }, legacy, dY, emit }) {
    if (legacy.scalePer === 'group') throw new NoGradient('its scale has one element a group, as before opset 21');
    const rank = X.shape.length;
    const grouped = (v: Value) => emit.reshape(v, [0, num_groups, -1]);
    const back = (v: Value) => emit.reshape(v, emit.sizes(X));
    const standard = once(() => standardise(emit, grouped(X), [2], epsilon));
    return {
      X: () => back(throughStandard(emit, standard(), grouped(emit.mul(dY, asChannels(emit, scale, rank))), [2])),
      scale: () => sumByChannel(emit, emit.mul(dY, back(standard().standard)), rank),
      bias: () => sumByChannel(emit, dY, rank),
    };
  },

  /** y = x / n, n = ‖x‖_p along an axis: dx = (dy − t·Σ dy·y) / n with t = y for p = 2, sign x for p = 1. Zeros stay zeros. */
  LpNormalization({ inputs: { input }, outputs: { output }, attributes: { axis, p }, dY, emit }) {
    return {
      input: () => {
        const norm = emit.op(p === 1 ? 'ReduceL1' : 'ReduceL2', [input, emit.ints([axis])], { keepdims: 1 });
        const turned = p === 1 ? emit.op('Sign', [input]) : output;
        const rest = emit.sub(dY, emit.mul(turned, emit.reduceSum(emit.mul(dY, output), [axis], true)));
        const alive = emit.op('Greater', [norm, 0]);
        return emit.where(alive, emit.div(rest, emit.where(alive, norm, 1)), 0);
      },
    };
  },

  /** y = x' / (s + 1e-9), x' = x − mean, s the deviation: dx = (dy − mean dy − y·mean(dy·x') / s) / (s + 1e-9). */
  MeanVarianceNormalization({ inputs: { X }, outputs: { Y }, attributes, dY, emit }) {
    const axes = attributes.axes ?? [0, 2, 3];
    const mean = (v: Value) => emit.reduce('ReduceMean', v, axes, true);
    return {
      X: () => {
        const centred = emit.sub(X, mean(X));
        const deviation = emit.op('Sqrt', [mean(emit.mul(centred, centred))]);
        const rest = emit.sub(emit.sub(dY, mean(dY)), emit.mul(Y, emit.div(mean(emit.mul(dY, centred)), deviation)));
        return emit.div(rest, emit.add(deviation, 1e-9));
      },
    };
  },

  /**
   * y = x·d^−β, d = bias + α/size·(sum of x² over `size` neighbouring channels):
   * dx = dy·d^−β − 2αβ/size·x·(sum of dy·y/d over the channels in whose window x is). Krizhevsky et al. 2012, §3.3.
   */
  LRN({ inputs: { X }, outputs: { Y }, attributes: { size, alpha, beta, bias }, dY, emit }) {
    const before = Math.floor((size - 1) / 2);
    return {
      X: () => {
        const d = emit.add(emit.mul(windowSums(emit, emit.mul(X, X), X, size, before), alpha / size), bias);
        const neighbours = windowSums(emit, emit.div(emit.mul(dY, Y), d), X, size, size - 1 - before);
        return emit.sub(emit.mul(dY, emit.op('Pow', [d, -beta])), emit.mul(emit.mul(X, 2 * alpha * beta / size), neighbours));
      },
    };
  },

  /** y = exp x / Σ exp x. */
  Softmax: ({ outputs: { output }, attributes: { axis }, legacy, dY, emit }) => {
    refuseFlattened(legacy.flattenFrom);
    return { input: () => softmaxGradient(emit, output, dY, axis) };
  },
  /** y = x − log Σ exp x: dx = dy − exp y·Σ dy. */
  LogSoftmax: ({ outputs: { output }, attributes: { axis }, legacy, dY, emit }) => {
    refuseFlattened(legacy.flattenFrom);
    return { input: () => emit.sub(dY, emit.mul(emit.op('Exp', [output]), emit.reduceSum(dY, [axis], true))) };
  },
  /** One where the largest element is: constant wherever it is smooth. */
  Hardmax: () => ({}),
} satisfies Rows;

function refuseFlattened(axis: number | undefined): void {
  if (axis !== undefined) throw new NoGradient('it compares all axes from one on, as before opset 13');
}
