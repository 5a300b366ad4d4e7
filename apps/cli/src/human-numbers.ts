/** How people write numbers: three digits and a unit. */

const scaled = (value: number, units: readonly string[]): string => {
  let [scale, k] = [value, 0];
  while (Math.abs(scale) >= 999.5 && k < units.length - 1) [scale, k] = [scale / 1000, k + 1];
  return `${threeDigits(scale)}${units[k] === '' ? '' : ` ${units[k]}`}`;
};

function threeDigits(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.01 ? 2 : 3);
}

/** `12.3 M`, `950`, `4.56 G`. */
export const formatCount = (value: number): string => scaled(value, ['', 'k', 'M', 'G', 'T', 'P']);

/** `4.50 MB`; decimal units. */
export const formatBytes = (value: number): string => scaled(value, ['B', 'kB', 'MB', 'GB', 'TB']);

/** `49.8 %` of a share between 0 and 1. */
export const formatShare = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.001 ? 2 : 1)} %`;

/** `1.93 ms`, `2.61 s`. */
export const formatMs = (ms: number): string => (ms >= 999.5 ? `${threeDigits(ms / 1000)} s` : `${threeDigits(ms)} ms`);

/** `×1.9`: how many times faster or smaller. */
export const formatRatio = (ratio: number): string => (Number.isFinite(ratio) ? `×${ratio.toFixed(ratio >= 9.95 ? 0 : 2)}` : '–');

/** `1.2e-6`. */
export const formatDifference = (value: number): string => (value === 0 ? '0' : Number.isFinite(value) ? value.toExponential(1) : '∞');

/** `[2, 50, 40]`. */
export const formatDims = (dims: readonly (number | string)[]): string => `[${dims.join(', ')}]`;

/** `1 run`, `3 runs`. */
export const countOf = (count: number, noun: string, plural = `${noun}s`): string => `${count} ${count === 1 ? noun : plural}`;
