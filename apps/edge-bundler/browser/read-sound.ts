import { decodeWav, type Audio } from '@coppice/speech';

/**
 * The sound of a file: WAV by the code of training, so that features are the very same; whatever else this browser plays by the browser,
 * at the model's rate.
 * @throws Error in words for people
 */
export async function readSound(bytes: ArrayBuffer, name: string, sampleRateHz: number): Promise<Audio> {
  try {
    return decodeWav(new Uint8Array(bytes), name);
  } catch (fault) {
    try {
      const context = new OfflineAudioContext(1, 1, sampleRateHz);
      const decoded = await context.decodeAudioData(bytes.slice(0));
      const samples = new Float32Array(decoded.length);
      for (let channel = 0; channel < decoded.numberOfChannels; channel++) {
        const values = decoded.getChannelData(channel);
        for (let k = 0; k < samples.length; k++) samples[k] += values[k] / decoded.numberOfChannels;
      }
      return { samples, sampleRateHz };
    } catch {
      throw new Error(fault instanceof Error ? fault.message : String(fault));
    }
  }
}
