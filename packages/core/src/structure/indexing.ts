import { agree, explain, integer, notation, passes, sizesOf, varies } from './node-view.ts';
import type { StandardRows } from './rows.ts';
import { axisOf, frozen, letters, type Frozen, type NodeView, type Restatement, type Signature, type StructureRule } from './signature.ts';

const dynamicSize = 'its size differs between the runs';
const lookedUp = 'its elements are looked up by number';

/** Ascending or descending indices from `start`, `count` of them. */
const indicesFrom = (start: number, step: number, count: number): number[] => Array.from({ length: count }, (_, k) => start + k * step);

/** The first index that a bound means on an axis of size n. Spec: Slice-13. */
function firstIndex(bound: number, step: number, n: number): number {
  const index = bound < 0 ? bound + n : bound;
  return Math.min(Math.max(index, 0), step > 0 ? n : n - 1);
}

/**
 * Part of some axes. Step 1 keeps a middle part, other steps pick elements one by one; an axis that keeps its size at step 1 passes, whatever
 * its bounds are: a bound past the end means the end after a cut too.
 */
const slice = (node: NodeView): Signature | Frozen => {
  const shape = node.inputs[0]!;
  const [, starts, , listed, listedSteps] = node.constants;
  if (!listed && node.inputs[3]) return frozen('which axes it slices is computed from data');
  const count = starts?.length ?? node.inputs[1]?.[0] ?? 0;
  const sliced = (listed ?? indicesFrom(0, 1, count)).map((a) => axisOf(a, shape.length));
  const before = letters(shape.length);
  const after = letters(shape.length);
  const sizes: Record<string, number> = {};
  const select: Record<string, { of: string; at: number[] }> = {};
  const restates: Restatement[] = [];
  sliced.forEach((a, entry) => {
    const step = listedSteps?.[entry] ?? (node.inputs[4] ? undefined : 1);
    const [from, to] = [sizesOf(node, 'inputs', 0, a), sizesOf(node, 'outputs', 0, a)];
    if (step === 1 && agree(from, to)) return;
    if (varies(from) || varies(to) || !starts || step === undefined || to[0] === 0) {
      before[a] = `${varies(from) || varies(to) ? 'D' : 'S'}${a}`;
      after[a] = `${varies(from) || varies(to) ? 'E' : 'T'}${a}`;
      return;
    }
    const first = firstIndex(starts[entry], step, from[0]);
    if (step === 1) {
      const parts = ([[`p${a}`, first], [`c${a}`, to[0]], [`q${a}`, from[0] - first - to[0]]] as const).filter(([, size]) => size > 0);
      Object.assign(sizes, Object.fromEntries(parts));
      const of = parts.map(([part]) => part).join('+');
      before[a] = `(${of})`;
      after[a] = `c${a}`;
      restates.push({ slice: `c${a}`, of, entry });
    } else {
      after[a] = `s${a}`;
      select[after[a]] = { of: before[a], at: indicesFrom(first, step, to[0]) };
      restates.push({ slice: after[a], of: before[a], entry });
    }
  });
  const axes = notation(node, [before.join(' ')], [after.join(' ')]);
  const unknown = 'the bounds of this slice are not the same in all runs';
  return { axes, sizes, select, restates, because: explain(axes, { D: dynamicSize, E: dynamicSize, S: unknown, T: unknown }) };
};

/**
 * Elements of one axis by number. Constant numbers are an index map: a single one keeps its element for ever, several may be cut like any other
 * axis. Numbers that are data freeze the axis they look into.
 */
const gather = (node: NodeView): Signature => {
  const data = node.inputs[0]!;
  const rank = node.inputs[1]!.length;
  const axis = axisOf(integer(node, 'axis', 0), data.length);
  const size = sizesOf(node, 'inputs', 0, axis);
  const known = node.constants[1]?.map((i) => axisOf(i, size[0]));
  const build = (looked: string, indices: readonly string[]) => {
    const before = letters(data.length).with(axis, looked);
    return notation(node, [before.join(' '), known ? undefined : indices.join(' ')], [before.toSpliced(axis, 1, ...indices).join(' ')]);
  };
  if (!known) {
    const axes = build('V', letters(rank, 'i'));
    return { axes, because: { V: lookedUp } };
  }
  if (varies(size) || rank > 1) {
    const axes = build('V', letters(rank, 'I'));
    return { axes, because: explain(axes, { V: varies(size) ? dynamicSize : lookedUp, I: 'a table of constant numbers says what stands here' }) };
  }
  const picked = rank === 0 ? 'P' : 's';
  return {
    axes: build('d', rank === 0 ? [] : [picked]),
    select: { [picked]: { of: 'd', at: known } },
    restates: [{ operand: 1, indicesInto: 'd', selected: picked }],
    because: rank === 0 ? { P: 'this element is taken out by its number' } : undefined,
  };
};

