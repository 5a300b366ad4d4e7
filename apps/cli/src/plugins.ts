import { defineCriterion, type Backend, type Need, type Scorer, type WeightCriterion } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import type { DatasetFormat } from '@coppice/speech';
import type { Command } from 'commander';
import { ContainerModule, type Container } from 'inversify';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repeated } from './arguments.ts';
import { addPlugin, isBound } from './container.ts';
import type { Context } from './context.ts';

/** A criterion in full or in its short form, a backend, a kind of corpus, or a module that binds anything to the tokens of core. */
export type Plugin = Scorer | WeightCriterion | Backend | DatasetFormat | ContainerModule;

/** The contents of `coppice.config.ts`. */
export interface Config {
  readonly scorers?: readonly (Scorer | WeightCriterion)[];
  readonly datasets?: readonly DatasetFormat[];
  readonly backends?: readonly Backend[];
  /** The backend of every command where `--backend` is not given, e.g. `tfjs`. */
  readonly backend?: string;
  /** Plugins, or files that export one, relative to the configuration file. */
  readonly plugins?: readonly (string | Plugin)[];
}

/** Returns its argument; gives a configuration file its types. */
export const defineConfig = (config: Config): Config => config;

/** Options of every command that takes plugins. */
export interface PluginOptions {
  readonly plugin?: readonly string[];
  /** Default: `coppice.config.ts`, `.mts`, `.mjs` or `.js` in the folder, where there is one. */
  readonly config?: string;
}

/** `--plugin` and `--config`; what they name is loaded before the command begins. */
export const addPluginOptions = (command: Command): Command => command
  .option('--plugin <file>', 'a file that exports a scorer, a backend or a dataset format; repeatable', repeated)
  .option('--config <file>', 'configuration file (default: coppice.config.ts where there is one)');

/** Loads what a command is given before it begins; the configuration's backend is its backend where nobody chose one. */
export async function loadPluginsOf(command: Command, { container, folder }: Pick<Context, 'container' | 'folder'>): Promise<void> {
  const { backend } = await loadPlugins(container, folder, command.opts<PluginOptions>());
  if (backend === undefined || !command.options.some((option) => option.attributeName() === 'backend')) return;
  if (command.getOptionValueSource('backend') !== 'cli') command.setOptionValueWithSource('backend', backend, 'config');
}

/** The names that a configuration has in its folder, the first that exists. */
const CONFIG_NAMES = ['coppice.config.ts', 'coppice.config.mts', 'coppice.config.mjs', 'coppice.config.js'];

/**
 * Loads the configuration and plugin files and binds what they bring.
 * @param folder that paths start from
 * @returns what the configuration says beside
 * @throws CoppiceError `COPPICE_CONFIG_INVALID`, `COPPICE_FILE_NOT_FOUND`
 */
export async function loadPlugins(container: Container, folder: string, { plugin = [], config }: PluginOptions): Promise<Pick<Config, 'backend'>> {
  const configPath = config ?? CONFIG_NAMES.find((name) => existsSync(resolve(folder, name)));
  const settings = configPath === undefined ? {} : await loadConfig(container, resolve(folder, configPath));
  for (const path of plugin) bindPlugin(container, await importDefault(resolve(folder, path)), path);
  return settings;
}

const LISTS = ['scorers', 'datasets', 'backends', 'plugins'] as const;
const ENTRIES: readonly string[] = [...LISTS, 'backend'];

async function loadConfig(container: Container, path: string): Promise<Pick<Config, 'backend'>> {
  const config = await importDefault(path);
  if (!isRecord(config)) throw invalid(path, 'does not export an object. Write `export default defineConfig({ … })`');
  const unknown = Object.keys(config).find((key) => !ENTRIES.includes(key));
  if (unknown !== undefined) throw invalid(path, `has an entry '${unknown}', and only ${ENTRIES.map((entry) => `'${entry}'`).join(', ')} are known`);
  const { backend } = config;
  if (backend !== undefined && (typeof backend !== 'string' || backend === '')) throw invalid(path, "has a 'backend' that is no name, such as 'onnx:native'");
  const [scorers, datasets, backends, plugins] = LISTS.map((entry): readonly unknown[] => {
    const list = config[entry] ?? [];
    if (!Array.isArray(list)) throw invalid(path, `has '${entry}' that are not a list`);
    return list;
  });
  for (const scorer of scorers) bindScorer(container, scorer, path);
  for (const dataset of datasets) bindDataset(container, dataset, path);
  for (const item of backends) bindBackend(container, item, path);
  for (const item of plugins) {
    const loaded = typeof item === 'string' ? await importDefault(resolve(path, '..', item)) : item;
    bindPlugin(container, loaded, typeof item === 'string' ? item : path);
  }
  return backend === undefined ? {} : { backend };
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

function bindPlugin(container: Container, plugin: unknown, path: string): void {
  if (plugin instanceof ContainerModule) container.load(plugin);
  else if (isRecord(plugin) && 'open' in plugin) bindDataset(container, plugin, path);
  else if (isRecord(plugin) && 'compile' in plugin) bindBackend(container, plugin, path);
  else bindScorer(container, plugin, path);
}

function bindScorer(container: Container, plugin: unknown, path: string): void {
  const scorer = toScorer(plugin, path);
  if (isBound(container, 'Scorer', scorer.name)) throw invalid(path, `brings a scorer '${scorer.name}', and there is one with that name already. Choose another name`);
  addPlugin(container, 'Scorer', scorer);
}

function bindBackend(container: Container, plugin: unknown, path: string): void {
  if (!isRecord(plugin) || typeof plugin.compile !== 'function' || typeof plugin.info !== 'function') throw invalid(path, 'does not export a backend: an object { name, info, compile }');
  const { name } = plugin;
  if (typeof name !== 'string' || name === '') throw invalid(path, "exports a backend without a 'name'");
  if (isBound(container, 'Backend', name)) throw invalid(path, `brings a backend '${name}', and there is one with that name already. Choose another name`);
  addPlugin(container, 'Backend', plugin as unknown as Backend);
}

function bindDataset(container: Container, plugin: unknown, path: string): void {
  if (!isRecord(plugin) || typeof plugin.open !== 'function') throw invalid(path, 'does not export a dataset format: an object { name, open }');
  const { name } = plugin;
  if (typeof name !== 'string' || !/^[^\s:]+$/.test(name)) throw invalid(path, "exports a dataset format whose 'name' is no word without a colon, as in --dataset name:folder");
  if (isBound(container, 'Dataset', name)) throw invalid(path, `brings a dataset format '${name}', and there is one with that name already. Choose another name`);
  addPlugin(container, 'Dataset', plugin as unknown as DatasetFormat);
}

const NEEDS: readonly unknown[] = ['weights', 'activations', 'gradients', 'loss'] satisfies readonly Need[];

function toScorer(plugin: unknown, path: string): Scorer {
  if (!isRecord(plugin)) throw invalid(path, 'does not export a scorer: an object { name, score } or { name, needs, start, add, finish }; nor a dataset format: { name, open }, nor a backend: { name, info, compile }');
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
