import type { Audio } from '@coppice/speech';

/** Decoded recordings, the latest used first to stay; bounded by the bytes of their samples. */
export interface RecordingCache {
  /** What is held under the key, else what `load` gives, which is then held if it fits. */
  get(key: string, load: () => Promise<Audio>): Promise<Audio>;
  /** Bytes of samples that are held now; never above the bound. */
  readonly bytes: number;
}

/** A cache for at most `maxBytes` of samples; the least recently used go first. A failed load is not held. */
export function createRecordingCache(maxBytes: number): RecordingCache {
  // A Map keeps the order of insertion, so the first key is the one unused for longest.
  const held = new Map<string, Audio>();
  let bytes = 0;
  const drop = (key: string): void => {
    const audio = held.get(key);
    if (audio === undefined) return;
    held.delete(key);
    bytes -= audio.samples.byteLength;
  };
  return {
    get bytes() {
      return bytes;
    },
    async get(key, load) {
      const known = held.get(key);
      const audio = known ?? (await load());
      // Another call may have loaded it meanwhile: dropping first keeps the sum right.
      drop(key);
      if (audio.samples.byteLength > maxBytes) return audio;
      held.set(key, audio);
      bytes += audio.samples.byteLength;
      for (const oldest of held.keys()) {
        if (bytes <= maxBytes) break;
        drop(oldest);
      }
      return audio;
    },
  };
}
