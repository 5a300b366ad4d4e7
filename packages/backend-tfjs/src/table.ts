import type { ContribOperatorName, OperatorName } from '@coppice/graph';
import { contribRows } from './kernels/contrib.ts';
import { attention } from './kernels/attention.ts';
import { contraction } from './kernels/contraction.ts';
import { convolution } from './kernels/convolution.ts';
import { creation } from './kernels/creation.ts';
import { elementwise } from './kernels/elementwise.ts';
import { activations } from './kernels/activations.ts';
import { losses } from './kernels/losses.ts';
import { indexing } from './kernels/indexing.ts';
import { movement } from './kernels/movement.ts';
import { normalisation } from './kernels/normalisation.ts';
import { pooling } from './kernels/pooling.ts';
import { quantise } from './kernels/quantise.ts';
import { recurrent } from './kernels/recurrent.ts';
import { reduction } from './kernels/reduction.ts';
import { sampling } from './kernels/sampling.ts';
import { refused, type Computed, type Control, type Expanded, type Lowered, type Refused, type Row } from './row.ts';

const sequence = refused('it holds a sequence of tensors, and only tensors are followed here');
const optional = refused('it holds an optional value, and only tensors are followed here');
const text = refused('it works on text');

/** Every operator of the default domain: how it is computed, or the sentence why it is not. */
export const operatorRows: { readonly [N in OperatorName]: Row<N> } = {
  ...elementwise, ...activations, ...contraction, ...convolution, ...pooling, ...recurrent, ...normalisation, ...reduction, ...movement, ...indexing, ...creation, ...attention, ...quantise, ...sampling, ...losses,
  If: { control: 'If' },
  Loop: { control: 'Loop' },
  Scan: { control: 'Scan' },
  ConcatFromSequence: sequence,
  ImageDecoder: refused('it reads a compressed image'),
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
  SequenceMap: sequence,
  SplitToSequence: sequence,
  StringConcat: text,
  StringNormalizer: text,
  StringSplit: text,
  TfIdfVectorizer: text,
};

/** A row whose types are forgotten, as the planner takes it. */
export type PlannedRow = Computed<never> | Expanded<never> | Refused | Lowered | Control;

const domains: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  // ONNX Runtime registers SimplifiedLayerNormalization in the default domain.
  '': { ...operatorRows, SimplifiedLayerNormalization: contribRows.SimplifiedLayerNormalization },
  'com.microsoft': contribRows satisfies { readonly [N in ContribOperatorName]: unknown },
};

/** The row of an operator; undefined where no table has it. */
export function rowOf(domain: string, op: string): PlannedRow | undefined {
  const table = domains[domain === 'ai.onnx' ? '' : domain];
  return table && Object.hasOwn(table, op) ? (table[op] as PlannedRow) : undefined;
}
