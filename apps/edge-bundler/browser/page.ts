/** Becomes `page.js`: the demonstration. Texts of the bundle reach the page as text, never as HTML. */
import { browserFault, createRecognizer, listen, type BrowserRecognizer, type Heard, type Listening, type Provider } from '@coppice/exporter-edge/recognizer';
import { createSegmenter } from '@coppice/exporter-edge/runtime';
import { readSound } from './read-sound.ts';
import { modelCard, type ModelCard } from './model-card.ts';
import { createWaveform } from './waveform.ts';

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const [listenButton, fileInput, exampleButton, compareButton] = [element<HTMLButtonElement>('listen'), element<HTMLInputElement>('file'), element<HTMLButtonElement>('example'), element<HTMLButtonElement>('compare')];
const waveform = createWaveform(element<HTMLCanvasElement>('wave'));
/** Of the models that are loaded. */
const cards: ModelCard[] = [modelCard(element('slim'))];
const original = modelCard(element('original'));
const recognizers: BrowserRecognizer[] = [];
/** Another one needs another runtime, so the page is loaded anew. */
const provider: Provider = new URL(location.href).searchParams.get('provider') === 'webgpu' ? 'webgpu' : 'wasm';
let listening: Listening | undefined;

void start();

async function start(): Promise<void> {
  const fault = browserFault();
  if (fault !== undefined) return fail(fault);
  try {
    await open('slim');
  } catch (error) {
    return fail(wordsOf(error));
  }
  say('Ready. Press Listen and speak, or choose a recording.');
  setBusy(false);
  void keepOffline();
}

async function open(which: 'slim' | 'original'): Promise<void> {
  const progress = element<HTMLProgressElement>('progress');
  progress.hidden = false;
  const recognizer = await createRecognizer({
    model: which, sharing: recognizers[0], provider,
    onProgress: ({ path, loaded, total }) => {
      progress.value = loaded / total;
      say(`${path.startsWith('runtime') ? 'Loading the runtime' : 'Loading the model'}: ${megabytes(loaded)} of ${megabytes(total)}`);
    },
  });
  progress.hidden = true;
  recognizers.push(recognizer);
  const { manifest } = recognizer.opened;
  cards[recognizers.length - 1].show(recognizer.opened, recognizers.length === 1);
  if (which === 'original') return;
  cards[0].expect(manifest.model.bytes, manifest.measured.model);
  if (manifest.original) original.expect(manifest.original.bytes, manifest.measured.original);
  element('slim-title').textContent = [manifest.pruned || manifest.original ? 'Pruned' : 'Model', manifest.model.quantisation === 'none' ? '' : 'quantised'].filter(Boolean).join(' and ');
  element('provider-choice').hidden = !('gpu' in navigator) || !manifest.files.some(({ path }) => path.includes('asyncify'));
  if (manifest.original) compareButton.textContent = `Compare with the original (${megabytes(manifest.original.bytes)})`;
  element('cost').textContent = `First visit: ${megabytes(recognizer.opened.runtimeBytes + recognizer.opened.bytes)} for runtime and model. ${manifest.runtime.note}`;
  element('way').textContent = recognizer.opened.provider === 'webgpu' ? 'WebGPU; features are computed by the code that computed them in training.' : `WebAssembly, ${recognizer.opened.threads === 1 ? `one thread${globalThis.crossOriginIsolated ? '' : ' (the page is not cross-origin isolated, which threads need)'}` : `${recognizer.opened.threads} threads`}; features are computed by the code that computed them in training.`;
}

listenButton.addEventListener('click', async () => {
  listenButton.disabled = true;
  try {
    if (listening === undefined) await startListening();
    else await stopListening();
  } catch (error) {
    listening = undefined;
    fail(wordsOf(error));
  }
  showListening();
});

async function startListening(): Promise<void> {
  say('Opening the microphone …');
  for (const card of cards) card.clear();
  waveform.clear();
  listening = await listen(recognizers, {
    onHeard: show,
    onSound: (samples, sampleRateHz) => waveform.add(samples, sampleRateHz),
    onError: (error) => fail(wordsOf(error)),
  });
  say('Listening. Speak, and pause after a sentence.');
}

async function stopListening(): Promise<void> {
  await listening!.stop();
  listening = undefined;
  say('Stopped.');
}

function showListening(): void {
  listenButton.disabled = false;
  listenButton.setAttribute('aria-pressed', String(listening !== undefined));
  element('listen-label').textContent = listening === undefined ? 'Listen' : 'Stop';
  for (const control of [fileInput, exampleButton, compareButton]) control.disabled = listening !== undefined;
  element('file-label').classList.toggle('off', listening !== undefined);
}

function show({ utterance, results, final }: Heard): void {
  results.forEach((result, k) => cards[k].hear(utterance, result, final));
  compare();
}

