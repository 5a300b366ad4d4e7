import type { Emit, Value } from './emit.ts';

/** What an optimiser gets for one parameter in one step. */
export interface ParameterStep {
  readonly parameter: Value;
  readonly gradient: Value;
  /** What the optimiser remembered of this parameter, by slot; zeros before the first step, of the shape of the parameter. */
  readonly slots: Readonly<Record<string, Value>>;
  /** Scalar. */
  readonly learningRate: Value;
  /** Scalar, 1 in the first step. */
  readonly step: Value;
  /** Whether weights decay: matrices and kernels do, biases and the scales of norms do not. */
  readonly decays: boolean;
}

/** How a parameter follows its gradient, as a piece of graph. */
export interface Optimizer {
  readonly name: string;
  /** What it remembers of each parameter. */
  readonly slots: readonly string[];
  update(emit: Emit, step: ParameterStep): { readonly parameter: Value; readonly slots: Readonly<Record<string, Value>> };
}

/** Settings of `adam`. */
export interface AdamSettings {
  /** Decay of the mean of gradients. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of squares. Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled weight decay, times the learning rate. Default 0. */
  readonly weightDecay?: number;
}

/** Adam with decoupled weight decay: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2 (AdamW). */
export const adam = ({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 }: AdamSettings = {}): Optimizer => ({
  name: 'adam',
  slots: ['m', 'v'],
  update(emit, { parameter, gradient, slots, learningRate, step, decays }) {
    const m = emit.add(emit.mul(slots.m, beta1), emit.mul(gradient, 1 - beta1));
    const v = emit.add(emit.mul(slots.v, beta2), emit.mul(emit.mul(gradient, gradient), 1 - beta2));
    const corrected = (beta: number) => emit.sub(1, emit.op('Pow', [beta, step]));
    // lr·(m/c₁)/(√(v/c₂) + ε) with the scalars put together, so that each tensor is walked over as seldom as possible.
    const root = emit.op('Sqrt', [corrected(beta2)]);
    const rate = emit.div(emit.mul(learningRate, root), corrected(beta1));
    const change = emit.div(emit.mul(m, rate), emit.add(emit.op('Sqrt', [v]), emit.mul(root, epsilon)));
    const kept = decays && weightDecay > 0 ? emit.mul(parameter, emit.sub(1, emit.mul(learningRate, weightDecay))) : parameter;
    return { parameter: emit.sub(kept, change), slots: { m, v } };
  },
});

/** Stochastic gradient descent with momentum: Polyak 1964; v ← μv + g, w ← w − lr·v. */
export const sgd = ({ momentum = 0.9, weightDecay = 0 }: { readonly momentum?: number; readonly weightDecay?: number } = {}): Optimizer => ({
  name: 'sgd',
  slots: momentum > 0 ? ['v'] : [],
  update(emit, { parameter, gradient, slots, learningRate, decays }) {
    const decayed = decays && weightDecay > 0 ? emit.add(gradient, emit.mul(parameter, weightDecay)) : gradient;
    const v = momentum > 0 ? emit.add(emit.mul(slots.v, momentum), decayed) : decayed;
    const remembered: Readonly<Record<string, Value>> = momentum > 0 ? { v } : {};
    return { parameter: emit.sub(parameter, emit.mul(v, learningRate)), slots: remembered };
  },
});