/** Zeros at the ends of an axis are elements of their own, which may go like any other; other ways to pad copy elements of the axis. */
const pad = (node: NodeView): Signature | Frozen => {
  const rank = node.inputs[0]!.length;
  const [, amounts, value, listed] = node.constants;
  if (!listed && node.inputs[3]) return frozen('which axes it pads is computed from data');
  const padded = (listed ?? indicesFrom(0, 1, rank)).map((a) => axisOf(a, rank));
  const zeros = (node.attributes.mode ?? 'constant') === 'constant' && (node.inputs[2] || value ? value?.[0] === 0 : true);
  const before = letters(rank);
  const after = letters(rank);
  const sizes: Record<string, number> = {};
  const are: (string | undefined)[] = Array.from({ length: 2 * padded.length });
  const because: Record<string, string> = {};
  padded.forEach((a, entry) => {
    // Amounts that nobody knows but that add nothing in any run are taken for none: they would have to be +n and −n.
    const [first, last] = amounts ? [amounts[entry], amounts[entry + padded.length]] : passes(node, a) ? [0, 0] : [-1, -1];
    if (first === 0 && last === 0) return;
    const dynamic = varies(sizesOf(node, 'inputs', 0, a)) || varies(sizesOf(node, 'outputs', 0, a));
    if (!zeros || dynamic || first < 0 || last < 0) {
      before[a] = `S${a}`;
      after[a] = `T${a}`;
      because[before[a]] = because[after[a]] = dynamic ? dynamicSize : first < 0 || last < 0 ? 'it is cropped, or padded by an amount that is not the same in all runs' : 'it is padded with something else than zeros';
      return;
    }
    const parts = ([[`p${a}`, first], [`a${a}`, undefined], [`q${a}`, last]] as const).filter(([, size]) => size !== 0);
    for (const [part, size] of parts) if (size !== undefined) sizes[part] = size;
    after[a] = `(${parts.map(([part]) => part).join('+')})`;
    if (first > 0) are[entry] = `p${a}`;
    if (last > 0) are[entry + padded.length] = `q${a}`;
  });
  return {
    axes: notation(node, [before.join(' ')], [after.join(' ')]),
    sizes, because,
    restates: are.some(Boolean) ? [{ operand: 1, are: Array.from(are) }] : undefined,
  };
};

/** One number for each element says where along `axis` it comes from or goes to; other axes pass where they are equally long. */
const elementsAlong = (node: NodeView, updates: boolean): Signature => {
  const rank = node.inputs[0]!.length;
  const axis = axisOf(integer(node, 'axis', 0), rank);
  const aligned = (a: number) => agree(sizesOf(node, 'inputs', 0, a), sizesOf(node, 'inputs', 1, a));
  const data = letters(rank).map((l, a) => (a === axis || !aligned(a) ? `D${a}` : l)).join(' ');
  const indices = letters(rank).map((l, a) => (a === axis || !aligned(a) ? (updates ? `I${a}` : a === axis ? 'i' : `I${a}`) : l)).join(' ');
  const axes = updates ? notation(node, [data, indices, indices], [data]) : notation(node, [data, indices], [indices]);
  return { axes, because: explain(axes, { D: lookedUp, I: 'these are numbers of elements' }) };
};