/** One sentence about both models. */
function compare(): void {
  const [slim, whole] = cards.map((card) => card.factor());
  const { manifest } = recognizers[0].opened;
  if (slim === undefined || whole === undefined || manifest.original === undefined) return;
  const faster = whole / slim;
  element('comparison').textContent = `Here the pruned model is ${(manifest.original.bytes / manifest.model.bytes).toFixed(1)} times smaller and ${faster >= 1 ? `${faster.toFixed(1)} times faster` : `${(1 / faster).toFixed(1)} times slower`}, features included. `;
}

fileInput.addEventListener('change', () => {
  const [file] = fileInput.files ?? [];
  fileInput.value = '';
  if (file !== undefined) void recognise(file.name, () => file.arrayBuffer());
});

document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file !== undefined && !fileInput.disabled) void recognise(file.name, () => file.arrayBuffer());
});

let nextExample = 0;
exampleButton.addEventListener('click', () => {
  const { clips } = recognizers[0].opened.manifest.golden;
  const clip = clips[nextExample++ % clips.length];
  void recognise(clip.said === undefined ? clip.id : `the example in which '${clip.said}' is said`, async () => {
    const response = await fetch(clip.audio).catch(() => undefined);
    if (!response?.ok) throw new Error('The example could not be downloaded. Check the connection.');
    return response.arrayBuffer();
  });
});

/** Recognises a recording: as a whole, or, where it has pauses, utterance by utterance as from the microphone. */
async function recognise(name: string, load: () => Promise<ArrayBuffer>): Promise<void> {
  setBusy(true);
  try {
    say(`Reading ${name} …`);
    const { samples, sampleRateHz } = await readSound(await load(), name, recognizers[0].sampleRateHz);
    for (const card of cards) card.clear();
    waveform.whole(samples);
    const utterances = cutAtPauses(samples, sampleRateHz);
    const pieces = utterances.length > 1 ? utterances : [samples];
    for (const [utterance, piece] of pieces.entries()) {
      say(`Recognising ${name}${pieces.length > 1 ? `, part ${utterance + 1} of ${pieces.length}` : ''} …`);
      for (const [k, recognizer] of recognizers.entries()) {
        recognizer.reset();
        recognizer.accept(piece, sampleRateHz);
        cards[k].hear(utterance, await recognizer.result(), true);
        recognizer.reset();
      }
    }
    compare();
    say(`Recognised ${name}, ${(samples.length / sampleRateHz).toFixed(1)} s of sound.`);
  } catch (error) {
    fail(wordsOf(error));
  }
  setBusy(false);
}

compareButton.addEventListener('click', async () => {
  setBusy(true);
  cards.push(original);
  try {
    await open('original');
    for (const card of cards) card.clear();
    say('Both models are ready.');
  } catch (error) {
    cards.pop();
    fail(wordsOf(error));
  }
  setBusy(false);
});

const providerChoice = element<HTMLSelectElement>('provider');
providerChoice.value = provider;
providerChoice.addEventListener('change', () => {
  const address = new URL(location.href);
  address.searchParams.set('provider', providerChoice.value);
  location.href = address.href;
});

function setBusy(busy: boolean): void {
  for (const control of [listenButton, fileInput, exampleButton, compareButton]) control.disabled = busy;
  element('file-label').classList.toggle('off', busy);
  document.body.dataset['state'] = busy ? 'busy' : 'ready';
}

function say(text: string): void {
  const message = element('message');
  message.textContent = text;
  message.className = '';
}

function fail(text: string): void {
  element<HTMLProgressElement>('progress').hidden = true;
  const message = element('message');
  message.textContent = text;
  message.className = 'fault';
  if (recognizers.length === 0) document.body.dataset['state'] = 'failed';
}

/** Once all is loaded, so that it does not compete with that. */
async function keepOffline(): Promise<void> {
  const note = element('offline');
  if (!('serviceWorker' in navigator)) {
    note.textContent = 'Needs a network: pages are kept for offline use over https only.';
    return;
  }
  try {
    await navigator.serviceWorker.register('service-worker.js');
    await navigator.serviceWorker.ready;
    note.textContent = 'Works without a network from now on.';
    document.body.dataset['offline'] = 'ready';
  } catch (error) {
    note.textContent = `Needs a network: this browser did not keep the page (${wordsOf(error)}).`;
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 995_000 ? 2 : 1)} MB`;

function cutAtPauses(samples: Float32Array, sampleRateHz: number): Float32Array[] {
  const segmenter = createSegmenter({ sampleRateHz });
  const pieces: Float32Array[] = [];
  let own: Float32Array[] = [];
  for (const event of [...segmenter.accept(samples), ...segmenter.finish()]) {
    if (event.type === 'speech') own.push(event.samples);
    else {
      const piece = new Float32Array(own.reduce((sum, { length }) => sum + length, 0));
      own.reduce((at, part) => (piece.set(part, at), at + part.length), 0);
      pieces.push(piece);
      own = [];
    }
  }
  return pieces;
}
