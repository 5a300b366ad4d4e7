import { CoppiceError } from '@coppice/graph';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkEntries, type Recipe } from './recipe.ts';

/**
 * Reads a recipe: JSON, or a module with a default export. What it leaves out may come from elsewhere, so only its entries' names are
 * checked; `settleRecipe` does the rest.
 * @throws CoppiceError `COPPICE_FILE_NOT_FOUND`, `COPPICE_CONFIG_INVALID`
 */
export async function readRecipe(path: string): Promise<Partial<Recipe>> {
  if (!existsSync(path)) throw new CoppiceError('COPPICE_FILE_NOT_FOUND', `There is no recipe ${path}. Check the name and the folder.`);
  const recipe = await load(path);
  checkEntries(recipe, path);
  return recipe;
}

async function load(path: string): Promise<Partial<Recipe>> {
  try {
    if (path.endsWith('.json')) return JSON.parse(readFileSync(path, 'utf8')) as Partial<Recipe>;
    const module: { readonly default?: Partial<Recipe> } = await import(pathToFileURL(resolve(path)).href);
    return module.default as Partial<Recipe>;
  } catch (cause) {
    throw new CoppiceError('COPPICE_CONFIG_INVALID', `${path} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
  }
}
