import { expect, it } from 'vitest';
import { nodeOf } from './made-up-node.ts';
import { reshapeSignature } from './reshape.ts';
import { isPosition, labelSizes, parseAxes, type Axis, type Shape } from './signature.ts';

let seed = 11;
const random = (n: number): number => {
  seed = (seed * 16807) % 2147483647;
  return seed % n;
};

/** Cuts a list of factors into axes at random, with an axis of one here and there. */
function group(factors: readonly number[]): number[] {
  const shape: number[] = [];
  for (const factor of factors) {
    if (random(6) === 0) shape.push(1);
    if (shape.length === 0 || random(2) === 0) shape.push(factor); else shape[shape.length - 1] *= factor;
  }
  return shape;
}

/** Row-major numbers of the elements that go when element `at` of a label goes. */
function elementsOf(tokens: readonly Axis[], shape: Shape, sizes: ReadonlyMap<string, number>, label: string, at: number): number[] {
  const inner = (axis: Axis): number => {
    const factors = axis[0] ?? [];
    const place = factors.findIndex((f) => f.label === label);
    return place < 0 ? 0 : factors.slice(place + 1).reduce((p, f) => p * sizes.get(f.label)!, 1);
  };
  const strides = tokens.map(inner);
  const size = sizes.get(label)!;
  const total = shape.reduce((p, n) => p * n, 1);
  return Array.from({ length: total }, (_, k) => k).filter((k) => {
    let rest = k;
    for (let a = shape.length - 1; a >= 0; a--) {
      const index = rest % shape[a];
      rest = Math.floor(rest / shape[a]);
      if (strides[a] > 0 && Math.floor(index / strides[a]) % size === at) return true;
    }
    return false;
  });
}

it('removes the same elements before and after, whatever the shapes', () => {
  let labels = 0;
  for (let trial = 0; trial < 400; trial++) {
    const factors = Array.from({ length: 2 + random(4) }, () => 2 + random(3));
    // Every third time the right side has the factors in another order, which rarely lines up.
    const other = trial % 3 === 0 ? factors.toReversed() : factors;
    const [before, after] = [group(factors), group(other)];
    const wider = random(factors.length);
    const longer = factors.with(wider, factors[wider] + 3);
    // The second run makes one factor longer; the axes are grouped as in the first.
    const regroup = (shape: readonly number[], from: readonly number[], to: readonly number[]): number[] => {
      let k = 0;
      return shape.map((n) => {
        let size = 1;
        let wide = 1;
        while (size < n) { size *= from[k]; wide *= to[k]; k++; }
        return wide;
      });
    };
    const again = trial % 3 === 0 ? undefined : ([[regroup(before, factors, longer)], [regroup(after, factors, longer)]] as const);
    const node = nodeOf('Reshape', [before], [after], again ? { again } : {});
    const signature = reshapeSignature(node);
    const { inputs: [x], outputs: [y] } = parseAxes(signature.axes);
    for (const { inputs, outputs } of node.runs) {
      const sizes = labelSizes(signature, inputs, outputs);
      if (typeof sizes === 'string') throw new Error(sizes);
      for (const [label, size] of sizes) {
        if (isPosition(label)) continue;
        labels++;
        const at = random(size);
        const gone = elementsOf(x!, inputs[0]!, sizes, label, at);
        expect(gone.length, `${signature.axes} for ${before} and ${after}: ${label}`).toBeGreaterThan(0);
        expect(elementsOf(y!, outputs[0]!, sizes, label, at), `${signature.axes} for ${before} and ${after}: ${label}`).toEqual(gone);
      }
    }
  }
  expect(labels).toBeGreaterThan(1000);
});
