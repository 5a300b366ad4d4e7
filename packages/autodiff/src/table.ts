import type { ContribOperatorName, OperatorName } from '@coppice/graph';
import { attention } from './vjp/attention.ts';
import { contraction } from './vjp/contraction.ts';
import { contribGradients } from './vjp/contrib.ts';
import { control } from './vjp/control.ts';
import { creation } from './vjp/creation.ts';
import { elementwise } from './vjp/elementwise.ts';
import { indexing } from './vjp/indexing.ts';
import { movement } from './vjp/movement.ts';
import { normalisation } from './vjp/normalisation.ts';
import { quantise } from './vjp/quantise.ts';
import { recurrent } from './vjp/recurrent.ts';
import { reduction } from './vjp/reduction.ts';
import { sampling } from './vjp/sampling.ts';
import { absent, type Row } from './vjp.ts';

const sequence = absent('it holds a sequence of tensors, which is not followed');
const optional = absent('it holds an optional value, which is not followed');
const text = absent('it works on text');
const loss = absent('it is a loss; leave it out of the model and state the loss instead');
/** Its results are numbers of elements. */
const none = () => ({});

/** The gradient of every operator of the default domain: its row, or the sentence why it has none. */
export const gradients: { readonly [N in OperatorName]: Row<N> } = {
  ...elementwise, ...contraction, ...recurrent, ...normalisation, ...reduction, ...movement, ...indexing, ...sampling, ...creation, ...attention, ...quantise, ...control,
  ConcatFromSequence: sequence,
  ImageDecoder: absent('it reads a compressed image'),
  NegativeLogLikelihoodLoss: loss,
  NonMaxSuppression: none,
  NonZero: none,
  Optional: optional,
  OptionalGetElement: optional,
  OptionalHasElement: optional,
  RegexFullMatch: text,
  SequenceAt: sequence,
  SequenceConstruct: sequence,
  SequenceEmpty: sequence,
  SequenceErase: sequence,
  SequenceInsert: sequence,
  SequenceLength: sequence,
  SoftmaxCrossEntropyLoss: loss,
  SplitToSequence: sequence,
  StringConcat: text,
  StringNormalizer: text,
  StringSplit: text,
  TfIdfVectorizer: text,
  Unique: absent('its output length depends on the data'),
};

const domains: Readonly<Record<string, Readonly<Record<string, Row<OperatorName>>>>> = {
  // ONNX Runtime registers SimplifiedLayerNormalization in the default domain.
  '': { ...(gradients as unknown as Readonly<Record<OperatorName, Row<OperatorName>>>), SimplifiedLayerNormalization: contribGradients.SimplifiedLayerNormalization },
  'com.microsoft': contribGradients satisfies { readonly [N in ContribOperatorName]: Row<OperatorName> },
};

/** The row of an operator; undefined where neither table has it. */
export function gradientOf(domain: string, op: string): Row<OperatorName> | undefined {
  const table = domains[domain === 'ai.onnx' ? '' : domain];
  return table && Object.hasOwn(table, op) ? table[op] : undefined;
}
