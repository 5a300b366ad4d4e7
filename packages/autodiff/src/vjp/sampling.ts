import type { Emit, Known, Size, Value } from '../emit.ts';
import { absent, NoGradient, type Call, type Rows } from '../vjp.ts';
import { axisOf, from } from './axes.ts';
import { places } from './scatter.ts';

/** Ones on the diagonal, [1, 1, size, size]. */
function identityMatrix(emit: Emit, size: Size): Value {
  const place = places(emit, size);
  return emit.asFloat(emit.op('Equal', [emit.reshape(place, [1, 1, -1, 1]), emit.reshape(place, [1, 1, 1, -1])]));
}

/** How an axis is resized: the matrix [out, in] that the operator makes of the identity, so that all of its modes are meant alike. */
function resizedIdentity({ inputs: { X, scales, sizes }, outputs: { Y }, attributes, constants, emit }: Call<'Resize'>, axis: number, place: number): Value {
  const { mode, coordinate_transformation_mode, nearest_mode } = attributes;
  const [inside, outside] = [emit.size(X, axis), emit.size(Y, axis)];
  const scale = (): Value => (constants.scales ? emit.floats([constants.scales[place]], [1]) : emit.slice(scales!, { axes: [0], starts: [place], ends: [place + 1] }));
  const [one, identity] = [emit.floats([1], [1]), identityMatrix(emit, inside)];
  const matrix = emit.op('Resize', [identity, undefined, sizes ? undefined : emit.concat([one, one, scale(), one], 0), sizes ? emit.vector([1, 1, outside, inside]) : undefined], { mode, coordinate_transformation_mode, nearest_mode });
  return emit.squeeze(matrix, [0, 1]);
}

/** One axis of a value times a matrix from the left. @param matrix [in, out] */
function alongAxis(emit: Emit, value: Value, rank: number, axis: number, matrix: Value): Value {
  const toEnd = [...from(0, rank).filter((a) => a !== axis), axis];
  const swapped = axis !== rank - 1;
  const product = emit.matMul(swapped ? emit.transpose(value, toEnd) : value, matrix);
  return swapped ? emit.transpose(product, from(0, rank).map((a) => toEnd.indexOf(a))) : product;
}

const isSame = (X: Known, Y: Known, axis: number): boolean => X.shape[axis] !== undefined && X.shape[axis] === Y.shape[axis];

export const sampling = {
  /** Linear in x, axis by axis: y = R·x, so dx = Rᵀ·dy with the matrix R of each axis. */
  Resize(call) {
    const { inputs: { X, scales, sizes }, outputs: { Y }, attributes: { axes, mode, antialias, coordinate_transformation_mode, keep_aspect_ratio_policy }, constants, dY, emit } = call;
    if (mode === 'cubic' || antialias !== 0) throw new NoGradient('only nearest and linear interpolation without antialiasing have one');
    if (coordinate_transformation_mode === 'tf_crop_and_resize' || (sizes && keep_aspect_ratio_policy !== 'stretch')) throw new NoGradient('it crops, or keeps the aspect ratio');
    const rank = X.shape.length;
    const named = axes?.map((axis) => axisOf(X, axis)) ?? from(0, rank);
    const stays = (axis: number, place: number): boolean => isSame(X, Y, axis) && (scales === undefined || sizes !== undefined || constants.scales?.[place] === 1);
    return {
      X: () => named.reduce<Value>((value, axis, place) => (stays(axis, place) ? value : alongAxis(emit, value, rank, axis, resizedIdentity(call, axis, place))), dY),
    };
  },
  Upsample: absent('opset 10 withdrew it; Resize is its newest form'),
  GridSample: absent('it reads between pixels at computed places'),
  AffineGrid: absent('it makes places for reading between pixels'),
  RoiAlign: absent('it pools regions that the data choose'),
  MaxRoiPool: absent('it pools regions that the data choose'),
  Det: absent('it needs the inverse of a matrix'),
  DFT: absent('put the parameters behind the spectrum, or freeze those before it'),
  STFT: absent('put the parameters behind the spectrum, or freeze those before it'),
} satisfies Rows;
