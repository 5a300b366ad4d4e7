import type { Recipe } from './random-graph/recipe.ts';

/**
 * The smallest recipe that still fails that can be had by leaving out blocks, spelling shapes and weights plainly, and reading the last
 * value instead of an earlier one.
 * @param fails whether a recipe still shows the failure
 */
export async function shrinkRecipe(recipe: Recipe, fails: (smaller: Recipe) => Promise<boolean>): Promise<Recipe> {
  let current = recipe;
  for (let again = true; again; ) {
    again = false;
    for (const smaller of simpler(current)) {
      if (!(await fails(smaller))) continue;
      current = smaller;
      again = true;
      break;
    }
  }
  return current;
}

function* simpler(recipe: Recipe): Generator<Recipe> {
  const { uses, spelling } = recipe;
  for (let k = 0; k < uses.length; k++) yield { ...recipe, uses: uses.toSpliced(k, 1) };
  for (let k = 0; k < uses.length; k++) if (uses[k].back > 0) yield { ...recipe, uses: uses.with(k, { ...uses[k], back: 0 }) };
  if (spelling.computedWeights > 0) yield { ...recipe, spelling: { ...spelling, computedWeights: 0 } };
  if (spelling.computedShapes > 0) yield { ...recipe, spelling: { ...spelling, computedShapes: 0 } };
  if (spelling.constants === 'nodes') yield { ...recipe, spelling: { ...spelling, constants: 'initializers' } };
}
