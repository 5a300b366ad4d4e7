import { defineCriterion, tokens, type Need, type Scorer, type WeightCriterion } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import type { DatasetFormat } from '@coppice/speech';
import { ContainerModule, type Container } from 'inversify';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { addDataset } from './container.ts';

/** A criterion in full or in its short form, a kind of corpus, or a module that binds anything to the tokens of core. */
export type Plugin = Scorer | WeightCriterion | DatasetFormat | ContainerModule;

/** The contents of `coppice.config.ts`. */
export interface Config {
  readonly scorers?: readonly (Scorer | WeightCriterion)[];
  readonly datasets?: readonly DatasetFormat[];
  /** Plugins, or files that export one, relative to the configuration file. */
  readonly plugins?: readonly (string | Plugin)[];
}

/** Returns its argument; gives a configuration file its types. */
export const defineConfig = (config: Config): Config => config;

export interface PluginOptions {
  readonly plugin?: readonly string[];
  /** Default: `coppice.config.ts`, `.mts`, `.mjs` or `.js` in the folder, where there is one. */
  readonly config?: string;
}

/** The names that a configuration has in its folder, the first that exists. */
const CONFIG_NAMES = ['coppice.config.ts', 'coppice.config.mts', 'coppice.config.mjs', 'coppice.config.js'];

/**
 * Loads the configuration and plugin files and binds the scorers and dataset formats that they bring.
 * @param folder that paths start from
 * @returns names of the scorers that they add
 * @throws CoppiceError `COPPICE_CONFIG_INVALID`, `COPPICE_FILE_NOT_FOUND`
 */
export async function loadPlugins(container: Container, folder: string, { plugin = [], config }: PluginOptions): Promise<string[]> {
  const names: string[] = [];
  const configPath = config ?? CONFIG_NAMES.find((name) => existsSync(resolve(folder, name)));
  if (configPath !== undefined) names.push(...(await loadConfig(container, resolve(folder, configPath))));
  for (const path of plugin) names.push(...bindPlugin(container, await importDefault(resolve(folder, path)), path));
  return names;
}

const ENTRIES: readonly string[] = ['scorers', 'datasets', 'plugins'];

async function loadConfig(container: Container, path: string): Promise<string[]> {
  const config = await importDefault(path);
  if (!isRecord(config)) throw invalid(path, 'does not export an object. Write `export default defineConfig({ … })`');
  const unknown = Object.keys(config).find((key) => !ENTRIES.includes(key));
  if (unknown !== undefined) throw invalid(path, `has an entry '${unknown}', and only ${ENTRIES.map((entry) => `'${entry}'`).join(', ')} are known`);
  const [scorers, datasets, plugins] = ENTRIES.map((entry): readonly unknown[] => {
    const list = config[entry] ?? [];
    if (!Array.isArray(list)) throw invalid(path, `has '${entry}' that are not a list`);
    return list;
  });
  const names = scorers.flatMap((scorer) => bindScorer(container, scorer, path));
  for (const dataset of datasets) bindDataset(container, dataset, path);
  for (const item of plugins) {
    const loaded = typeof item === 'string' ? await importDefault(resolve(path, '..', item)) : item;
    names.push(...bindPlugin(container, loaded, typeof item === 'string' ? item : path));
  }
  return names;
}

async function importDefault(path: string): Promise<unknown> {
  if (!existsSync(path)) throw new CoppiceError('COPPICE_FILE_NOT_FOUND', `There is no file ${path}. Check the name and the folder.`);
  try {
    const module: { readonly default?: unknown } = await import(pathToFileURL(path).href);
    if (module.default === undefined) throw invalid(path, 'has no default export');
    return module.default;
  } catch (cause) {
    if (cause instanceof CoppiceError) throw cause;
    throw invalid(path, `cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

function bindPlugin(container: Container, plugin: unknown, path: string): string[] {
  if (plugin instanceof ContainerModule) {
    container.load(plugin);
    return [];
  }
  if (isRecord(plugin) && 'open' in plugin) {
    bindDataset(container, plugin, path);
    return [];
  }
  return bindScorer(container, plugin, path);
}

function bindScorer(container: Container, plugin: unknown, path: string): string[] {
  const scorer = toScorer(plugin, path);
  if (container.isBound(tokens.Scorer, { name: scorer.name })) throw invalid(path, `brings a scorer '${scorer.name}', and there is one with that name already. Choose another name`);
  container.bind<Scorer>(tokens.Scorer).toConstantValue(scorer).whenNamed(scorer.name);
  return [scorer.name];
}

function bindDataset(container: Container, plugin: unknown, path: string): void {
  if (!isRecord(plugin) || typeof plugin.open !== 'function') throw invalid(path, 'does not export a dataset format: an object { name, open }');
  const { name } = plugin;
  if (typeof name !== 'string' || !/^[^\s:]+$/.test(name)) throw invalid(path, "exports a dataset format whose 'name' is no word without a colon, as in --dataset name:folder");
  if (container.isBound(tokens.Dataset, { name })) throw invalid(path, `brings a dataset format '${name}', and there is one with that name already. Choose another name`);
  addDataset(container, plugin as unknown as DatasetFormat);
}

const NEEDS: readonly unknown[] = ['weights', 'activations', 'gradients', 'loss'] satisfies readonly Need[];

function toScorer(plugin: unknown, path: string): Scorer {
  if (!isRecord(plugin)) throw invalid(path, 'does not export a scorer: an object { name, score } or { name, needs, start, add, finish }; nor a dataset format: { name, open }');
  const { name, score, needs, start, add, finish } = plugin;
  if (typeof name !== 'string' || name === '') throw invalid(path, "exports a scorer without a 'name'");
  if (typeof score === 'function') return defineCriterion(plugin as unknown as WeightCriterion);
  const missing = Object.entries({ start, add, finish }).find(([, part]) => typeof part !== 'function')?.[0];
  if (missing !== undefined) throw invalid(path, `exports a scorer '${name}' without a function 'score', and without '${missing}'`);
  if (!Array.isArray(needs) || !needs.every((need) => NEEDS.includes(need))) throw invalid(path, `exports a scorer '${name}' whose 'needs' is not a list of ${NEEDS.join(', ')}`);
  return plugin as unknown as Scorer;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

const invalid = (path: string, what: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_CONFIG_INVALID', `${path} ${what}.`, { cause });
