import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom } from '@coppice/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mutations, type Mutation, type NodeView, type Signature } from './mutations.ts';
import type { Outcome } from './prove.ts';
import { proveCase } from './prove.ts';
import { buildCase, opsets, type Recipe } from './random-graph.ts';

type Rule = (view: NodeView) => Signature | { readonly frozen: string };

const broken = vi.hoisted(() => ({ mutation: undefined as Mutation | undefined, met: 0 }));

vi.mock(import('../../core/src/structure/table.ts'), async (original) => {
  const actual = await original();
  const ruleOf = (domain: string, op: string) => {
    const row = actual.ruleOf(domain, op);
    const { mutation } = broken;
    if (!mutation?.ops?.includes(op) || typeof row !== 'function') return row;
    const rule: Rule = (view) => {
      if (broken.met++ % (mutation.every ?? 1) !== (mutation.every ?? 1) - 1) return row(view);
      const signature = row(mutation.view?.(view) ?? view);
      return 'frozen' in signature ? signature : (mutation.signature?.(signature, view) ?? signature);
    };
    return rule;
  };
  return { ...actual, ruleOf: ruleOf as typeof actual.ruleOf };
});
vi.mock(import('../../core/src/surgery/boundaries.ts'), async (original) => {
  const { restoreWidths } = await original();
  return { restoreWidths: (...given: Parameters<typeof restoreWidths>) => (broken.mutation?.spoils === 'widths around norms' ? undefined : restoreWidths(...given)) };
});
vi.mock(import('../../core/src/surgery/stale.ts'), async (original) => {
  const { bakeStale } = await original();
  return { bakeStale: (...given: Parameters<typeof bakeStale>) => (broken.mutation?.spoils === 'numbers measured from shapes' ? undefined : bakeStale(...given)) };
});
vi.mock(import('../../core/src/surgery/compress.ts'), async (original) => {
  const actual = await original();
  const compress: typeof actual.compress = (bytes, dims, elementBytes, cuts) => actual.compress(bytes, dims, elementBytes, broken.mutation?.spoils === 'lanes of a packed tensor'
    ? cuts.map((cut) => ({ ...cut, indices: cut.indices.map(() => cut.indices[0]) }))
    : cuts);
  return { ...actual, compress };
});
vi.mock(import('../../core/src/analysis/balance.ts'), async (original) => {
  const { balance } = await original();
  return { balance: (...given: Parameters<typeof balance>) => (broken.mutation?.spoils === 'equal numbers from each lane' ? [] : balance(...given)) };
});
vi.mock(import('../../core/src/control-flow.ts'), async (original) => {
  const { linkBodies } = await original();
  return {
    linkBodies: (...given: Parameters<typeof linkBodies>) => {
      const link = linkBodies(...given);
      const outer = new Set([...given[1], ...given[2]]);
      if (link && broken.mutation?.spoils === 'border of a branch' && given[0].op === 'If') return { pairs: link.pairs.slice(0, -1) };
      if (link && broken.mutation?.spoils === 'state of a loop') return { pairs: link.pairs.filter((pair) => outer.has(pair.outer)) };
      return link;
    },
  };
});

const backend = nativeBackend();
const most = 120;

/** Small cases of the blocks that meet a mutation, spelt plainly and not. */
function* casesOf(mutation: Mutation): Generator<Recipe> {
  const { blocks } = mutation;
  for (let seed = 0; seed < most; seed++) {
    const random = createRandom(`mutation/${seed}`);
    const wanted = [blocks[seed % blocks.length], ...(random.uniform() < 0.5 ? [blocks[random.integer(blocks.length)]] : [])];
    yield {
      seed, release: false, factors: mutation.factors ?? 'heads',
      opset: wanted.includes('attentionNode') ? 23 : opsets[random.integer(opsets.length)],
      spelling: { constants: 'initializers', computedShapes: random.uniform() < 0.3 ? 0.4 : 0, computedWeights: 0 },
      uses: wanted.map((block, k) => ({ block, stream: `mutation/${seed}/${k}`, back: 0 })),
      dims: { batch: [2, 3], time: [6, 9] },
    };
  }
}

async function outcomeOf(recipe: Recipe, mutation: Mutation | undefined): Promise<Outcome> {
  const { model } = buildCase(recipe);
  broken.mutation = mutation;
  broken.met = 0;
  try {
    return await proveCase(model, recipe.seed, backend, { dims: recipe.dims, factors: recipe.factors });
  } finally {
    broken.mutation = undefined;
  }
}

const isGood = ({ kind }: Outcome): boolean => kind === 'equal' || kind === 'frozen';

describe('the proof notices when', () => {
  afterEach(() => { broken.mutation = undefined; });

  it.each(mutations.map((mutation) => [mutation.name, mutation] as const))('%s', async (_, mutation) => {
    for (const recipe of casesOf(mutation)) {
      const spoilt = await outcomeOf(recipe, mutation);
      if (isGood(spoilt)) continue;
      // The same case passes while the rule is whole.
      const whole = await outcomeOf(recipe, undefined);
      expect(isGood(whole), 'message' in whole ? whole.message : '').toBe(true);
      return;
    }
    expect.fail(`nothing was noticed in ${most} cases`);
  });
});
