import type { Attributes } from '@coppice/graph';
import { elements, indices, isBig, sizeOf, stridesOf, writable } from '../host/array.ts';
import type { Computed } from '../row.ts';
import type { Host } from '../value.ts';

/** Letters of the operands and of the result, `...` as capitals of its own. Spec: Einsum-12. */
export function parseEinsum(equation: string, ranks: readonly number[]): { readonly inputs: readonly string[][]; readonly output: string[] } {
  const [left, right] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  const dots = terms.map((term, k) => ranks[k] - term.replace('...', '').length);
  const most = Math.max(0, ...terms.map((term, k) => (term.includes('...') ? dots[k] : 0)));
  const spread = (term: string, count: number): string[] => {
    const [head, tail] = term.split('...');
    return tail === undefined ? [...head] : [...head, ...Array.from({ length: count }, (_, k) => `.${most - count + k}`), ...tail];
  };
  const inputs = terms.map((term, k) => spread(term, dots[k]));
  if (right !== undefined) return { inputs, output: spread(right, most) };
  const letters = inputs.flat().filter((letter) => !letter.startsWith('.'));
  const once = [...new Set(letters)].filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)).sort();
  return { inputs, output: [...Array.from({ length: most }, (_, k) => `.${k}`), ...once] };
}

function contract(operands: readonly Host[], equation: string): Host {
  const { inputs, output } = parseEinsum(equation, operands.map(({ dims }) => dims.length));
  const sizes = new Map<string, number>();
  inputs.forEach((letters, k) => letters.forEach((letter, axis) => {
    const size = operands[k].dims[axis];
    const known = sizes.get(letter) ?? 1;
    if (known !== 1 && size !== 1 && known !== size) throw new Error(`'${letter}' of '${equation}' is ${known} and ${size}`);
    sizes.set(letter, Math.max(known, size));
  }));
  const summed = [...sizes.keys()].filter((letter) => !output.includes(letter));
  const strides = inputs.map((letters, k) => {
    const own = stridesOf(operands[k].dims);
    return [...output, ...summed].map((letter) => letters.reduce((sum, l, axis) => (l === letter && operands[k].dims[axis] !== 1 ? sum + own[axis] : sum), 0));
  });
  const [dims, inner] = [output.map((letter) => sizes.get(letter)!), summed.map((letter) => sizes.get(letter)!)];
  const { dtype } = operands[0];
  const out = elements(dtype, sizeOf(dims));
  const to = writable(out);
  const big = isBig(dtype);
  let k = 0;
  for (const index of indices(dims)) {
    const starts = strides.map((list) => index.reduce((sum, i, axis) => sum + i * list[axis], 0));
    let [sum, whole] = [0, 0n];
    for (const deep of indices(inner)) {
      let [product, exact] = [1, 1n];
      for (let n = 0; n < operands.length; n++) {
        let at = starts[n];
        for (let axis = 0; axis < deep.length; axis++) at += deep[axis] * strides[n][dims.length + axis];
        if (big) exact *= operands[n].data[at] as bigint;
        else product *= operands[n].data[at] as number;
      }
      if (big) whole += exact;
      else sum += product;
    }
    to[k++] = big ? whole : sum;
  }
  return { dtype, dims, data: out };
}

/** Products of two operands are lowered in graph; what is left is computed in JavaScript. */
export const einsum: Computed<Attributes<'Einsum'>> = { host: ({ inputs, attributes: { equation } }) => [contract(inputs, equation)] };
