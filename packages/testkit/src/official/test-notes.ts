import type { Tolerance } from '../backend/compare.ts';

/** What is known of single tests. */
export interface TestNotes {
  /** Why only types and shapes are compared. */
  readonly random?: string;
  /** A tolerance wider than ONNX's own, and why. */
  readonly wider?: { readonly tolerance: Tolerance; readonly because: string };
  /** Why a result that differs is no failure of the backend. */
  readonly aside?: string;
}

const drawn: TestNotes = { random: 'draws at random: type and shape alone are compared' };
const transform: TestNotes = { wider: { tolerance: { relative: 1e-3, absolute: 1e-3 }, because: 'sums of up to 100 terms of either sign, expected in float64: where they cancel, float32 rounds like the terms (absolute 1e-3)' } };
const fraction: TestNotes = { aside: 'the test takes scale · length for the new length although that is no whole number; onnx/onnx#2462 has both readings, and runtimes take the length that comes out' };
const digits: TestNotes = { aside: 'how many digits a float has as text is not specified' };

const notes: readonly (readonly [RegExp, TestNotes])[] = [
  [/\/test_bernoulli/, drawn],
  [/\/test_training_dropout(?!.*zero_ratio)/, drawn],
  [/\/test_(dft|stft)/, transform],
  [/\/test_resize_downsample_scales_(linear|cubic)_align_corners$/, fraction],
  [/\/test_cast(like)?_FLOAT_to_STRING/, digits],
  [/\/test_cast_FLOAT_to_BFLOAT16$/, { aside: 'the test cuts off the lower 16 bits, where runtimes round to the nearest' }],
  [/\/test_castlike_(BFLOAT16_to_FLOAT|FLOAT_to_BFLOAT16)/, { aside: 'the tensor `like` of the test has another shape than its model declares' }],
  [/\/test_maxunpool_export_with_output_shape$/, { aside: 'the test takes output_shape for padding; it is the shape of the result, in which places are counted (onnx/onnx#2398)' }],
];

/** The notes on a test, by its name. */
export const notesOf = (name: string): TestNotes => notes.find(([names]) => names.test(name))?.[1] ?? {};
