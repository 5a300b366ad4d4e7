import { contribOperators, type ContribOperatorName, type OperatorName } from '@coppice/graph';
import { absent, type Row } from '../vjp.ts';
import { elementwise } from './elementwise.ts';
import { normalisation } from './normalisation.ts';
import { rounds } from './quantise.ts';

/** What is an operator of ONNX under another name: the same operands and attributes, so the same row. */
const aliases: { readonly [N in ContribOperatorName]?: unknown } = { Gelu: elementwise.Gelu, SimplifiedLayerNormalization: normalisation.RMSNormalization };

const quantised = /^(QLinear|QGemm|QAttention|DynamicQuantize|MatMulInteger|QuantizeLinear)/;
const fused = absent('only ONNX Runtime has this operator; take the model as it was before it was optimised for that runtime');

/** The gradients of the domain `com.microsoft`: the row of the standard operator, or the sentence why there is none. */
export const contribGradients = Object.fromEntries(
  Object.keys(contribOperators).map((op) => [op, aliases[op as ContribOperatorName] ?? (quantised.test(op) ? rounds : fused)]),
) as { readonly [N in ContribOperatorName]: Row<OperatorName> };
