/** Becomes `microphone.js`: hands sound from the audio thread to the page, 32 ms or so at a time. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

const LENGTH = 512;

class Microphone extends AudioWorkletProcessor {
  #samples = new Float32Array(LENGTH);
  #filled = 0;

  process([channels]: readonly (readonly Float32Array[])[]): boolean {
    const [first] = channels;
    if (first === undefined) return true;
    for (let n = 0; n < first.length; n++) {
      let sum = 0;
      for (const channel of channels) sum += channel[n];
      this.#samples[this.#filled++] = sum / channels.length;
      if (this.#filled < LENGTH) continue;
      this.port.postMessage(this.#samples, [this.#samples.buffer]);
      this.#samples = new Float32Array(LENGTH);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor('coppice-microphone', Microphone);
