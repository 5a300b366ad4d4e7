/** What we use of `fourier-transform`, which comes without types. */
declare module 'fourier-transform' {
  /** DFT of real samples, a power of two of them: real and imaginary parts of bins 0…N/2, unscaled. */
  export function fft(input: Float64Array, output: [re: Float64Array, im: Float64Array]): [re: Float64Array, im: Float64Array];
  /** Complex DFT in place, length a power of two, unscaled. */
  export function cfft(re: Float64Array, im: Float64Array): void;
  /** The inverse of `cfft`, scaled by 1/N. */
  export function cifft(re: Float64Array, im: Float64Array): void;
}
