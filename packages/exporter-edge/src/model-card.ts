import type { BundleManifest, ModelMeasurements } from './manifest.ts';

type Draft = Omit<BundleManifest, 'files'>;

/** A model card in Markdown, with the front matter that Hugging Face reads; only what was measured is in it. */
export function modelCard(manifest: Draft): string {
  const { name, model, speech, licence, runtime, golden } = manifest;
  const front = {
    library_name: 'onnx', pipeline_tag: 'automatic-speech-recognition', tags: ['onnx', 'coppice', 'ctc', 'speech-recognition', ...(manifest.pruned === undefined ? [] : ['pruned']), ...(model.quantisation === 'none' ? [] : ['quantized'])],
    ...(licence === null ? {} : { license: licence.toLowerCase() }), ...modelIndex(manifest),
  };
  return [
    // JSON is YAML, and quotes whatever a name may hold.
    '---', ...Object.entries(front).map(([key, value]) => `${key}: ${JSON.stringify(value)}`), '---', '',
    `# ${inText(name)}`, '',
    `A CTC speech recogniser for ${speech.tokenizer} (${speech.tokens.length} tokens), ready for ${inText(runtime.name)} ${inText(runtime.version)}${manifest.pruned === undefined ? '' : ', structurally pruned'}${model.quantisation === 'none' ? '' : `, quantised (${inText(model.quantisation)})`}. Written by Coppice; \`manifest.json\` has everything below in full.`, '',
    '| | model | original |', '|---|---|---|',
    ...factRows(manifest).map((row) => `| ${row.join(' | ')} |`), '',
    ...prunedPart(manifest),
    '## Input and output', '',
    `- Sound at ${speech.features.sampleRateHz} Hz, mono; features: ${speech.features.type}, ${model.input.dims.at(-1) ?? '?'} a frame, one frame every ${speech.features.hopMs} ms.`,
    `- Input ${code(model.input.name)} (${model.input.axes}), output ${code(model.output.name)} (${model.output.axes}), natural logarithms of probabilities.`,
    `- Decoder: ${manifest.decoder.type === 'greedy' ? 'greedy' : `beam search, width ${manifest.decoder.width}`}.`,
    `- Runtime: ${inText(runtime.note)}`, '',
    '## Proof', '',
    `${golden.clips.length} golden clips (${inText(golden.source)}) with the features, log-probabilities and text that ${inText(golden.computedBy)} gave. Tolerances: ${golden.tolerance.features} for features, ${golden.tolerance.logProbs} for log-probabilities, none for text. \`coppice bundle verify\` runs them again on the real runtime.`, '',
    `Licence: ${licence === null ? 'not stated' : inText(licence)}. What a recogniser was trained on limits what it may be used for; it has seen no other speakers, words or rooms than its corpus.`, '',
  ].join('\n');
}

function factRows({ model, original, measured }: Draft): string[][] {
  const both = <T>(title: string, of: (which: 'model' | 'original') => T | undefined, show: (value: T) => string): string[][] => {
    const [a, b] = [of('model'), of('original')];
    return a === undefined && b === undefined ? [] : [[title, a === undefined ? '' : show(a), b === undefined ? '' : show(b)]];
  };
  const entry = { model, original };
  const errors = (which: 'model' | 'original') => measured[which]?.errors;
  const latency = (which: 'model' | 'original') => measured[which]?.latency;
  return [
    ...both('file', (which) => entry[which]?.bytes, (bytes) => `${(bytes / 1000).toFixed(0)} kB`),
    ...both('parameters', (which) => entry[which]?.parameters, (count) => count.toLocaleString('en')),
    ...both('opset', (which) => entry[which]?.opset[''], String),
    ...both(rateName(measured.model?.errors?.unit ?? measured.original?.errors?.unit), errors, ({ rate, interval, corpus, utterances }) => `${percent(rate)} (${percent(interval.low)} – ${percent(interval.high)}, 95 %), ${utterances} utterances of ${inText(corpus)}`),
    ...both('latency', latency, ({ medianMs, seconds, backend, threads }) => `${medianMs.toFixed(2)} ms for ${seconds.toFixed(1)} s of sound (real-time factor ${(medianMs / 1000 / seconds).toFixed(4)}), ${inText(backend)}, ${threads} thread${threads === 1 ? '' : 's'}`),
    ...(measured.machine === undefined ? [] : [['measured on', inText(measured.machine), '']]),
  ];
}

function prunedPart({ pruned }: Draft): string[] {
  if (pruned === undefined) return [];
  const share = ({ before, after }: { before: number; after: number }): string => `${((100 * after) / before).toFixed(1)} %`;
  return [
    '## Pruning', '',
    `From ${code(pruned.original.name)} (SHA-256 ${pruned.original.sha256.slice(0, 12)}…) by ${inText(pruned.scorer)}: ${share(pruned.macs)} of the multiply–accumulates and ${share(pruned.parameters)} of the parameters are left.`, '',
    '| group | units removed |', '|---|---|', ...pruned.removed.map(({ group, units }) => `| ${code(group)} | ${units} |`), '',
  ];
}

/** What Hugging Face shows as evaluation results. */
function modelIndex({ name, measured }: Draft): object {
  const errors: ModelMeasurements['errors'] = measured.model?.errors;
  if (errors === undefined) return {};
  const type = { word: 'wer', character: 'cer', phone: 'per' }[errors.unit];
  return { 'model-index': [{ name, results: [{ task: { type: 'automatic-speech-recognition' }, dataset: { name: errors.corpus, type: errors.corpus.split(',')[0] }, metrics: [{ type, value: Number((100 * errors.rate).toFixed(2)), name: rateName(errors.unit) }] }] }] };
}

const rateName = (unit: 'word' | 'character' | 'phone' = 'word'): string => ({ word: 'WER', character: 'CER', phone: 'PER' })[unit];
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Foreign text in Markdown: HTML, links, tables and emphasis are taken apart, and it stays on its line. */
export const inText = (text: string): string => text.replaceAll(/[\s\p{Cc}]+/gu, ' ').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll(/[\\`*_[\]()|!#~]/g, (sign) => `\\${sign}`);

/** A name as code in Markdown; one that is not plain is text, because HTML in code would still be HTML to careless readers. */
const code = (text: string): string => (/^[\w ./:@+-]+$/.test(text) ? `\`${text}\`` : inText(text));
