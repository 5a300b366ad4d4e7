import type { CepstrumSettings, MelSettings } from './settings.ts';

/** The matrix [coefficient, mel] that turns logarithms of mel energies into MFCCs, liftering included. */
export function cepstrumMatrix({ mels, coefficients, dct, lifter, lifterFrom }: MelSettings & CepstrumSettings): Float64Array {
  const matrix = new Float64Array(coefficients * mels);
  for (let k = 0; k < coefficients; k++) {
    const norm = dct === 'none' ? 2 : Math.sqrt((k === 0 ? 1 : 2) / mels);
    const lift = lifter > 0 ? 1 + (lifter / 2) * Math.sin((Math.PI * (k + lifterFrom)) / lifter) : 1;
    for (let n = 0; n < mels; n++) matrix[k * mels + n] = lift * norm * Math.cos((Math.PI * k * (2 * n + 1)) / (2 * mels));
  }
  return matrix;
}
