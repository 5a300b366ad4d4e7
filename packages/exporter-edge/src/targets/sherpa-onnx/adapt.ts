import { CoppiceError, graphOf, makeValueInfo, type Model, type ValueInfoProto } from '@coppice/graph';
import { featureWidth, type FeatureSettings, type SpeechDescription } from '@coppice/speech';
import type { Emitter } from '../../features-in-graph/emitter.ts';
import { afterLogarithm, logarithmFactor } from '../../features-in-graph/after-logarithm.ts';
import { fromOutputAxes, toInputAxes } from '../../features-in-graph/layouts.ts';
import { featuresNode, surround, withMetadata } from '../../features-in-graph/surround.ts';
import type { AdaptedModel } from '../../target.ts';
import { familyFor, type Family } from './families.ts';
import { metadataOf } from './metadata.ts';

/**
 * A recogniser as sherpa-onnx loads it. In front: from what that runtime computes to the features of training (floor, base of the
 * logarithm, dynamic range, cosines, normalisation). Behind: each frame of the output as often as it stands for frames of features,
 * because the families say one for one; runs of a token stay runs, and times are right. In the metadata: what the family wants.
 * @throws CoppiceError `COPPICE_TARGET_REFUSED` for features that no family has
 */
export function adaptForSherpa(model: Model, speech: SpeechDescription): AdaptedModel {
  const found = familyFor(speech.features);
  if ('refusal' in found) throw new CoppiceError('COPPICE_TARGET_REFUSED', found.refusal);
  const { family, computed } = found;
  const tokens = speech.tokens.length;
  const { mels } = speech.features;
  const sizes = { batch: 'N', time: 'T', feature: mels };
  const x = makeValueInfo('x', 'float32', family.inputAxes.split(' ').map((axis) => sizes[axis as keyof typeof sizes]));
  const lengths = makeValueInfo('x_lens', 'int64', ['N']);
  const logProbs = makeValueInfo('log_probs', 'float32', ['N', 'T_out', tokens]);
  const after = (emit: Emitter, output: string): string => fromOutputAxes(emit, output, speech, speech.frameStride);
  const wrapped = surround(model, {
    input: speech.input, output: speech.output,
    inputs: family.lengths ? [x, lengths] : [x],
    outputs: family.outputLengths ? [logProbs, makeValueInfo('log_probs_lens', 'int64', ['N'])] : [logProbs],
    before: (emit) => toInputAxes(emit, emit.op('Identity', [toFeatures(emit, 'x', family, computed, speech.features)], {}, featuresNode), speech),
    after: (emit, output) => {
      const repeated = after(emit, output);
      return family.outputLengths ? [repeated, frameCounts(emit, repeated)] : [repeated];
    },
  });
  const adapted: SpeechDescription = { ...speech, input: 'x', inputAxes: family.inputAxes, output: 'log_probs', outputAxes: 'batch time token', frameStride: 1 };
  return {
    model: withMetadata(wrapped, { ...family.metadata({ tokens, mels }), mels: undefined, tokens: undefined, frame_stride: undefined }),
    speech: adapted,
    reference: referenceOf(model, speech, family, after),
  };
}

/** The same, but fed with the features of training. */
function referenceOf(model: Model, speech: SpeechDescription, family: Family, after: (emit: Emitter, output: string) => string): Model {
  const sizes = { batch: 'N', time: 'T', feature: featureWidth(speech.features) };
  const input: ValueInfoProto = makeValueInfo('x', 'float32', family.inputAxes.split(' ').map((axis) => sizes[axis as keyof typeof sizes]));
  return surround(model, {
    input: speech.input, output: speech.output, inputs: [input], outputs: [makeValueInfo('log_probs', 'float32', ['N', 'T_out', speech.tokens.length])],
    before: (emit) => toInputAxes(emit, timeLast(emit, 'x', family), speech),
    after: (emit, output) => [after(emit, output)],
  });
}

const timeLast = (emit: Emitter, value: string, { inputAxes }: Family): string => (inputAxes === 'batch feature time' ? value : emit.op('Transpose', [value], { perm: [0, 2, 1] }));

/** From what the family computes to the features of training, [batch, feature, time]. */
function toFeatures(emit: Emitter, x: string, family: Family, computed: FeatureSettings, wanted: FeatureSettings): string {
  let logs = timeLast(emit, x, family);
  // A factor of the samples is its square in the energies, and a sum in their logarithms.
  const gain = 2 * Math.log(wanted.scale / computed.scale);
  if (gain !== 0) logs = emit.op('Add', [logs, emit.float(gain)], {}, 'coppice.scale');
  const floor = Math.log(wanted.floor);
  if (floor > Math.log(computed.floor) + gain) logs = emit.op('Max', [logs, emit.float(floor)], {}, 'coppice.floor');
  const factor = logarithmFactor(wanted);
  return afterLogarithm(emit, factor === 1 ? logs : emit.op('Mul', [logs, emit.float(factor)], {}, 'coppice.base'), wanted);
}

/** [batch, time, token] → time for each of the batch, int64 [batch]. */
function frameCounts(emit: Emitter, logProbs: string): string {
  const shape = emit.op('Shape', [logProbs]);
  const part = (axis: number): string => emit.op('Slice', [shape, emit.ints(axis), emit.ints(axis + 1), emit.ints(0)]);
  return emit.op('Expand', [part(1), part(0)]);
}

/** What a written model says of itself that is not so, a sentence each: sherpa-onnx reads these entries instead of the graph. */
export function staleMetadata(model: Model, family: Family, speech: SpeechDescription): string[] {
  const classes = Number(outputDim(model, 2));
  const wanted = family.metadata({ tokens: classes, mels: speech.features.mels });
  return Object.entries(wanted).flatMap(([key, value]) => {
    const own = metadataOf(model, key);
    if (own === value) return [];
    const what = own === undefined || own === '' ? 'is missing, and sherpa-onnx ends the process without it' : `is '${shorten(own)}'`;
    const because = key === 'vocab_size' ? `the output has ${classes} classes` : key === 'normalize_type' ? 'the graph normalises itself, so it would happen twice or otherwise' : `this bundle needs '${shorten(value)}'`;
    return [`The model's metadata are stale: '${key}' ${what}, and ${because}. Export again.`];
  });
}

const shorten = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

function outputDim(model: Model, axis: number): bigint {
  const type = graphOf(model).output[0]?.type?.value;
  const dim = type?.case === 'tensorType' ? type.value.shape?.dim[axis]?.value : undefined;
  return dim?.case === 'dimValue' ? dim.value : 0n;
}
