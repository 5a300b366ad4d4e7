import { CoppiceError, makeGraph, makeValueInfo, type Tensor } from '@coppice/graph';
import { must, type Claim } from '../claim.ts';
import { differenceOf, exact } from '../compare.ts';
import { copied } from '../copied.ts';
import { bool, claimOfGraph, float32, graphModel, int64, nodesOf, spread, type Declared, type Stated, type Step } from '../graph-claim.ts';
import { withExecutable } from '../with-executable.ts';

const x: Declared = ['x', 'float32', ['batch', 'time', 6]];
const runs = [[2, 5], [3, 8], [1, 1]].map(([batch, time]) => ({ inputs: { x: spread([batch, time, 6]) } }));

/** Models whose integers are exact or refused: by name at compile, or by the value at the run; never rounded. */
function exactOrRefused(title: string, steps: readonly Step[], stated: readonly Stated[], inputs: Readonly<Record<string, Tensor>>, expected: Tensor): Claim {
  const declared = Object.entries(inputs).map(([name, { dtype, dims }]): Declared => [name, dtype, dims]);
  const model = graphModel(declared, [['y', 'int64']], steps, stated);
  return {
    family: 'shape arithmetic', title, operators: [...steps.map(([op]) => op), 'int64'],
    async check({ backend }) {
      let y: Tensor;
      try {
        ({ y } = await withExecutable(backend, model, (executable) => executable.run(copied(inputs))));
      } catch (error) {
        must(error instanceof CoppiceError, () => `${title}: it fails without a code: ${String(error)}`);
        return;
      }
      const difference = differenceOf(expected, y, exact);
      must(difference === undefined, `${title}: the output ${difference}; whole numbers are exact or refused`);
    },
  };
}

const beyond = 2n ** 40n + 1n;

const shapeArithmetic: readonly Claim[] = [
  claimOfGraph('shape arithmetic', 'joins axes by sizes taken from the shape', graphModel([x], [['y', 'float32']], [
    ['Shape', ['x'], 'shape'], ['Gather', ['shape', 'first'], 'batch'], ['Slice', ['shape', 'one', 'three'], 'rest'], ['ReduceProd', ['rest'], 'width', { keepdims: 1 }],
    ['Concat', ['batch', 'width'], 'joined', { axis: 0 }], ['Reshape', ['x', 'joined'], 'y'],
  ], [['first', 'int64', [1], [0]], ['one', 'int64', [1], [1]], ['three', 'int64', [1], [3]]]), runs),
  claimOfGraph('shape arithmetic', 'cuts, repeats and fills by computed numbers', graphModel([x], [['y', 'float32'], ['z', 'float32'], ['mask', 'bool']], [
    ['Shape', ['x'], 'shape'], ['Gather', ['shape', 'one'], 'time'], ['Add', ['time', 'one'], 'more'], ['Div', ['more', 'two'], 'half'], ['Unsqueeze', ['half', 'nought'], 'end'],
    ['Slice', ['x', 'none', 'end', 'axis'], 'y'],
    ['Mul', ['half', 'two'], 'even'], ['Sub', ['even', 'one'], 'odd'], ['Range', ['zero', 'odd', 'one'], 'steps'], ['Cast', ['steps'], 'z', { to: 1 }],
    ['Less', ['steps', 'half'], 'mask'],
  ], [['one', 'int64', [], [1]], ['two', 'int64', [], [2]], ['zero', 'int64', [], [0]], ['nought', 'int64', [1], [0]], ['none', 'int64', [1], [0]], ['axis', 'int64', [1], [1]]]), runs),
  claimOfGraph('shape arithmetic', 'chooses a size by a comparison', graphModel([x], [['y', 'float32']], [
    ['Shape', ['x'], 'shape'], ['Greater', ['shape', 'limit'], 'long'], ['Where', ['long', 'limit', 'shape'], 'ends'], ['Slice', ['x', 'starts', 'ends'], 'y'],
  ], [['limit', 'int64', [3], [2, 4, 5]], ['starts', 'int64', [3], [0, 0, 0]]]), runs),
  claimOfGraph('shape arithmetic', 'expands and tiles to sizes of another value', graphModel([x, ['v', 'float32', [6]]], [['y', 'float32'], ['z', 'float32']], [
    ['Shape', ['x'], 'shape'], ['Expand', ['v', 'shape'], 'y'], ['Slice', ['shape', 'none', 'one'], 'batch'], ['Concat', ['batch', 'one'], 'repeats', { axis: 0 }], ['Unsqueeze', ['v', 'none'], 'row'], ['Tile', ['row', 'repeats'], 'z'],
  ], [['none', 'int64', [1], [0]], ['one', 'int64', [1], [1]]]), runs.map(({ inputs }) => ({ inputs: { ...inputs, v: spread([6], 3) } }))),
  exactOrRefused('a number that is fed comes back', [['Identity', ['n'], 'y']], [], { n: int64([beyond, -beyond, 2n ** 31n]) }, int64([beyond, -beyond, 2n ** 31n])),
  exactOrRefused('a constant beyond 2³¹', [['Add', ['n', 'c'], 'y']], [['c', 'int64', [1], [beyond]]], { n: int64([1, -1]) }, int64([beyond + 1n, beyond - 1n])),
  exactOrRefused('a product beyond 2³¹', [['Mul', ['n', 'n'], 'y']], [], { n: int64([65537, -3]) }, int64([65537n * 65537n, 9])),
  exactOrRefused('sizes whose product passes 2³¹ and comes back', [['Shape', ['x'], 'shape'], ['Mul', ['shape', 'c'], 'large'], ['Add', ['large', 'shape'], 'more'], ['Sub', ['more', 'large'], 'y']], [['c', 'int64', [1], [1073741827]]], { x: spread([3, 5]) }, int64([3, 5])),
  exactOrRefused('numbers that a float32 does not hold', [['Add', ['n', 'c'], 'y']], [['c', 'int64', [1], [16777216]]], { n: int64([1, 3]) }, int64([16777217, 16777219])),
  exactOrRefused('a stated number that a float32 does not hold', [['Sub', ['c', 'n'], 'y']], [['c', 'int64', [2], [16777217, 1000000007]]], { n: int64([0]) }, int64([16777217, 1000000007])),
];

