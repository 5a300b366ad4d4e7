import { cepstrumMatrix, featureWidth, type FeatureSettings } from '@coppice/speech';
import type { Emitter } from './emitter.ts';

/** 10·log10 of a power, 20·log10 of a magnitude, in natural logarithms. */
export const logarithmFactor = ({ log, spectrum }: FeatureSettings): number => ({ ln: 1, log10: Math.LOG10E, db: (spectrum === 'power' ? 10 : 20) * Math.LOG10E })[log];

/**
 * What happens to logarithms of mel energies until they are features: the dynamic range, the cosines of MFCCs, normalisation.
 * @param logs [batch, mel, time] in the settings' logarithm; a batch of more than one is of clips of equal length
 * @returns [batch, feature, time]
 */
export function afterLogarithm(emit: Emitter, logs: string, settings: FeatureSettings): string {
  let value = logs;
  if (settings.dynamicRange !== undefined) value = emit.op('Max', [value, emit.op('Sub', [largest(emit, value), emit.float(settings.dynamicRange)])], {}, 'coppice.dynamic_range');
  if (settings.type === 'mfcc') value = emit.op('MatMul', [emit.constant('float32', [settings.coefficients, settings.mels], [...cepstrumMatrix(settings)], 'coppice.cosines'), value], {}, 'coppice.cepstra');
  return normalise(emit, value, settings);
}

/** The largest value of each clip: [batch, mel, time] → [batch, 1, 1]. */
function largest(emit: Emitter, value: string): string {
  const overTime = emit.op('GlobalMaxPool', [value]);
  return emit.op('GlobalMaxPool', [emit.op('Transpose', [overTime], { perm: [0, 2, 1] })]);
}

function normalise(emit: Emitter, value: string, settings: FeatureSettings): string {
  const { normalisation } = settings;
  if (normalisation.type === 'none') return value;
  if (normalisation.type === 'global') {
    const column = (values: readonly number[], name: string): string => emit.constant('float32', [values.length === 1 ? 1 : featureWidth(settings), 1], [...values], name);
    return emit.op('Div', [emit.op('Sub', [value, column(normalisation.mean, 'coppice.mean')]), column(normalisation.deviation, 'coppice.deviation')], {}, 'coppice.normalised');
  }
  const centred = emit.op('Sub', [value, emit.op('GlobalAveragePool', [value], {}, 'coppice.mean')]);
  if (normalisation.deviation === 'none') return centred;
  let variance = emit.op('GlobalAveragePool', [emit.op('Mul', [centred, centred])], {}, 'coppice.variance');
  if (normalisation.deviation === 'sample') {
    const frames = emit.op('Cast', [emit.op('Gather', [emit.op('Shape', [value]), emit.ints(2)])], { to: 1 });
    // One frame has no sample deviation; its difference from its mean is 0 anyway.
    variance = emit.op('Mul', [variance, emit.op('Div', [frames, emit.op('Max', [emit.op('Sub', [frames, emit.float(1)]), emit.float(1)])])]);
  }
  const deviation = emit.op('Add', [emit.op('Sqrt', [variance]), emit.float(normalisation.epsilon)]);
  // A feature that never changes, without an epsilon, becomes 0.
  return emit.op('Div', [centred, emit.op('Max', [deviation, emit.float(1e-30)])], {}, 'coppice.normalised');
}
