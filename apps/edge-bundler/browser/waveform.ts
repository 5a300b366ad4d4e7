/** A picture of sound. */
export interface Waveform {
  /** The next samples of what is being said. */
  add(samples: Float32Array, sampleRateHz: number): void;
  /** A whole recording. */
  whole(samples: Float32Array): void;
  clear(): void;
}

/** Of sound that is still coming. */
const SECONDS = 6;
const BAR = 3;
const GAP = 2;

/** Draws bars as high as the sound is loud, in the colour of the canvas. */
export function createWaveform(canvas: HTMLCanvasElement): Waveform {
  const context = canvas.getContext('2d')!;
  let peaks: number[] = [];
  let rest: { peak: number; length: number } = { peak: 0, length: 0 };
  let asked = false;

  const bars = (): number => Math.max(1, Math.floor(canvas.clientWidth / (BAR + GAP)));
  function draw(): void {
    asked = false;
    const ratio = globalThis.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.fillStyle = getComputedStyle(canvas).color;
    const count = bars();
    const shown = peaks.slice(-count);
    for (let k = 0; k < count; k++) {
      const peak = shown[k - (count - shown.length)] ?? 0;
      // Quiet sound is seen too: the square root of the amplitude.
      const tall = Math.max(2, Math.sqrt(Math.min(1, peak)) * height);
      context.globalAlpha = peak === 0 ? 0.25 : 1;
      context.beginPath();
      context.roundRect(k * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
      context.fill();
    }
    context.globalAlpha = 1;
  }
  function ask(): void {
    if (asked) return;
    asked = true;
    requestAnimationFrame(draw);
  }
  new ResizeObserver(ask).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', ask);

  return {
    add(samples, sampleRateHz) {
      const ofBar = Math.max(1, Math.round((SECONDS * sampleRateHz) / bars()));
      for (const value of samples) {
        rest = { peak: Math.max(rest.peak, Math.abs(value)), length: rest.length + 1 };
        if (rest.length < ofBar) continue;
        peaks.push(rest.peak);
        rest = { peak: 0, length: 0 };
      }
      if (peaks.length > 4000) peaks = peaks.slice(-2000);
      ask();
    },
    whole(samples) {
      const count = bars();
      peaks = Array.from({ length: count }, (_, k) => {
        let peak = 0;
        for (let at = Math.floor((k * samples.length) / count); at < Math.floor(((k + 1) * samples.length) / count); at++) peak = Math.max(peak, Math.abs(samples[at]));
        return peak;
      });
      ask();
    },
    clear() {
      peaks = [];
      rest = { peak: 0, length: 0 };
      ask();
    },
  };
}
