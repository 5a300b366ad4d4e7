import { freshNames, graphOf, makeInitializer, makeNode, makeValueInfo, toModernOpset, valueNames, withFields, type DataType, type Model, type NodeParts } from '@coppice/graph';
import { classifierAsCtc, type SpeechDescription } from '@coppice/speech';
import type { Classifier } from './classifier.ts';
import { honkLogMels, leastEnergy } from './honk.ts';
import { moonshineFeatures } from './moonshine.ts';

/** A model with a description, as every command takes it. */
export interface Described {
  readonly model: Model;
  readonly description: SpeechDescription;
}

type Step = Omit<NodeParts, 'inputs' | 'outputs'> & { readonly inputs: readonly string[]; readonly output: string };

/** Puts steps in front of the input of a classifier: they read `features`, and the last one gives what the model read. */
function withFront(model: Model, { input, dims }: Pick<Classifier, 'input' | 'dims'>, steps: readonly Step[], constants: Readonly<Record<string, readonly [dims: readonly number[], values: ArrayLike<number>, dtype?: DataType]>>): Model {
  const modern = toModernOpset(model);
  const graph = graphOf(modern);
  const fresh = freshNames(valueNames(graph));
  const names = new Map(['features', ...Object.keys(constants), ...steps.map(({ output }) => output)].map((name) => [name, fresh(`front.${name}`)]));
  const named = (name: string): string => names.get(name)!;
  const nodes = steps.map(({ inputs, output, ...step }, k) => makeNode({ ...step, name: named(output), inputs: inputs.map(named), outputs: [k === steps.length - 1 ? input : named(output)] }));
  const initializers = Object.entries(constants).map(([name, [shape, values, dtype = 'float32']]) => makeInitializer(named(name), dtype, shape, Array.from(values)));
  return { ...modern, proto: withFields(modern.proto, { graph: withFields(graph, {
    input: [makeValueInfo(named('features'), 'float32', ['batch', ...dims]), ...graph.input.filter(({ name }) => name !== input)],
    node: [...nodes, ...graph.node], initializer: [...graph.initializer, ...initializers], valueInfo: [],
  }) }) };
}

/** What both have in common: one decision a clip, the first second of it, and a blank that never wins. */
const described = (model: Model, { output, classes }: Classifier, description: Pick<SpeechDescription, 'features' | 'inputAxes'> & { readonly frames: number }): Described => {
  const { frames, ...rest } = description;
  return {
    model: classifierAsCtc(model, { output, classes: classes.length }),
    description: {
      ...rest, input: graphOf(model).input[0].name, output: 'log_probs', outputAxes: 'batch time token', frameStride: frames, clip: { seconds: 1, frames },
      // Words have no blanks in them: `hey rp`.
      tokenizer: 'words', tokens: [...classes.map((name) => name.replaceAll(' ', '-')), '<blank>'], blank: classes.length,
    },
  };
};

/** Moonshine's SpellingCNN, with the normalisation of a clip (all values together to mean 0 and sample deviation 1) in the graph. */
export function moonshineRecogniser(moonshine: Classifier): Described {
  const count = moonshine.dims.reduce((product, size) => product * size, 1);
  const model = withFront(moonshine.model, moonshine, [
    { op: 'ReduceMean', inputs: ['features', 'axes'], output: 'mean' },
    { op: 'Sub', inputs: ['features', 'mean'], output: 'centred' },
    { op: 'Mul', inputs: ['centred', 'centred'], output: 'squares' },
    { op: 'ReduceMean', inputs: ['squares', 'axes'], output: 'variance' },
    { op: 'Mul', inputs: ['variance', 'bessel'], output: 'sample-variance' },
    { op: 'Sqrt', inputs: ['sample-variance'], output: 'deviation' },
    { op: 'Max', inputs: ['deviation', 'least'], output: 'divisor' },
    { op: 'Div', inputs: ['centred', 'divisor'], output: 'normalised' },
  ], { bessel: [[], [count / (count - 1)]], least: [[], [1e-3]], axes: [[3], [1, 2, 3], 'int64'] });
  return described(model, moonshine, { features: moonshineFeatures, inputAxes: 'batch 1 feature time', frames: moonshine.dims[2] });
}

/** Honk's CNN, with its cosine transform in the graph: energies of digital silence count as 0 there, as in the authors' code. */
export function honkRecogniser(honk: Classifier): Described {
  const [, frames, mels] = honk.dims;
  const cosines = Array.from({ length: mels * mels }, (_, at) => {
    const [n, k] = [Math.floor(at / mels), at % mels];
    return Math.cos((Math.PI * k * (2 * n + 1)) / (2 * mels)) * Math.sqrt((k === 0 ? 1 : 2) / mels);
  });
  const model = withFront(honk.model, honk, [
    { op: 'Greater', inputs: ['features', 'silent'], output: 'heard' },
    { op: 'Where', inputs: ['heard', 'features', 'zero'], output: 'energies' },
    { op: 'MatMul', inputs: ['energies', 'cosines'], output: 'cepstra' },
  ], { silent: [[], [Math.log(leastEnergy) + 1e-3]], zero: [[], [0]], cosines: [[mels, mels], cosines] });
  return described(model, honk, { features: honkLogMels, inputAxes: 'batch 1 time feature', frames });
}
