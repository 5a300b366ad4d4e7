import type { SpeechDescription, TokenizerDescription } from '@coppice/speech';

/** How Transformers.js must be told each token, by number: it puts texts together without anything between, so words and phones begin with a blank. */
export function vocabularyOf({ tokenizer, tokens, blank, wordSeparator = ' ' }: TokenizerDescription): string[] {
  return tokens.map((token, id) => (id === blank ? token : tokenizer === 'characters' ? (token === wordSeparator ? ' ' : token) : ` ${token}`));
}

/** What keeps an alphabet from Transformers.js, a sentence each. */
export function vocabularyFaults(description: TokenizerDescription): string[] {
  const vocabulary = vocabularyOf(description);
  const twice = vocabulary.filter((token, id) => vocabulary.indexOf(token) !== id);
  return twice.length === 0 ? [] : [`The tokens ${twice.map((token) => JSON.stringify(token)).join(', ')} would be the same as others in the vocabulary of Transformers.js. Give the blank or the token between words another name.`];
}

/** What Transformers.js reads of a model, by the path of the file. */
export function configFiles(speech: SpeechDescription): Record<string, object> {
  const vocabulary = vocabularyOf(speech);
  const pad = vocabulary[speech.blank];
  return {
    'config.json': {
      model_type: 'wav2vec2', architectures: ['Wav2Vec2ForCTC'], vocab_size: vocabulary.length, pad_token_id: speech.blank,
      // In browsers it would look for model_quantized.onnx otherwise.
      'transformers.js_config': { dtype: 'fp32' },
    },
    // Samples go to the model as they are: the graph does the rest.
    'preprocessor_config.json': { feature_extractor_type: 'Wav2Vec2FeatureExtractor', processor_class: 'Wav2Vec2Processor', feature_size: 1, sampling_rate: speech.features.sampleRateHz, padding_value: 0, do_normalize: false, return_attention_mask: false },
    // The blank is no special token here: those are dropped before repetitions become one, and "zero zero" would be said once.
    'tokenizer_config.json': { tokenizer_class: 'Wav2Vec2CTCTokenizer', clean_up_tokenization_spaces: false, do_lower_case: false, pad_token: pad, model_max_length: 1_000_000 },
    'tokenizer.json': {
      version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: { type: 'Split', pattern: { Regex: '' }, behavior: 'Isolated', invert: false }, post_processor: null,
      decoder: { type: 'CTC', pad_token: pad, word_delimiter_token: '', cleanup: false },
      model: { vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])) },
    },
  };
}

export const configText = (config: object): string => `${JSON.stringify(config, undefined, 2)}\n`;

/** What is wrong with a configuration of a bundle, a sentence; undefined when it is what belongs to the description. */
export function configFault(path: string, text: string | undefined, speech: SpeechDescription): string | undefined {
  const wanted = configFiles(speech)[path];
  if (text === undefined) return `${path} is missing. Export again.`;
  if (text === configText(wanted)) return undefined;
  let own: unknown;
  try {
    own = JSON.parse(text);
  } catch {
    return `${path} is not JSON. Export again.`;
  }
  return path === 'tokenizer.json' ? vocabularyFault(own, speech) ?? differenceOf(path, own, wanted) : differenceOf(path, own, wanted);
}

function vocabularyFault(own: unknown, speech: SpeechDescription): string | undefined {
  const ids = (own as { readonly model?: { readonly vocab?: Readonly<Record<string, number>> } }).model?.vocab ?? {};
  const vocabulary = vocabularyOf(speech);
  const off = vocabulary.map((token, id) => (ids[token] ?? NaN) - id);
  if (off.every((by) => by === 0)) return undefined;
  const count = vocabulary.length;
  const said = off.filter((_, id) => id !== speech.blank);
  for (const by of [1, -1]) {
    const wraps = [by, by - by * count, by - by * (count - 1)];
    if ([off, said].some((list) => list.every((each) => wraps.includes(each)))) return 'The vocabulary of tokenizer.json is shifted by one: its numbers are not those of the model\'s output. Export again.';
  }
  const first = off.findIndex((by) => by !== 0);
  return `tokenizer.json gives '${vocabulary[first]}' the number ${ids[vocabulary[first]] ?? 'none'}, and the model's output has it at ${first}. Export again.`;
}

function differenceOf(path: string, own: unknown, wanted: object): string {
  const given = (own ?? {}) as Readonly<Record<string, unknown>>;
  const keys = [...new Set([...Object.keys(wanted), ...Object.keys(given)])];
  const key = keys.find((each) => JSON.stringify(given[each]) !== JSON.stringify((wanted as Readonly<Record<string, unknown>>)[each]));
  if (key === undefined) return `${path} has another order or form than it was exported with. Export again.`;
  const [is, should] = [given[key], (wanted as Readonly<Record<string, unknown>>)[key]].map((value) => (value === undefined ? 'missing' : shorten(JSON.stringify(value))));
  const why = key === 'do_normalize' ? ': sound would be normalised before the model, which was trained on sound as it is' : key === 'sampling_rate' ? ': sound would be taken for another rate than the model\'s' : '';
  return `${path} is stale: '${key}' is ${is}, and this model needs ${should}${why}. Export again.`;
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
