import { createSegmenter, type Recognizer, type SegmentEvent } from '@coppice/exporter-edge/runtime';

/** What is heard. */
export interface Heard {
  /** Counts from 0; a later one is another utterance. */
  readonly utterance: number;
  /** Of each recognizer, in their order. */
  readonly results: readonly { readonly text: string; readonly seconds: number; readonly milliseconds: number }[];
  /** Whether the utterance is over. */
  readonly final: boolean;
}

export interface ListenOptions {
  readonly onHeard: (heard: Heard) => void;
  /** Every piece of sound, for a picture of it. */
  readonly onSound?: (samples: Float32Array, sampleRateHz: number) => void;
  readonly onError?: (error: Error) => void;
}

export interface Listening {
  readonly sampleRateHz: number;
  stop(): Promise<void>;
}

/**
 * Listens to the microphone, cuts utterances at pauses, and recognises each again while it is being said.
 * @throws Error in words for people: no microphone, no permission, no https
 */
export async function listen(recognizers: readonly Recognizer[], options: ListenOptions): Promise<Listening> {
  const stream = await openMicrophone();
  const { context, source } = connect(stream, recognizers[0].sampleRateHz);
  const release = async (): Promise<void> => {
    for (const track of stream.getTracks()) track.stop();
    await context.close().catch(() => undefined);
  };
  try {
    await context.audioWorklet.addModule(new URL('microphone.js', import.meta.url).href);
    await context.resume();
    const node = new AudioWorkletNode(context, 'coppice-microphone', { numberOfInputs: 1, numberOfOutputs: 0 });
    const live = liveOver(recognizers, context.sampleRate, options);
    node.port.addEventListener('message', ({ data }: MessageEvent<Float32Array>) => {
      options.onSound?.(data, context.sampleRate);
      live.accept(data);
    });
    node.port.start();
    source.connect(node);
    return {
      sampleRateHz: context.sampleRate,
      async stop() {
        node.port.close();
        source.disconnect();
        await release();
        await live.finish();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Turns a stream of sound into texts: partial ones as fast as they can be computed, a final one for each utterance. */
export function liveOver(recognizers: readonly Recognizer[], sampleRateHz: number, { onHeard, onError }: ListenOptions): { accept(samples: Float32Array): void; finish(): Promise<void> } {
  const segmenter = createSegmenter({ sampleRateHz });
  let utterance = 0;
  let fresh = false;
  let busy: Promise<void> = Promise.resolve();
  let working = false;

  /** Results of the sound up to now; the recognizers take it before anything else happens. */
  function hear(final: boolean): Promise<void> {
    const [own, results] = [utterance, recognizers.map((recognizer) => recognizer.result())];
    return Promise.all(results).then((done) => onHeard({ utterance: own, results: done, final }), (error: unknown) => onError?.(error as Error));
  }
  function take(events: readonly SegmentEvent[]): void {
    for (const event of events) {
      if (event.type === 'speech') {
        for (const recognizer of recognizers) recognizer.accept(event.samples, sampleRateHz);
        fresh = true;
        continue;
      }
      const done = hear(true);
      busy = Promise.all([busy, done]).then(() => undefined);
      for (const recognizer of recognizers) recognizer.reset();
      utterance++;
      fresh = false;
    }
    if (!fresh || working) return;
    [fresh, working] = [false, true];
    busy = Promise.all([busy, hear(false)]).then(() => {
      working = false;
    });
  }
  return {
    accept: (samples) => take(segmenter.accept(samples)),
    async finish() {
      take(segmenter.finish());
      await busy;
    },
  };
}

async function openMicrophone(): Promise<MediaStream> {
  if (!globalThis.isSecureContext) throw new Error('The microphone is available over https (or on localhost) only. Open this page over https, or choose a file.');
  if (navigator.mediaDevices === undefined) throw new Error('This browser gives pages no microphone. Choose a file instead.');
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  } catch (error) {
    throw new Error(microphoneFault(error as DOMException), { cause: error });
  }
}

/** What a person can do about it. */
export function microphoneFault({ name, message }: { readonly name: string; readonly message: string }): string {
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'The microphone was refused. Allow it for this page, in the address bar or in the browser\'s settings, and try again; or choose a file.';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'No microphone was found. Connect one and try again, or choose a file.';
  if (name === 'NotReadableError' || name === 'AbortError') return 'The microphone is used by another program, or does not answer. Close that program and try again, or choose a file.';
  return `The microphone could not be opened: ${message}. Choose a file instead.`;
}

/** At the model's own rate, so that the browser resamples; where it cannot (Firefox: not between microphone and context), at its own, and we do. */
function connect(stream: MediaStream, sampleRate: number): { context: AudioContext; source: MediaStreamAudioSourceNode } {
  for (const options of [{ sampleRate }, undefined]) {
    let context: AudioContext | undefined;
    try {
      context = new AudioContext(options);
      return { context, source: context.createMediaStreamSource(stream) };
    } catch (error) {
      void context?.close();
      if (options === undefined) throw error;
    }
  }
  throw new Error('This browser offers no sound to pages.');
}
