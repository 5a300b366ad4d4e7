import { cfft, cifft, fft } from 'fourier-transform';

/**
 * Writes |X[k]|² for k = 0…N/2 of the DFT X of N real samples into `power`.
 * @param samples [N], left as it is
 * @param power [N/2 + 1]
 */
export type PowerSpectrum = (samples: Float64Array, power: Float64Array) => void;

/**
 * The power spectrum of `size` samples, with all tables made once.
 *
 * Powers of two go to `fourier-transform`: ESM without dependencies, float64, synchronous, the same in Node and browsers, with
 * releases this year; 512 real samples take 3 µs. fft.js takes 15 % less, but is CommonJS and long without a release; builds of
 * C libraries for WebAssembly load asynchronously or from a second file. Other sizes (400 for Whisper, 480 for Honk) become a
 * convolution of a power of two (Bluestein 1970).
 */
export function powerSpectrum(size: number): PowerSpectrum {
  const bins = size / 2 + 1;
  if ((size & (size - 1)) !== 0) return bluestein(size, bins);
  const output: [Float64Array, Float64Array] = [new Float64Array(bins), new Float64Array(bins)];
  const [re, im] = output;
  return (samples, power) => {
    fft(samples, output);
    for (let k = 0; k < bins; k++) power[k] = re[k] * re[k] + im[k] * im[k];
  };
}

/** X[k] = c[k]·Σ x[n]·c[n]·c*[k−n] with the chirp c[n] = exp(−iπn²/N); |c[k]| = 1, so the power needs no last factor. */
function bluestein(size: number, bins: number): PowerSpectrum {
  const length = 2 ** Math.ceil(Math.log2(size + bins - 1));
  const [cos, sin] = [new Float64Array(size), new Float64Array(size)];
  const [filterRe, filterIm] = [new Float64Array(length), new Float64Array(length)];
  for (let n = 0; n < size; n++) {
    // n² modulo 2N in whole numbers: the angle of a large n² would lose its digits.
    const angle = (Math.PI * ((n * n) % (2 * size))) / size;
    cos[n] = Math.cos(angle);
    sin[n] = Math.sin(angle);
    if (n < bins) [filterRe[n], filterIm[n]] = [cos[n], sin[n]];
    if (n > 0) [filterRe[length - n], filterIm[length - n]] = [cos[n], sin[n]];
  }
  cfft(filterRe, filterIm);
  const [re, im] = [new Float64Array(length), new Float64Array(length)];
  return (samples, power) => {
    re.fill(0);
    im.fill(0);
    for (let n = 0; n < size; n++) {
      re[n] = samples[n] * cos[n];
      im[n] = -samples[n] * sin[n];
    }
    cfft(re, im);
    for (let k = 0; k < length; k++) {
      const real = re[k] * filterRe[k] - im[k] * filterIm[k];
      im[k] = re[k] * filterIm[k] + im[k] * filterRe[k];
      re[k] = real;
    }
    cifft(re, im);
    for (let k = 0; k < bins; k++) power[k] = re[k] * re[k] + im[k] * im[k];
  };
}
