/** A number q of a tensor stands for (q − zero) · scale; q is from −128 to 127. */
export interface Scale {
  readonly scale: number;
  readonly zero: number;
}

/** A piece of the arena that one operator writes and later ones read. */
export interface Buffer {
  readonly type: 'int8' | 'float';
  readonly elements: number;
}

/** Constant data, in flash. */
export type Table = Int8Array | Int32Array | Float32Array;

/** What each kernel of `c/coppice_ops.h` has in its structure, in its order, and how many operands it reads. */
export const kernels = {
  conv2d: { struct: 'conv2d', reads: 1, fields: ['groups', 'in_channels', 'in_height', 'in_width', 'out_channels', 'out_height', 'out_width', 'kernel_height', 'kernel_width', 'stride_height', 'stride_width', 'dilation_height', 'dilation_width', 'pad_top', 'pad_left', 'in_zero', 'out_zero', 'out_least', 'out_most', 'weights:int8', 'bias:int32', 'scale:float'] },
  dense: { struct: 'dense', reads: 1, fields: ['rows', 'in_features', 'out_features', 'in_zero', 'out_zero', 'out_least', 'out_most', 'weights:int8', 'bias:int32', 'scale:float'] },
  dense_float: { struct: 'dense', reads: 1, fields: ['rows', 'in_features', 'out_features', 'in_zero', 'out_zero', 'out_least', 'out_most', 'weights:int8', 'bias:int32', 'scale:float'] },
  lookup: { struct: 'lookup', reads: 1, fields: ['count', 'table:int8'] },
  add: { struct: 'binary', reads: 2, fields: ['extent[4]', 'a_stride[4]', 'b_stride[4]', 'a_zero', 'b_zero', 'out_zero', 'out_least', 'out_most', 'a_scale~', 'b_scale~', 'out_scale~'] },
  multiply: { struct: 'binary', reads: 2, fields: ['extent[4]', 'a_stride[4]', 'b_stride[4]', 'a_zero', 'b_zero', 'out_zero', 'out_least', 'out_most', 'a_scale~', 'b_scale~', 'out_scale~'] },
  max_pool2d: { struct: 'pool2d', reads: 1, fields: ['channels', 'in_height', 'in_width', 'out_height', 'out_width', 'kernel_height', 'kernel_width', 'stride_height', 'stride_width', 'dilation_height', 'dilation_width', 'pad_top', 'pad_left', 'pad_bottom', 'pad_right', 'count_padding', 'in_zero', 'out_zero', 'out_least', 'out_most', 'in_scale~', 'out_scale~'] },
  average_pool2d: { struct: 'pool2d', reads: 1, fields: ['channels', 'in_height', 'in_width', 'out_height', 'out_width', 'kernel_height', 'kernel_width', 'stride_height', 'stride_width', 'dilation_height', 'dilation_width', 'pad_top', 'pad_left', 'pad_bottom', 'pad_right', 'count_padding', 'in_zero', 'out_zero', 'out_least', 'out_most', 'in_scale~', 'out_scale~'] },
  reduce_sum: { struct: 'reduce', reads: 1, fields: ['kept[4]', 'reduced[4]', 'stride[4]', 'in_zero', 'out_zero', 'out_least', 'out_most', 'in_scale~', 'out_scale~', 'divisor'] },
  reduce_max: { struct: 'reduce', reads: 1, fields: ['kept[4]', 'reduced[4]', 'stride[4]', 'in_zero', 'out_zero', 'out_least', 'out_most', 'in_scale~', 'out_scale~', 'divisor'] },
  move: { struct: 'move', reads: 1, fields: ['extent[4]', 'from', 'from_stride[4]', 'to', 'to_stride[4]'] },
  fill: { struct: 'fill', reads: 0, fields: ['count', 'value'] },
  quantise: { struct: 'quantise', reads: 1, fields: ['rows', 'columns', 'row_stride', 'column_stride', 'zero', 'scale~'] },
  dequantise: { struct: 'dequantise', reads: 1, fields: ['count', 'zero', 'scale~'] },
  log_softmax: { struct: 'softmax', reads: 1, fields: ['rows', 'classes'] },
} as const satisfies Readonly<Record<string, { readonly struct: string; readonly reads: number; readonly fields: readonly string[] }>>;

export type KernelName = keyof typeof kernels;

/** Name of a field without what its type is marked with: `[4]` whole numbers, `~` a float, `:type` a table; whole numbers have no mark. */
export const fieldName = (field: string): string => field.replace(/[[:~].*$/, '');

/** A call of a kernel. */
export interface Call {
  readonly kernel: KernelName;
  readonly fields: Readonly<Record<string, number | readonly number[] | Table>>;
  /** Buffers by number, or constant data. */
  readonly reads: readonly (number | Int8Array)[];
  /** A buffer; several calls may write parts of one. */
  readonly writes: number;
  /** The operator it is from, in the model's words. */
  readonly node: string;
}

/** A model as calls in their order. */
export interface MicroProgram {
  readonly buffers: readonly Buffer[];
  readonly calls: readonly Call[];
  /** Buffer of the features, and what is in it. */
  readonly input: { readonly buffer: number; readonly frames: number; readonly width: number };
  /** Buffer of the scores, natural logarithms of probabilities; and scores behind them that are always the same, such as that of a blank that never wins. */
  readonly output: { readonly buffer: number; readonly classes: number; readonly beyond: readonly number[] };
}
