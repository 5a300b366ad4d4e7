import { CoppiceError, graphOf, type Model } from '@coppice/graph';
import type { SpeechDescription } from '@coppice/speech';
import { inText } from '../../model-card.ts';
import type { Target } from '../../target.ts';
import { featureRefusals } from './feature-tables.ts';
import { inputShape, operatorRefusals } from './lower.ts';
import { prepareForMicro } from './prepare.ts';
import { cSources, footprintOf, programOf, type Footprint } from './sources.ts';
import { verifyMicro } from './verify-micro.ts';

/** Operators that have no kernel, and that `prepareForMicro` takes away. */
const prepared: ReadonlySet<string> = new Set(['BatchNormalization', 'Constant', 'ConstantOfShape', 'Shape', 'Size', 'Range', 'Gather', 'Cast', 'QuantizeLinear', 'DequantizeLinear']);

/** Plain C99 for devices without an operating system: a keyword spotter in 8 bits, its front end, and static memory. */
export const microTarget: Target = {
  name: 'micro',
  summary: 'plain C99 for microcontrollers: a keyword spotter in 8 bits with its features, static memory, make verify',
  runtime: (_options, { model, speech }) => {
    const footprint = footprintOf(program(model, speech), speech);
    return { name: 'C99', version: '1', bytes: footprint.weightBytes, note: footprintNote(footprint) };
  },
  tolerance: { features: 2e-3 },
  prepare: prepareForMicro,
  refusals: microRefusals,
  adapt(model, speech) {
    if (!isQuantised(model)) throw new CoppiceError('COPPICE_TARGET_REFUSED', `The target 'micro' cannot take this model:\n  It computes in float, and the C code in 8 bits. Export with --quantize int8 and sound to calibrate on, or prepare the model with prepareForMicro.\nNothing was written.`);
    return { model, speech, reference: model };
  },
  async *files({ manifest, model }) {
    for (const [path, bytes] of cSources(program(model, manifest.speech), manifest.speech, manifest.golden)) yield { path, bytes };
    yield { path: 'BUILD.md', bytes: buildText(manifest.name, footprintOf(program(model, manifest.speech), manifest.speech)) };
  },
  verify: (folder, manifest) => verifyMicro(folder, manifest),
};

const isQuantised = (model: Model): boolean => graphOf(model).node.some(({ opType }) => opType === 'QuantizeLinear');

/** Of a model that is quantised everything that keeps it from C; of one that is not yet, what preparing it cannot change. */
function microRefusals(model: Model, speech: SpeechDescription): readonly string[] {
  if (isQuantised(model)) {
    const lowered = programOf(model, speech);
    return 'refusals' in lowered ? lowered.refusals : [];
  }
  const shape = inputShape(model, speech);
  return [...('refusals' in shape ? shape.refusals : []), ...featureRefusals(speech), ...operatorRefusals(model, prepared)];
}

function program(model: Model, speech: SpeechDescription) {
  const lowered = programOf(model, speech);
  if ('refusals' in lowered) throw new Error(lowered.refusals.join(' '));
  return lowered;
}

const footprintNote = ({ arenaBytes, weightBytes, samples }: Footprint): string =>
  `Nothing but a C99 compiler with a math library. Static memory: one arena of ${arenaBytes} bytes (and ${2 * samples} bytes for the clip, which the caller holds); constant data of the model: ${weightBytes} bytes of flash; no heap.`;

const buildText = (name: string, footprint: Footprint): string => `# ${inText(name)} in C99

${footprintNote(footprint)} The code and the tables of the features come on top: \`size recognise\`.

    make && ./recognise < clip.wav
    make verify
    make clean        # before \`coppice bundle verify\`, which takes programs in the folder for strangers

\`recognise.h\` has the one function that a device calls. Take \`recognise.c\`, \`model.c\`, \`coppice_ops.c\`, \`coppice_features.c\`, \`coppice_feature_tables.c\` and
their headers into your own build, with \`-ffp-contract=off\`; \`main.c\`, \`verify.c\` and \`read_audio.c\` are for computers.

Weights and activations have 8 bits, sums 32. A sum becomes 8 bits again by one multiplication of floats and rounding to the nearest, ties to even. The
front end computes in single precision, the model was trained on double: hence the tolerance of its features in \`golden_clips.h\`.

| file | |
|---|---|
| \`model.h\`, \`model.c\` | weights, and the calls of the operators in their order with their places in the arena |
| \`coppice_ops.h\`, \`coppice_ops.c\` | the operators |
| \`coppice_features.h\`, \`coppice_features.c\`, \`coppice_feature_tables.*\` | from samples to features, and the settings that the model was trained with |
| \`recognise.h\`, \`recognise.c\` | from samples to scores; the labels; the arena |
`;
