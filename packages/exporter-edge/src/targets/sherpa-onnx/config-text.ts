import type { FeatureSettings } from '@coppice/speech';
import type { Family } from './families.ts';

/** `sherpa-onnx.json`: the configuration of `sherpa-onnx-node`; its paths are relative to the file. */
export const configText = ({ configKey }: Family, { sampleRateHz, mels }: Pick<FeatureSettings, 'sampleRateHz' | 'mels'>, model: string): string => `${JSON.stringify({
  featConfig: { sampleRate: sampleRateHz, featureDim: mels },
  modelConfig: { [configKey]: { model }, tokens: 'tokens.txt', numThreads: 1, provider: 'cpu', debug: 0 },
  decodingMethod: 'greedy_search',
}, undefined, 2)}\n`;
