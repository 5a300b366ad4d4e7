/** What a piece of sound meant. */
export type SegmentEvent =
  /** Someone speaks: samples of the utterance, the first with a little of what came before. */
  | { readonly type: 'speech'; readonly samples: Float32Array }
  /** The utterance is over. */
  | { readonly type: 'end' };

/** Cuts a stream of sound into utterances at its pauses. */
export interface Segmenter {
  accept(samples: Float32Array): SegmentEvent[];
  /** The end of all sound. */
  finish(): SegmentEvent[];
}

const FRAME_MS = 20;
/** Over the quietest of late, in energy: 10 dB. */
const RISE = 10;
/** −55 dB of full scale: quieter sound is never speech. */
const LEAST = 10 ** -5.5;

/**
 * Cuts at pauses by energy: a frame is loud when it is 10 dB over the quietest of the last seconds. That is enough for a demonstration
 * and for a quiet room; it hears words no better than that.
 * @param pauseMs so long a pause ends an utterance
 * @param longestSeconds longer ones are cut, so that work and memory stay bounded
 */
export function createSegmenter({ sampleRateHz, pauseMs = 500, leadMs = 240, longestSeconds = 15 }: { readonly sampleRateHz: number; readonly pauseMs?: number; readonly leadMs?: number; readonly longestSeconds?: number }): Segmenter {
  const frame = Math.round((FRAME_MS / 1000) * sampleRateHz);
  const [leadFrames, pauseFrames, longestFrames] = [Math.ceil(leadMs / FRAME_MS), Math.ceil(pauseMs / FRAME_MS), Math.ceil((1000 * longestSeconds) / FRAME_MS)];
  let rest = new Float32Array();
  let lead: Float32Array[] = [];
  let floor = Infinity;
  let [speaking, quiet, loud, length] = [false, 0, 0, 0];

  function step(samples: Float32Array): SegmentEvent[] {
    let energy = 0;
    for (const value of samples) energy += value * value;
    energy /= samples.length;
    // The floor falls at once and rises by 6 dB in three seconds, so that a louder room is a new silence.
    floor = Math.max(LEAST / RISE, Math.min(energy, floor * 1.0093));
    const isLoud = energy > Math.max(LEAST, floor * RISE);
    if (!speaking) {
      lead.push(samples);
      loud = isLoud ? loud + 1 : 0;
      if (loud < 2) {
        if (lead.length > leadFrames) lead.shift();
        return [];
      }
      const events = lead.map((piece): SegmentEvent => ({ type: 'speech', samples: piece }));
      [speaking, quiet, loud, length, lead] = [true, 0, 0, events.length, []];
      return events;
    }
    quiet = isLoud ? 0 : quiet + 1;
    length++;
    const over = quiet >= pauseFrames || length >= longestFrames;
    if (over) speaking = false;
    return [{ type: 'speech', samples }, ...(over ? [{ type: 'end' } as const] : [])];
  }

  return {
    accept(samples) {
      const all = new Float32Array(rest.length + samples.length);
      all.set(rest);
      all.set(samples, rest.length);
      const events: SegmentEvent[] = [];
      let at = 0;
      for (; at + frame <= all.length; at += frame) events.push(...step(all.slice(at, at + frame)));
      rest = all.slice(at);
      return events;
    },
    finish() {
      const last = rest;
      rest = new Float32Array();
      if (!speaking) return [];
      speaking = false;
      return [...(last.length > 0 ? [{ type: 'speech', samples: last } as const] : []), { type: 'end' }];
    },
  };
}
