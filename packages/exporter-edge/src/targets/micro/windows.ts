import { attributeNumber, attributeNumbers, refuse, type Lowered } from './lowering.ts';

/** Channels and the two axes behind them; one axis counts as a row. */
export function spatial(_node: Lowered, dims: readonly number[]): { readonly channels: number; readonly height: number; readonly width: number } {
  if (dims.length !== 3 && dims.length !== 4) refuse(`works on ${dims.length} axes, and the kernels take windows over one or two behind batch and channel`);
  if (dims[0] !== 1) refuse(`has a batch of ${dims[0]}, and a device recognises one clip at a time`);
  return { channels: dims[1], height: dims.length === 4 ? dims[2] : 1, width: dims.at(-1)! };
}

/** A window that slides over two axes. Padding of `auto_pad` is resolved. ONNX, Conv and AveragePool. */
export function poolSizes(node: Lowered, kernel: readonly number[], { height, width }: { readonly height: number; readonly width: number }) {
  const axes = kernel.length;
  const both = (name: string, otherwise: number): readonly number[] => {
    const own = attributeNumbers(node, name) ?? Array<number>(axes).fill(otherwise);
    return axes === 1 ? [otherwise, own[0]] : own;
  };
  const size = axes === 1 ? [1, kernel[0]] : kernel;
  const [stride, dilation, extent] = [both('strides', 1), both('dilations', 1), [height, width]];
  const span = size.map((n, k) => (n - 1) * dilation[k] + 1);
  const auto = node.attributes['auto_pad'] ?? 'NOTSET';
  const stated = attributeNumbers(node, 'pads') ?? Array<number>(2 * axes).fill(0);
  const pads = axes === 1 ? [0, stated[0], 0, stated[1]] : stated;
  const [begin, end] = [[0, 0], [0, 0]];
  const out = extent.map((n, k) => {
    if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
      const count = Math.ceil(n / stride[k]);
      const total = Math.max(0, (count - 1) * stride[k] + span[k] - n);
      begin[k] = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      end[k] = total - begin[k];
      return count;
    }
    if (auto === 'NOTSET') [begin[k], end[k]] = [pads[k], pads[k + 2]];
    const room = n + begin[k] + end[k] - span[k];
    if (attributeNumber(node, 'ceil_mode', 0) === 0) return Math.floor(room / stride[k]) + 1;
    const count = Math.ceil(room / stride[k]) + 1;
    // A window that begins behind the data and its padding is left out.
    return (count - 1) * stride[k] >= n + begin[k] ? count - 1 : count;
  });
  if (out.some((n) => n < 1)) refuse(`has windows of ${span.join(' × ')} over ${extent.join(' × ')}, which gives nothing`);
  if (begin.some((n) => n < 0) || end.some((n) => n < 0)) refuse('has negative padding');
  return {
    out_height: out[0], out_width: out[1], kernel_height: size[0], kernel_width: size[1], stride_height: stride[0], stride_width: stride[1],
    dilation_height: dilation[0], dilation_width: dilation[1], pad_top: begin[0], pad_left: begin[1], pad_bottom: end[0], pad_right: end[1],
  };
}
