import type { ContribOperatorName, OperatorName } from '@coppice/graph';
import { attention } from './attention.ts';
import { contribAttention } from './contrib-attention.ts';
import { contraction, contribContraction } from './contraction.ts';
import { creation } from './creation.ts';
import { contribElementwise, elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { contribMovement, movement } from './movement.ts';
import { contribNormalisation, normalisation } from './normalisation.ts';
import { contribQuantise, quantise } from './quantise.ts';
import { contribRecurrent, recurrent } from './recurrent.ts';
import { contribReduction, reduction } from './reduction.ts';
import { absent, type Absent } from './rows.ts';
import { sampling } from './sampling.ts';
import type { StructureRule } from './signature.ts';

type Row = StructureRule | Absent;

const lengthDependsOnData = absent('its output length depends on the data, so everything it touches is frozen');
const sequence = absent('it holds a sequence of tensors, whose axes are not followed');
const optional = absent('it holds an optional value, whose axes are not followed');
const text = absent('it works on text');
const loss = absent('it is a loss, which a model that is ready to run does not have');

/** Families of the default domain, by file. */
export const families = { elementwise, contraction, recurrent, normalisation, reduction, movement, indexing, sampling, creation, attention, quantise };

/** Families of ONNX Runtime's own domain, by the same files. */
export const contribFamilies = {
  elementwise: contribElementwise, contraction: contribContraction, recurrent: contribRecurrent, normalisation: contribNormalisation,
  reduction: contribReduction, movement: contribMovement, attention: contribAttention, quantise: contribQuantise,
};

/** The structure of every operator of the default domain: its row, or the sentence why it has none. */
export const structure = {
  ...elementwise, ...contraction, ...recurrent, ...normalisation, ...reduction, ...movement, ...indexing, ...sampling, ...creation, ...attention, ...quantise,
  ConcatFromSequence: sequence,
  If: absent('its branches stand in its place; where they do not, everything it touches is frozen'),
  ImageDecoder: absent('it reads a compressed image'),
  Loop: absent('its body stands in its place; where it does not, everything it touches is frozen'),
  NegativeLogLikelihoodLoss: loss,
  NonMaxSuppression: lengthDependsOnData,
  NonZero: lengthDependsOnData,
  Optional: optional,
  OptionalGetElement: optional,
  OptionalHasElement: optional,
  RegexFullMatch: text,
  Scan: absent('its body stands in its place; where it does not, everything it touches is frozen'),
  SequenceAt: sequence,
  SequenceConstruct: sequence,
  SequenceEmpty: sequence,
  SequenceErase: sequence,
  SequenceInsert: sequence,
  SequenceLength: sequence,
  SequenceMap: sequence,
  SoftmaxCrossEntropyLoss: loss,
  SplitToSequence: sequence,
  StringConcat: text,
  StringNormalizer: text,
  StringSplit: text,
  TfIdfVectorizer: text,
  Unique: lengthDependsOnData,
} satisfies { readonly [N in OperatorName]: Row };

/** The same for the domain `com.microsoft`. */
export const contribStructure = {
  ...contribElementwise, ...contribContraction, ...contribRecurrent, ...contribNormalisation, ...contribReduction, ...contribMovement, ...contribAttention, ...contribQuantise,
} satisfies { readonly [N in ContribOperatorName]: Row };

const domains: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  // ONNX Runtime registers SimplifiedLayerNormalization in the default domain.
  '': { ...structure, SimplifiedLayerNormalization: contribStructure.SimplifiedLayerNormalization },
  'com.microsoft': contribStructure,
};

/** The row of an operator; undefined where neither table has it, and then everything that it touches must be frozen. */
export function ruleOf(domain: string, op: string): Row | undefined {
  const table = domains[domain === 'ai.onnx' ? '' : domain];
  return table && Object.hasOwn(table, op) ? table[op] : undefined;
}
