import { dataTypes } from '@coppice/graph';
import type { Rewriter, WeightRequest } from '../rewriter.ts';
import { largest, type Sharing } from '../scales.ts';
import type { Site, SiteWeight } from '../site.ts';

/**
 * Stores the weights of a node in 8 or 4 bits and widens them in the graph: Cast → Mul, which runtimes fold while they load (so that a run
 * costs what it did in float), or DequantizeLinear, which they keep.
 */
export function storeWeights(site: Site, to: Rewriter, bits: 8 | 4): void {
  for (const weight of site.weights) {
    if (!isWorthwhile(weight)) continue;
    const four = bits === 4 ? int4Sharing(site, weight, to) : undefined;
    const sharing = four ?? (formOf(weight, to) === 'dequantize' ? alongOneAxis(weight.sharing, weight.dims) : weight.sharing);
    const request: WeightRequest = { sharing, most: largest(four ? 4 : 8), dtype: four ? 'int4' : 'int8', scaleType: weight.dtype === 'float16' ? 'float16' : 'float32' };
    to.setInput(site, weight.operand.input, widened(site, to, weight, request));
  }
}

/** Fewer elements than this are not worth two nodes and a scale. */
const FEW = 64;

/** Whether few bits, with scales and nodes, are fewer bytes than the weight has now. */
export const isWorthwhile = ({ tensor, storedBytes, dims, sharing, dtype, dequantized }: SiteWeight): boolean => {
  const scales = sharing.keep.reduce((product, axis) => product * dims[axis], 1);
  return !dequantized && (dtype === 'float32' || dtype === 'float16') && tensor.data.length >= FEW && tensor.data.length + 4 * scales + 200 < storedBytes;
};

/** Why the weights of a node stay as they are: a sentence about the node; undefined when one of them is worth it. */
export function whyNotStored({ weights }: Site): string | undefined {
  if (weights.some(isWorthwhile)) return undefined;
  const [weight] = weights;
  if (!weight) return 'its weight is not a constant but computed from the input';
  if (weight.dequantized || weight.storedBytes <= 2 * weight.tensor.data.length && weight.dtype === 'float32') return 'its weight is stored in few bits already';
  if (weight.dtype !== 'float32' && weight.dtype !== 'float16') return `its weight is ${weight.dtype}`;
  return `its weight has ${weight.tensor.data.length} elements, too few to gain by scales`;
}

/** DequantizeLinear has float16 scales from opset 19 on. */
const formOf = ({ dtype }: SiteWeight, { settings, opset }: Rewriter): 'cast' | 'dequantize' => (dtype === 'float16' && opset < 19 ? 'cast' : settings.weightsAs);

/** DequantizeLinear has scales along one axis only: the longest of those that could have them. */
const alongOneAxis = ({ keep }: Sharing, dims: readonly number[]): Sharing => ({ keep: keep.length < 2 ? keep : [keep.reduce((best, axis) => (dims[axis] > dims[best] ? axis : best))] });

/** Shorter blocks would spend more on scales than four bits save. */
const LEAST_BLOCK = 8;

/** The longest blocks along the summed axis that divide it, or the whole axis where it is short; 8 bits (undefined) where int4 would have one scale for too many weights, or too few. */
function int4Sharing(site: Site, { operand, dims }: SiteWeight, { settings, opset }: Rewriter): Sharing | undefined {
  const axis = operand.summed?.(dims, site.node);
  if (axis === undefined || opset < 21) return undefined;
  const n = dims[axis];
  let size = n <= 2 * settings.blockSize ? n : undefined;
  for (let block = settings.blockSize; block >= LEAST_BLOCK && n > block; block--) if (n % block === 0) {
    size = block;
    break;
  }
  return size === undefined || n < LEAST_BLOCK ? undefined : { keep: dims.flatMap((_, k) => (k === axis ? [] : [k])), block: { axis, size } };
}

/** The weight as floats again; the same value for all nodes that read it in one scope. */
function widened(site: Site, to: Rewriter, weight: SiteWeight, request: WeightRequest): string {
  const { sharing: { keep, block }, dtype } = request;
  const name = to.name(weight.value);
  const form = formOf(weight, to);
  const what = JSON.stringify([weight.value, keep, block, dtype, form]);
  const scaleDims = (dims: readonly number[]): readonly number[] => {
    if (form === 'dequantize') return block ? dims : keep.length === 0 ? [] : [dims[keep[0]]];
    return block ? dims.toSpliced(block.axis + 1, 0, 1) : dims;
  };
  const written = to.weight(site, weight, { ...request, scaleDims });
  return to.once(site, what, () => {
    if (form === 'dequantize') {
      const attributes = { ...((keep.length > 0 || block) && { axis: block?.axis ?? keep[0] }), ...(block && { block_size: block.size }) };
      return to.before(site, 'DequantizeLinear', [written.qName, written.scaleName], `${name}/widened`, attributes)[0];
    }
    const cast = (from: string) => to.before(site, 'Cast', [from], `${name}/cast`, { to: dataTypes[weight.dtype] })[0];
    if (!block) return to.before(site, 'Mul', [cast(written.qName), written.scaleName], `${name}/widened`)[0];
    const shape = (what: string, dims: readonly number[]) => to.constant(`${name}/${what}`, 'int64', [dims.length], dims);
    const { axis, size } = block;
    const [blocks] = to.before(site, 'Reshape', [cast(written.qName), shape('in_blocks', weight.dims.toSpliced(axis, 1, weight.dims[axis] / size, size))], `${name}/blocks`);
    const [scaled] = to.before(site, 'Mul', [blocks, written.scaleName], `${name}/scaled`);
    return to.before(site, 'Reshape', [scaled, shape('shape', weight.dims)], `${name}/widened`)[0];
  });
}

/** Rows of a table that is looked up: the rows that are asked for are widened, not the table. */
export function storeTable(site: Site, to: Rewriter): void {
  const [weight] = site.weights;
  if (!weight || !isWorthwhile(weight)) return;
  const { proto } = site.step;
  const name = to.name(weight.value);
  const written = to.weight(site, weight, { sharing: weight.sharing, most: 127, dtype: 'int8', scaleType: weight.dtype === 'float16' ? 'float16' : 'float32' });
  const indices = to.input(site, 1);
  const attributes = { axis: 0 };
  const [rows] = to.before(site, 'Gather', [written.qName, indices], `${name}/rows`, attributes);
  const [scales] = to.before(site, 'Gather', [written.scaleName, indices], `${name}/row_scales`, attributes);
  const [wide] = to.before(site, 'Cast', [rows], `${name}/row_cast`, { to: dataTypes[weight.dtype] });
  to.replace(site, [to.node('Mul', [wide, scales], proto.output[0], proto.name)]);
}
