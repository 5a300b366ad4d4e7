import type { Emit, Value } from '../../emit.ts';
import { NoGradient } from '../../vjp.ts';

/** An activation function of a recurrent layer. */
export interface Activation {
  readonly name: string;
  of(emit: Emit, x: Value): Value;
  /** Its derivative, from what it made. */
  slope(emit: Emit, y: Value): Value;
}

const activations: readonly Activation[] = [
  /** y′ = y·(1 − y). */
  { name: 'sigmoid', of: (emit, x) => emit.op('Sigmoid', [x]), slope: (emit, y) => emit.mul(y, emit.sub(1, y)) },
  /** y′ = 1 − y². */
  { name: 'tanh', of: (emit, x) => emit.op('Tanh', [x]), slope: (emit, y) => emit.sub(1, emit.mul(y, y)) },
  /** y′ = 1 where y > 0. */
  { name: 'relu', of: (emit, x) => emit.op('Relu', [x]), slope: (emit, y) => emit.asFloat(emit.op('Greater', [y, 0])) },
];

/** @throws NoGradient for a function that has parameters or is not among them */
export function activationOf(name: string): Activation {
  const found = activations.find((activation) => activation.name === name.toLowerCase());
  if (!found) throw new NoGradient(`of the activation functions of recurrent layers only Sigmoid, Tanh and Relu are differentiated, not ${name}`);
  return found;
}