/** The last axis of the indices holds coordinates: of the data's axes, `batch` are shared, as many as coordinates are looked up, the rest passes. */
const coordinates = (node: NodeView, updates: boolean): Signature => {
  const data = node.inputs[0]!;
  const indices = node.inputs[1]!;
  const batch = integer(node, 'batch_dims', 0);
  const looked = batch + indices[indices.length - 1];
  const before = letters(data.length).map((l, a) => (a >= batch && a < looked ? `D${a}` : l));
  const where = letters(indices.length - 1, updates ? 'I' : 'i').map((l, a) => (a < batch ? `a${a}` : l));
  const moved = [...where, ...before.slice(looked)].join(' ');
  const entry = [...where, 'K'].join(' ');
  const axes = updates ? notation(node, [before.join(' '), entry, moved], [before.join(' ')]) : notation(node, [before.join(' '), entry], [moved]);
  return { axes, because: explain(axes, { D: lookedUp, I: 'these are numbers of elements', K: 'the coordinates of an element' }) };
};

/**
 * Assigning to a slice of a tensor (`y[:, :, a:b] = u`) comes as ScatterND with the coordinates of every element. When each coordinate depends
 * on its own axis alone, the axes of the updates are parts of those of the data.
 */
const scatterGrid = (node: NodeView): Signature | undefined => {
  const [data, indices, updates] = node.inputs;
  const contents = node.constants[1];
  const rank = data!.length;
  if (!contents || !indices || !updates || indices.at(-1) !== rank || updates.length !== rank || node.attributes.reduction === 'mul') return undefined;
  const at = updates.map((n) => Array.from({ length: n }, () => -1));
  const strides = updates.map((_, a) => updates.slice(a + 1).reduce((p, n) => p * n, 1));
  for (let k = 0; k < contents.length; k++) {
    const [element, a] = [Math.floor(k / rank), k % rank];
    const position = Math.floor(element / strides[a]) % updates[a];
    const coordinate = axisOf(contents[k], data![a]);
    if (at[a][position] !== -1 && at[a][position] !== coordinate) return undefined;
    at[a][position] = coordinate;
  }
  const whole = (a: number) => at[a].length === data![a] && at[a].every((c, k) => c === k) && !varies(sizesOf(node, 'inputs', 0, a));
  const before = letters(rank).map((l, a) => (whole(a) ? l : `D${a}`));
  const moved = before.map((l, a) => (whole(a) ? l : `U${a}`));
  const axes = notation(node, [before.join(' '), undefined, moved.join(' ')], [before.join(' ')]);
  return { axes, restates: [{ operand: 1, gridOver: moved, coordinates: at }], because: explain(axes, { D: 'a part of it is assigned by position', U: 'it is assigned to a part by position' }) };
};

const scatterElements: StructureRule = (node) => elementsAlong(node, true);

export const indexing = {
  Slice: slice,
  Gather: gather,
  Pad: pad,
  GatherElements: (node) => elementsAlong(node, false),
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  GatherND: (node) => coordinates(node, false),
  ScatterND: (node) => scatterGrid(node) ?? coordinates(node, true),
  /** New keys or values are written into a cache, along the axis of positions. Spec: TensorScatter-24. */
  TensorScatter: (node) => {
    const tokens = letters(node.inputs[0]!.length);
    const axis = axisOf(integer(node, 'axis', -2), tokens.length);
    const cache = tokens.with(axis, 'P').join(' ');
    return { axes: notation(node, [cache, tokens.with(axis, 'T').join(' '), 'a0'], [cache]), because: { P: 'positions of the cache', T: 'positions that are written to the cache' } };
  },
  /** Elements where the condition holds: how many there are depends on the data. */
  Compress: (node) => {
    const axis = node.attributes.axis as number | undefined;
    if (axis === undefined) return frozen('it picks elements of the flattened tensor by a condition');
    const rank = node.inputs[0]!.length;
    const tokens = letters(rank);
    const at = axisOf(axis, rank);
    return { axes: notation(node, [tokens.with(at, 'C').join(' '), 'B'], [tokens.with(at, 'D').join(' ')]), because: { B: lookedUp, C: 'a condition picks its elements', D: 'its length depends on the data' } };
  },
  /** Each index becomes a row with one element set; the new axis is as long as the operand `depth` says. */
  OneHot: (node) => {
    const rank = node.outputs[0]!.length;
    const indices = letters(rank - 1, 'i');
    return { axes: notation(node, [indices.join(' '), undefined, 'V'], [indices.toSpliced(axisOf(integer(node, 'axis', -1), rank), 0, 'D').join(' ')]), because: { D: 'an element is a number that the data may hold', V: 'the values for off and on' } };
  },
} satisfies StandardRows;
