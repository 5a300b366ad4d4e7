import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom } from '@coppice/core';
import { checkGradient, uniform } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';

const backend = wasmBackend();

describe('MatMul', () => {
  const shapes: readonly (readonly [a: number[], b: number[]])[] = [
    [[3, 4], [4, 2]], [[4], [4, 2]], [[3, 4], [4]], [[4], [4]], [[2, 3, 4], [4, 5]], [[3, 4], [2, 4, 5]], [[2, 3, 4], [2, 4, 5]],
    [[2, 1, 3, 4], [5, 4, 2]], [[1, 3, 4], [2, 4, 5]], [[2, 3, 4], [1, 4, 5]], [[4], [2, 4, 5]], [[4], [3, 2, 4, 5]], [[2, 3, 4], [4]], [[2, 5, 3, 4], [4]],
    [[3, 4], [2, 5, 4, 2]], [[2, 5, 3, 4], [4, 2]], [[1, 1, 3, 4], [2, 5, 4, 1]], [[3, 1], [1, 2]], [[2, 3, 4], [3, 1, 4, 5]],
  ];
  it.each(shapes)('goes back through %j times %j', async (a, b) => {
    const random = createRandom(`${a}/${b}`);
    await checkGradient({ op: 'MatMul', inputs: [uniform(random, a), uniform(random, b)] }, backend);
  });

  it.each([
    [[2, 3, 4], [5, 7, 4], [4, 2], [4, 2]],
    [[4, 2], [4, 2], [3, 2, 5], [2, 2, 6]],
    [[3, 2, 4], [2, 5, 4], [3, 4, 2], [2, 4, 7]],
    [[2, 3, 4, 5], [3, 3, 6, 5], [1, 5, 4], [1, 5, 4]],
    [[3, 4], [5, 4], [4], [4]],
  ])('knows nothing of open sizes: %j or %j times %j or %j', async (a, aAgain, b, bAgain) => {
    const random = createRandom(`${a}/${b}`);
    await checkGradient({ op: 'MatMul', inputs: [uniform(random, a), uniform(random, b)], again: [uniform(random, aAgain), uniform(random, bAgain)] }, backend);
  });
});

describe('Gemm', () => {
  const addends = [undefined, [], [1], [4], [3, 1], [1, 4], [3, 4]];
  const cases = [0, 1].flatMap((transA) => [0, 1].flatMap((transB) => addends.map((c, k) => [transA, transB, c, k % 2 === 0 ? 1 : 0.5, k % 3 === 0 ? 1 : -2] as const)));
  it.each(cases)('goes back through transA %d, transB %d, C %j, alpha %d, beta %d', async (transA, transB, c, alpha, beta) => {
    const random = createRandom(`${transA}${transB}${c}`);
    const inputs = (rows: number) => [uniform(random, transA ? [2, rows] : [rows, 2]), uniform(random, transB ? [4, 2] : [2, 4]), c && uniform(random, c)];
    await checkGradient({ op: 'Gemm', inputs: inputs(3), attributes: { alpha, beta, transA, transB }, ...(c?.[0] !== 3 && { again: inputs(5) }) }, backend);
  });
});

describe('Einsum', () => {
  const cases: readonly (readonly [equation: string, shapes: readonly number[][]])[] = [
    ['ij,jk->ik', [[2, 3], [3, 4]]], ['ij,jk', [[2, 3], [3, 4]]], ['bij,bjk->bik', [[2, 3, 4], [2, 4, 5]]], ['bhqd,bhkd->bhqk', [[2, 2, 3, 4], [2, 2, 5, 4]]],
    ['i,j->ij', [[2], [3]]], ['i,i->', [[3], [3]]], ['ij->ji', [[2, 3]]], ['ij->i', [[2, 3]]], ['ij->', [[2, 3]]], ['ij,j->i', [[2, 3], [3]]], ['ij,k->ik', [[2, 3], [4]]],
    ['...ij,...jk->...ik', [[2, 3, 4], [2, 4, 5]]], ['...ij,jk->...ik', [[2, 5, 3, 4], [4, 2]]], ['i...,ij->j...', [[2, 3, 4], [2, 5]]], ['...i,...i->...', [[2, 3, 4], [1, 1, 4]]],
    ['ij,jk,kl->il', [[2, 3], [3, 4], [4, 2]]], ['Ab,bC->AC', [[2, 3], [3, 4]]], ['bxi,oij,byj->boxy', [[2, 3, 4], [5, 4, 3], [2, 2, 3]]], ['nctv,vw->nctw', [[2, 3, 4, 5], [5, 2]]],
    ['ij,kj->ik', [[2, 1], [3, 4]]], ['bij,bjk->bik', [[1, 3, 4], [2, 4, 5]]],
  ];
  it.each(cases)('goes back through %s', async (equation, shapes) => {
    const random = createRandom(equation);
    await checkGradient({ op: 'Einsum', inputs: shapes.map((shape) => uniform(random, shape)), attributes: { equation } }, backend);
  });

  it.each([
    ['btc,cd->btd', [[2, 3, 4], [4, 5]], [[3, 7, 4], [4, 5]]],
    ['btc->bt', [[2, 3, 4]], [[3, 7, 4]]],
    ['bhqd,bhkd->bhqk', [[2, 2, 3, 4], [2, 2, 5, 4]], [[3, 2, 4, 4], [3, 2, 6, 4]]],
  ])('knows nothing of open sizes in %s', async (equation, shapes, again) => {
    const random = createRandom(equation);
    const inputs = (list: readonly number[][]) => list.map((shape) => uniform(random, shape));
    await checkGradient({ op: 'Einsum', inputs: inputs(shapes), again: inputs(again), attributes: { equation } }, backend);
  });

  it('refuses a diagonal by name', async () => {
    await expect(checkGradient({ op: 'Einsum', inputs: [uniform(createRandom(1), [3, 3])], attributes: { equation: 'ii->i' } })).rejects.toThrow('repeats a label');
  });
});
