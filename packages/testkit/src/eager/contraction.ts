import { at, axisOf, broadcast, build, indices, offset, type Array64 } from './array64.ts';
import { convolution } from './convolution.ts';
import type { EagerRows } from './row.ts';

export const contraction = {
  /** As numpy.matmul: vectors get an axis of one that leaves again, axes in front broadcast. */
  MatMul([a, b]) {
    const left: Array64 = a.shape.length === 1 ? { ...a, shape: [1, ...a.shape] } : a;
    const right: Array64 = b.shape.length === 1 ? { ...b, shape: [...b.shape, 1] } : b;
    const inner = left.shape[axisOf(-1, left.shape.length)];
    if (inner !== right.shape[axisOf(-2, right.shape.length)]) throw new Error(`MatMul of [${a.shape.join(', ')}] and [${b.shape.join(', ')}]`);
    const lead = broadcast(left.shape.slice(0, -2), right.shape.slice(0, -2));
    const row = (x: Array64, index: readonly number[]): number[] => {
      const own = x.shape.slice(0, -2);
      return own.map((size, axis) => (size === 1 ? 0 : index[axis + lead.length - own.length]));
    };
    const y = build([...lead, left.shape.at(-2)!, right.shape.at(-1)!], (index) => {
      const [batch, i, j] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
      const [l, r] = [row(left, batch), row(right, batch)];
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += at(left, [...l, i, k]) * at(right, [...r, k, j]);
      return sum;
    });
    const shape = y.shape.filter((_, axis) => !(a.shape.length === 1 && axis === y.shape.length - 2) && !(b.shape.length === 1 && axis === y.shape.length - 1));
    return [{ ...y, shape }];
  },

  /** alpha·A'·B' + beta·C, C broadcast to the product. Spec: Gemm-13. */
  Gemm([a, b, c], { alpha, beta, transA, transB }) {
    const [rows, inner] = transA ? [a.shape[1], a.shape[0]] : a.shape;
    const columns = b.shape[transB ? 0 : 1];
    if (inner !== b.shape[transB ? 1 : 0]) throw new Error(`Gemm of [${a.shape.join(', ')}] and [${b.shape.join(', ')}]`);
    return [build([rows, columns], ([i, j]) => {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += at(a, transA ? [k, i] : [i, k]) * at(b, transB ? [j, k] : [k, j]);
      const added = c ? at(c, c.shape.map((size, axis) => (size === 1 ? 0 : [i, j][axis + 2 - c.shape.length]))) : 0;
      return alpha * sum + beta * added;
    })];
  },

  /** A sum over every label that the result lacks; a label that an operand repeats is its diagonal, sizes of one broadcast. Spec: Einsum-12. */
  Einsum(inputs, { equation }) {
    const [left, right] = equation.replace(/\s+/g, '').replaceAll('...', '…').split('->');
    const terms = left.split(',');
    const lead = Math.max(0, ...terms.map((term, k) => (term.includes('…') ? inputs[k].shape.length - term.length + 1 : 0)));
    const all = [...terms.join('')];
    const implied = [...new Set(all)].filter((label) => label !== '…' && all.indexOf(label) === all.lastIndexOf(label)).sort().join('');
    const result = right ?? `${all.includes('…') ? '…' : ''}${implied}`;
    /** Labels of the axes; those of an ellipsis are numbered from the right. */
    const labels = (term: string, own: number): string[] => [...term].flatMap((label) => (label === '…' ? Array.from({ length: own }, (_, k) => `e${own - k}`) : [label]));
    const operands = terms.map((term, k) => labels(term, inputs[k].shape.length - term.length + 1));
    const output = labels(result, lead);
    const sizes = new Map<string, number>();
    operands.forEach((list, k) => list.forEach((label, axis) => sizes.set(label, Math.max(sizes.get(label) ?? 1, inputs[k].shape[axis]))));
    const order = [...sizes.keys()];
    const y = build(output.map((label) => sizes.get(label)!), () => 0);
    for (const index of indices(order.map((label) => sizes.get(label)!))) {
      const place = (label: string) => index[order.indexOf(label)];
      let product = 1;
      operands.forEach((list, k) => {
        product *= at(inputs[k], list.map((label, axis) => (inputs[k].shape[axis] === 1 ? 0 : place(label))));
      });
      y.data[offset(y.shape, output.map(place))] += product;
    }
    return [y];
  },

  ...convolution,
} satisfies EagerRows;
