import type { Sample } from './row-check.ts';
import { contractionSamples } from './samples/contraction.ts';
import { elementwiseSamples } from './samples/elementwise.ts';
import { movementSamples } from './samples/movement.ts';
import { normalisationSamples } from './samples/normalisation.ts';

/** Inputs for each operator that can be run alone. */
export const samples: readonly Sample[] = [...elementwiseSamples, ...contractionSamples, ...normalisationSamples, ...movementSamples];
