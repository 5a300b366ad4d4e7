import { createRandom, type NamedTensors, type Random } from '@coppice/core';
import { makeModel, makeNode, makeValueInfo, operators, toTensorProto, type AttributeInput, type DataType, type Model, type OperatorName } from '@coppice/graph';
import { array, build, uniform, type Array64 } from '../eager/array64.ts';
import { must, notRefusing, type Claim, type ClaimFamily } from './claim.ts';
import { firstDifference, ofScale } from './compare.ts';
import { copied } from './copied.ts';
import { expectedOf, toTensor } from './eager-backend.ts';
import { describeTensors } from './graph-claim.ts';
import { withExecutable } from './with-executable.ts';

/** An operand: its elements drawn from a stream of its own, so that a file states the same ones at every size. */
export type Draw = (random: Random) => Array64;

/** Floats between −2 and 2, none near another's kink by design: continuous. */
export const reals = (...shape: readonly number[]): Draw => (random) => uniform(random, shape, -2, 2);
/** Floats between 0.3 and 2. */
export const positive = (...shape: readonly number[]): Draw => (random) => uniform(random, shape, 0.3, 2);
/** Floats between −0.9 and 0.9. */
export const small = (...shape: readonly number[]): Draw => (random) => uniform(random, shape, -0.9, 0.9);
/** Whole numbers from 0 to below a bound. */
export const below = (bound: number, ...shape: readonly number[]): Draw => (random) => build(shape, () => random.integer(bound), 'int');
/** Truth values. */
export const truths = (...shape: readonly number[]): Draw => (random) => build(shape, () => random.integer(2), 'bool');
/** These whole numbers. */
export const ints = (values: readonly number[], shape: readonly number[] = [values.length]): Draw => () => array(shape, values, 'int');
/** These floats. */
export const floats = (values: readonly number[], shape: readonly number[] = [values.length]): Draw => () => array(shape, values.map(Math.fround));

/** One node with operands; the eager table says what it computes. */
export interface OperatorCase {
  readonly op: OperatorName;
  /** What is special, as the end of "Conv …". */
  readonly title: string;
  /** In the order of the specification, for two sizes of what is open: 5 and 8. */
  readonly operands: (n: number) => readonly (Draw | undefined)[];
  readonly attributes?: Readonly<Record<string, AttributeInput>>;
  /** Places of operands that the file states as constants; the others are fed. Default: all but the first. */
  readonly stated?: readonly number[];
  /** Names of the results; '' leaves one out. Default: one. */
  readonly results?: readonly string[];
  /** Element types of operands by place, and of all results, where they are not float32, int64 or bool. */
  readonly types?: Readonly<Record<number, DataType>>;
  readonly resultType?: DataType;
  /** Default 21, or the opset that brought the operator. */
  readonly opset?: number;
}

const usual: Readonly<Record<Array64['type'], DataType>> = { float: 'float32', int: 'int64', bool: 'bool' };
const sizes = [5, 8];

/** The model of a case and what it is fed at each size. */
export function modelOfCase({ op, title, operands, attributes = {}, stated, results = ['y'], types = {}, resultType, opset }: OperatorCase): { readonly model: Model; readonly runs: readonly NamedTensors[] } {
  const drawn = sizes.map((n) => operands(n).map((draw, k) => draw?.(createRandom(`${op} ${title} ${k}`))));
  const constants = new Set(stated ?? drawn[0].map((_, k) => k).slice(1));
  const type = (k: number): DataType => types[k] ?? usual[drawn[0][k]!.type];
  const names = drawn[0].map((operand, k) => (operand ? `x${k}` : ''));
  const fed = names.flatMap((name, k) => (name !== '' && !constants.has(k) ? [k] : []));
  for (const k of constants) must(drawn.every((list) => String(list[k]?.data) === String(drawn[0][k]?.data)), `${op} ${title}: constant ${k} differs between sizes`);
  const open = (k: number) => drawn[0][k]!.shape.map((size, axis) => (drawn[1][k]!.shape[axis] === size ? size : `size_${k}_${axis}`));
  const made = results.filter((name) => name !== '');
  const model = makeModel({
    opset: opset ?? Math.max(21, operators[op].since[0]),
    graph: {
      inputs: fed.map((k) => makeValueInfo(names[k], type(k), open(k))),
      outputs: made.map((name) => makeValueInfo(name, resultTypeOf(op, name, resultType ?? type(firstPlace(drawn[0]))))),
      initializers: [...constants].flatMap((k) => (drawn[0][k] ? [toTensorProto(names[k], toTensor(drawn[0][k], type(k)))] : [])),
      nodes: [makeNode({ op, name: 'node', inputs: names, outputs: results, attributes })],
    },
  });
  return { model, runs: drawn.map((list) => Object.fromEntries(fed.map((k) => [names[k], toTensor(list[k]!, type(k))]))) };
}

const firstPlace = (list: readonly (Array64 | undefined)[]): number => list.findIndex((operand) => operand !== undefined);

const truthful = new Set(['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'And', 'Or', 'Xor', 'Not', 'IsNaN', 'IsInf']);
const counting = new Set(['ArgMax', 'ArgMin', 'Shape', 'Size', 'NonZero']);

/** The element type of a result: that of the first operand but for operators that compare or count, and results called `indices`. */
function resultTypeOf(op: string, name: string, otherwise: DataType): DataType {
  if (truthful.has(op)) return 'bool';
  return counting.has(op) || name === 'indices' ? 'int64' : otherwise;
}

/** The claim that a backend computes what the reference does, at both sizes with one executable. */
export function claimOfCase(family: ClaimFamily, one: OperatorCase): Claim {
  const { model, runs } = modelOfCase(one);
  const expected = expectedOf(model, runs);
  return {
    family,
    title: `${one.op} ${one.title}`,
    operators: [one.op],
    check: ({ backend, tolerance }) => withExecutable(backend, model, async (executable) => {
      for (const [k, inputs] of runs.entries()) {
        const difference = firstDifference((await expected())[k], await notRefusing(executable.run(copied(inputs)), 'it'), (tensor) => ofScale(tensor, tolerance));
        must(difference === undefined, `${one.op} ${one.title}: ${difference} (${describeTensors(inputs)}${k > 0 ? ', the second size that the same executable was given' : ''})`);
      }
    }),
  };
}
