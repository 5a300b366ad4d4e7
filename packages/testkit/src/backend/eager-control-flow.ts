import { array, axisOf, build, type Array64 } from '../eager/array64.ts';

/** A graph of an If, Loop or Scan with the values around it in view. */
export type RunBody = (inputs: readonly Array64[]) => readonly Array64[];

/** The branch that the condition chooses. Spec: If-21. */
export const runIf = (condition: Array64, bodyOf: (name: string) => RunBody): readonly Array64[] =>
  bodyOf(condition.data[0] !== 0 ? 'then_branch' : 'else_branch')([]);

/** The body until the trips are over or the condition fails: final states, then what each trip put out, stacked. Spec: Loop-21. */
export function runLoop([trips, condition, ...states]: readonly (Array64 | undefined)[], body: RunBody, outputs: number): readonly Array64[] {
  let carried = states as readonly Array64[];
  const made: Array64[][] = Array.from({ length: outputs - carried.length }, () => []);
  let going = condition === undefined || condition.data[0] !== 0;
  for (let trip = 0; going && trip < (trips?.data[0] ?? Infinity); trip++) {
    const [again, ...results] = body([array([], [trip], 'int'), array([], [1], 'bool'), ...carried]);
    going = again.data[0] !== 0;
    carried = results.slice(0, carried.length);
    made.forEach((list, k) => list.push(results[carried.length + k]));
  }
  return [...carried, ...made.map((list) => stack(list, 0, false))];
}

interface ScanAttributes {
  readonly num_scan_inputs: number;
  readonly scan_input_axes?: readonly number[];
  readonly scan_input_directions?: readonly number[];
  readonly scan_output_axes?: readonly number[];
  readonly scan_output_directions?: readonly number[];
}

/** The body once for each place of the scanned axes. Spec: Scan-21. */
export function runScan(inputs: readonly Array64[], body: RunBody, attributes: ScanAttributes): readonly Array64[] {
  const { num_scan_inputs: scanned, scan_input_axes, scan_input_directions, scan_output_axes, scan_output_directions } = attributes;
  const sequences = inputs.slice(inputs.length - scanned);
  const axes = sequences.map(({ shape }, k) => axisOf(scan_input_axes?.[k] ?? 0, shape.length));
  let carried = inputs.slice(0, inputs.length - scanned);
  const steps = sequences[0].shape[axes[0]];
  const made: Array64[][] = [];
  for (let t = 0; t < steps; t++) {
    const slices = sequences.map((x, k) => placeOf(x, axes[k], scan_input_directions?.[k] === 1 ? steps - 1 - t : t));
    const results = body([...carried, ...slices]);
    carried = results.slice(0, carried.length);
    results.slice(carried.length).forEach((result, k) => (made[k] ??= []).push(result));
  }
  return [...carried, ...made.map((list, k) => stack(list, scan_output_axes?.[k] ?? 0, scan_output_directions?.[k] === 1))];
}

/** The part of a tensor at one place of an axis, without the axis. */
const placeOf = (x: Array64, axis: number, place: number): Array64 =>
  build(x.shape.toSpliced(axis, 1), (index) => x.data[index.toSpliced(axis, 0, place).reduce((sum, i, a) => sum * x.shape[a] + i, 0)], x.type);

function stack(list: readonly Array64[], at: number, reversed: boolean): Array64 {
  // How wide results are that never came about is not known here.
  if (list.length === 0) return array([0], []);
  const [first] = list;
  const axis = axisOf(at, first.shape.length + 1);
  const ordered = reversed ? list.toReversed() : list;
  return build(first.shape.toSpliced(axis, 0, list.length), (index) => {
    const own = index.toSpliced(axis, 1);
    return ordered[index[axis]].data[own.reduce((sum, i, a) => sum * first.shape[a] + i, 0)];
  }, first.type);
}
