import { createRandom, type FactorPolicy } from '@coppice/core';
import { makeModel, makeValueInfo, type Model } from '@coppice/graph';
import { GraphBuilder, type Spelling } from './builder.ts';
import { familyOf, type BlockName, blocks, blockNames } from './families.ts';
import { convolve } from './convolutions.ts';
import { dense } from './products.ts';
import { reduce } from './spelling.ts';
import { inLayout, sizesOf, type Value } from './values.ts';

/** Opsets of the cases: before and after each change of form that matters to a cut. */
export const opsets = [9, 10, 11, 12, 13, 15, 17, 18, 19, 21, 23] as const;

/** One block of a case: which, drawn from which stream, applied to which earlier value (counted from the last). */
export interface Use { readonly block: BlockName; readonly stream: string; readonly back: number }

/** All that a case is made of; leaving out a use gives a smaller case with the same choices in the others. */
export interface Recipe {
  readonly seed: number;
  readonly opset: number;
  readonly spelling: Spelling;
  readonly uses: readonly Use[];
  /** Whether carried states may be narrowed. */
  readonly release: boolean;
  /** Which factor of heads × width carries the units. */
  readonly factors: FactorPolicy;
  /** Sizes of the two tracing runs. */
  readonly dims: Readonly<Record<string, readonly [number, number]>>;
}

/** A model made from a recipe. */
export interface Case {
  readonly recipe: Recipe;
  readonly model: Model;
  /** Blocks that could be applied. */
  readonly used: readonly BlockName[];
  readonly families: readonly string[];
  readonly traits: ReadonlySet<string>;
  /** Inputs and outputs whose widths may shrink. */
  readonly release: readonly string[];
}

/** A random recipe of two to six blocks. */
export function randomRecipe(seed: number): Recipe {
  const random = createRandom(`recipe/${seed}`);
  const count = 2 + random.integer(5);
  const uses = Array.from({ length: count }, (_, k): Use => ({
    block: blockNames[random.integer(blockNames.length)],
    stream: `${seed}/${k}`,
    back: random.uniform() < 0.8 ? 0 : random.integer(3),
  }));
  const first = 5 + random.integer(4);
  return {
    seed, uses,
    release: random.uniform() < 0.7,
    factors: random.uniform() < 0.3 ? 'head-dim' : 'heads',
    // The fused operator exists from opset 23 on.
    opset: uses.some(({ block }) => block === 'attentionNode') ? 23 : opsets[random.integer(opsets.length)],
    spelling: { constants: random.uniform() < 0.5 ? 'nodes' : 'initializers', computedShapes: random.integer(3) * 0.3, computedWeights: random.integer(3) * 0.15 },
    // A batch of one in one run must neither make nor lose a tie.
    dims: { batch: random.uniform() < 0.25 ? [1, 3] : [2, 3], time: [first, first + 1 + random.integer(4)] },
  };
}

/** Builds the model of a recipe: x[batch, channels, time] (or with frequency, or time first) → y, and further outputs now and then. */
export function buildCase(recipe: Recipe): Case {
  const b = new GraphBuilder(recipe.opset, recipe.spelling, createRandom(`${recipe.seed}/input`));
  const layout = b.pick(['bct', 'btc', 'bcft'] as const);
  const input: Value = { name: 'x', layout, channels: layout === 'bcft' ? b.between(1, 3) : b.between(2, 6), frequency: layout === 'bcft' ? b.between(3, 6) : 1, time: 'time' };
  const first = layout === 'btc' ? dense(b, input, b.between(4, 9)) : convolve(b, input, b.between(4, 9));
  const values: Value[] = [{ ...first, name: b.op('Relu', [first.name]) }];
  const used: BlockName[] = [];
  const read = new Set<Value>();
  for (const { block, stream, back } of recipe.uses) {
    b.stream(stream);
    const from = values[Math.max(0, values.length - 1 - back)];
    const made = blocks[block](b, from, values);
    if (!made) continue;
    used.push(block);
    read.add(from);
    // Widths must not grow without bounds along a chain.
    const wide = made.channels * made.frequency > 40;
    values.push(wide ? dense(b, inLayout(b, made, 'btc'), b.between(4, 9)) : made);
  }
  b.stream(`${recipe.seed}/output`);
  const leaves = values.filter((value) => !read.has(value));
  const outputs = leaves.map((leaf, k) => finish(b, leaf, k === 0 ? 3 : 2));
  const merged = mergeOutputs(b, outputs);
  const model = makeModel({
    opset: recipe.opset,
    graph: {
      inputs: [makeValueInfo('x', 'float32', sizesOf(input)), ...declared(b, 'input')],
      outputs: [...merged.map(({ name, sizes }) => makeValueInfo(name, 'float32', sizes)), ...declared(b, 'output')],
      nodes: b.nodes, initializers: b.initializers,
    },
  });
  return { recipe, model, used, families: [...new Set(used.map(familyOf))], traits: b.traits, release: recipe.release ? b.states.map(({ name }) => name) : [] };
}

const declared = (b: GraphBuilder, wanted: 'input' | 'output') => b.states.filter(({ side }) => side === wanted).map(({ name, sizes }) => makeValueInfo(name, 'float32', sizes));

/** A last layer, whose result is the model's contract. */
function finish(b: GraphBuilder, value: Value, width: number): Value {
  return value.layout === 'bct' && b.chance(0.5) ? convolve(b, value, width) : dense(b, inLayout(b, value, 'btc'), width);
}

/** Leaves leave as outputs of their own, averaged over time now and then. */
function mergeOutputs(b: GraphBuilder, leaves: readonly Value[]): { name: string; sizes: (number | string)[] }[] {
  return leaves.map((leaf, k) => {
    if (b.chance(0.2)) return { name: reduce(b, 'ReduceMean', leaf.name, [leaf.layout === 'btc' ? 1 : 2], false, 3), sizes: ['batch', leaf.channels] };
    return { name: leaf.name, sizes: ['batch', leaf.layout === 'btc' ? `length_${k}` : leaf.channels, leaf.layout === 'btc' ? leaf.channels : `length_${k}`] };
  });
}