const empty: readonly Claim[] = [
  claimOfGraph('empty tensors', 'a product over nothing is zero', graphModel([['a', 'float32', [2, 'k']], ['b', 'float32', ['k', 3]]], [['y', 'float32']], [['MatMul', ['a', 'b'], 'y']]), [
    { inputs: { a: spread([2, 0]), b: spread([0, 3]) }, expected: { y: float32([2, 3], () => 0) } },
    { inputs: { a: spread([2, 4]), b: spread([4, 3]) } },
  ]),
  claimOfGraph('empty tensors', 'go through elementwise operators and are joined', graphModel([['a', 'float32', ['n', 3]], ['b', 'float32', ['m', 3]]], [['y', 'float32'], ['z', 'float32']], [['Relu', ['a'], 'r'], ['Concat', ['r', 'b'], 'y', { axis: 0 }], ['Mul', ['r', 'r'], 'z']]), [
    { inputs: { a: spread([0, 3]), b: spread([2, 3]) } }, { inputs: { a: spread([1, 3]), b: spread([0, 3]) } }, { inputs: { a: spread([0, 3]), b: spread([0, 3]) } },
  ]),
  claimOfGraph('empty tensors', 'a sum over nothing is zero', graphModel([['a', 'float32', [2, 'n']]], [['y', 'float32']], [['ReduceSum', ['a', 'axis'], 'y', { keepdims: 0 }]], [['axis', 'int64', [1], [1]]]), [
    { inputs: { a: spread([2, 0]) }, expected: { y: float32([2], () => 0) } },
  ]),
  claimOfGraph('empty tensors', 'a slice of nothing keeps its other sizes', graphModel([['a', 'float32', ['n', 3]]], [['y', 'float32']], [['Slice', ['a', 'at', 'at'], 'y']], [['at', 'int64', [1], [2]]]), [{ inputs: { a: spread([4, 3]) } }]),
];

const branch = (name: string, steps: readonly Step[], output: string) => makeGraph({ name, inputs: [], outputs: [makeValueInfo(output, 'float32')], nodes: nodesOf(steps) });
const branches = { then_branch: branch('then', [['Relu', ['x'], 't']], 't'), else_branch: branch('else', [['Neg', ['x'], 'e']], 'e') };

const loopBody = makeGraph({
  name: 'body',
  inputs: [makeValueInfo('trip', 'int64', []), makeValueInfo('going', 'bool', []), makeValueInfo('sum', 'float32', ['n'])],
  outputs: [makeValueInfo('again', 'bool', []), makeValueInfo('next', 'float32', ['n']), makeValueInfo('seen', 'float32', ['n'])],
  nodes: nodesOf([['Add', ['sum', 'x'], 'next'], ['Identity', ['sum'], 'seen'], ['ReduceMax', ['next'], 'most', { keepdims: 0 }], ['Less', ['most', 'limit'], 'again']]),
});

const scanBody = makeGraph({
  name: 'step',
  inputs: [makeValueInfo('state', 'float32', [3]), makeValueInfo('frame', 'float32', [3])],
  outputs: [makeValueInfo('after', 'float32', [3]), makeValueInfo('made', 'float32', [3])],
  nodes: nodesOf([['Mul', ['state', 'decay'], 'less'], ['Add', ['less', 'frame'], 'after'], ['Sub', ['after', 'frame'], 'made']]),
});

const controlFlow: readonly Claim[] = [
  claimOfGraph('control flow', 'If takes the branch of its condition', graphModel([['which', 'bool', []], ['x', 'float32', ['n']]], [['y', 'float32']], [['If', ['which'], 'y', branches]]), [
    { inputs: { which: bool([true], []), x: spread([4]) } }, { inputs: { which: bool([false], []), x: spread([5]) } },
  ]),
  claimOfGraph('control flow', 'Loop ends with its trips or its condition', graphModel([['trips', 'int64', []], ['x', 'float32', ['n']]], [['y', 'float32'], ['all', 'float32']],
    [['Loop', ['trips', 'yes', 'x'], ['y', 'all'], { body: loopBody }]], [['yes', 'bool', [], [true]], ['limit', 'float32', [], [4.5]]]), [
    { inputs: { trips: int64([2], []), x: float32([3], (k) => k / 2) } }, { inputs: { trips: int64([100], []), x: float32([3], (k) => k / 2) } },
  ]),
  claimOfGraph('control flow', 'Scan carries a state, in both directions', graphModel([['start', 'float32', [3]], ['x', 'float32', ['time', 3]]], [['last', 'float32'], ['y', 'float32'], ['first', 'float32'], ['z', 'float32']], [
    ['Scan', ['start', 'x'], ['last', 'y'], { body: scanBody, num_scan_inputs: 1 }],
    ['Scan', ['start', 'x'], ['first', 'z'], { body: scanBody, num_scan_inputs: 1, scan_input_directions: [1], scan_output_directions: [1] }],
  ], [['decay', 'float32', [], [0.5]]]), [{ inputs: { start: spread([3], 2), x: spread([5, 3]) } }, { inputs: { start: spread([3], 2), x: spread([2, 3]) } }]),
];

/** Claims that take more than one node. */
export const graphClaims: readonly Claim[] = [...shapeArithmetic, ...empty, ...controlFlow];
