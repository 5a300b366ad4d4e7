export { type BlockName, blockNames, byFamily, familyOf } from './random-graph/families.ts';
export { buildCase, type Case, opsets, randomRecipe, type Recipe, type Use } from './random-graph/recipe.ts';
