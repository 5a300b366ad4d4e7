import { dataTypes, schemaOf, type NormalNode } from '@coppice/graph';

const { float16, bfloat16, float32, float64, int64, int32, bool, uint8 } = dataTypes;
const PLAIN = new Set<number>([float16, bfloat16, float32, float64, int32, int64]);
const BOOLEAN = new Set(['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Not', 'And', 'Or', 'Xor', 'IsNaN', 'IsInf']);
const INTEGER = new Set(['Shape', 'Size', 'NonZero', 'ArgMax', 'ArgMin', 'NonMaxSuppression', 'StringSplit']);

/**
 * ONNX element type number of output `k` of a node from those of its inputs (0 = unknown).
 * Nearly every operator keeps the type of its first input; this is the list of the others.
 */
export function inferElementType(node: NormalNode, inputs: readonly number[], k: number): number {
  const { op, attributes } = node;
  const number = (name: string, otherwise: number) => (typeof attributes[name] === 'number' ? attributes[name] : otherwise);
  if (BOOLEAN.has(op)) return bool;
  if (INTEGER.has(op) || ((op === 'TopK' || op === 'MaxPool' || op === 'Unique') && k >= 1)) return int64;
  switch (op) {
    case 'Cast': return number('to', 0);
    case 'CastLike': case 'Where': case 'OneHot': return inputs[op === 'OneHot' ? 2 : 1] ?? 0;
    case 'ConstantOfShape': return (attributes.value as { dataType?: number } | undefined)?.dataType ?? float32;
    case 'QuantizeLinear': return inputs[2] || number('output_dtype', 0) || uint8;
    case 'DequantizeLinear': return inputs[1] ?? 0;
    case 'DynamicQuantizeLinear': return k === 1 ? float32 : uint8;
    case 'MatMulInteger': case 'ConvInteger': case 'MatMulInteger16': return int32;
    case 'MatMulIntegerToFloat': case 'EmbedLayerNormalization': return inputs[2] ?? 0;
    case 'QAttention': return inputs[3] ?? 0;
    case 'QGemm': return inputs[7] ? (inputs[8] ?? 0) : float32;
    case 'RandomNormal': case 'RandomUniform': case 'Multinomial': return number('dtype', op === 'Multinomial' ? int32 : float32);
    case 'RandomNormalLike': case 'RandomUniformLike': case 'EyeLike': case 'Bernoulli': return number('dtype', 0) || (inputs[0] ?? 0);
    case 'Dropout': return k === 1 ? bool : (inputs[0] ?? 0);
    case 'If': case 'Loop': case 'Scan': return 0;
    default: {
      const zeroPoint = zeroPointOf(node);
      return (zeroPoint === undefined ? 0 : inputs[zeroPoint]) || inputs[0] || 0;
    }
  }
}

/** Whether zero is written as zero in numbers of an element type (0 or undefined = unknown, taken for yes): quantised ones have a zero point. */
export const hasPlainZero = (elementType: number | undefined): boolean => !elementType || PLAIN.has(elementType);

/** The position of the operand that says which number stands for zero in an operand or a result of a quantised operator. */
export function zeroPointOf({ domain, op }: Pick<NormalNode, 'domain' | 'op'>, side: 'inputs' | 'outputs' = 'outputs', k = 0): number | undefined {
  const schema = schemaOf(domain, op);
  const plain = (name: string) => name.replace(/[?.]/g, '').toLowerCase();
  const of = schema?.[side][k];
  const at = of === undefined ? -1 : schema!.inputs.findIndex((name) => plain(name) === `${plain(of)}_zero_point`);
  return at < 0 ? undefined : at;
}
