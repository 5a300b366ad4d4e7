export { decodeFlac, type FlacOptions, type Md5 } from '@coppice/speech/flac';
export { librispeech, type LibriSpeechDataset, openLibriSpeech } from './librispeech.ts';
export { librispeechModule } from './module.ts';
export type { LibriSpeechOptions } from './options.ts';
