import { onnxModule } from '@coppice/backend-onnx';
import { tfjsModule } from '@coppice/backend-tfjs';
import { CoppiceError, type ErrorCode } from '@coppice/graph';
import { tokens, type Backend, type Scorer } from '@coppice/core';
import { digitsModule } from '@coppice/dataset-digits';
import { librispeechModule } from '@coppice/dataset-librispeech';
import { manifestModule } from '@coppice/dataset-manifest';
import { timitModule } from '@coppice/dataset-timit';
import { activationModule } from '@coppice/scorer-activation';
import { gradientModule } from '@coppice/scorer-gradient';
import { magnitudeModule } from '@coppice/scorer-magnitude';
import { sensitivityModule } from '@coppice/scorer-sensitivity';
import type { DatasetFormat } from '@coppice/speech';
import { Container, type ContainerModule } from 'inversify';

/** The plugins that come with Coppice. */
export const builtInModules: readonly ContainerModule[] = [onnxModule, tfjsModule, magnitudeModule, activationModule, gradientModule, sensitivityModule, digitsModule, librispeechModule, timitModule, manifestModule];

/** What plugins may bring. */
export interface PluginKinds {
  readonly Backend: Backend;
  readonly Scorer: Scorer;
  readonly Dataset: DatasetFormat;
}
export type PluginKind = keyof PluginKinds;

/** Names under which the built-in plugins bind what they bring; a container cannot list its names by itself. */
export const builtInNames = {
  Backend: ['onnx', 'onnx:wasm', 'onnx:native', 'tfjs', 'tfjs:node-gpu', 'tfjs:node', 'tfjs:webgpu', 'tfjs:webgl', 'tfjs:wasm', 'tfjs:cpu'],
  Scorer: ['l1', 'l2', 'geometric-median', 'bn-scale', 'lamp', 'random', 'mean-magnitude', 'variance', 'apoz', 'wanda', 'taylor', 'fisher', 'gradient-norm', 'snip', 'obd', 'measured-loss'],
  Dataset: ['digits', 'librispeech', 'timit', 'manifest'],
} as const satisfies Record<PluginKind, readonly string[]>;

/** Names that plugins of the user brought, each bound without a name of its own. */
const addedNames: Readonly<Record<PluginKind, symbol>> = { Backend: Symbol('added backends'), Scorer: Symbol('added scorers'), Dataset: Symbol('added datasets') };

const missing: Readonly<Record<PluginKind, { readonly what: string; readonly code: ErrorCode; readonly example: string }>> = {
  Backend: { what: 'backend', code: 'COPPICE_BACKEND_MISSING', example: './my-backend.ts' },
  Scorer: { what: 'scorer', code: 'COPPICE_SCORER_UNKNOWN', example: './my-scorer.ts' },
  Dataset: { what: 'dataset format', code: 'COPPICE_DATASET_UNKNOWN', example: './my-dataset.ts' },
};

/** The composition root: one container with all plugins of this app. */
export function createContainer(modules: readonly ContainerModule[] = builtInModules): Container {
  const container = new Container();
  container.load(...modules);
  return container;
}

/** Binds what a plugin of the user brings under its name. */
export function addPlugin<K extends PluginKind>(container: Container, kind: K, plugin: PluginKinds[K]): void {
  container.bind<PluginKinds[K]>(tokens[kind]).toConstantValue(plugin).whenNamed(plugin.name);
  container.bind<string>(addedNames[kind]).toConstantValue(plugin.name);
}

export const isBound = (container: Container, kind: PluginKind, name: string): boolean => container.isBound(tokens[kind], { name });

/** The names that a user can choose from: built-in ones, and those that `addPlugin` bound. */
export const namesOf = (container: Container, kind: PluginKind): string[] =>
  [...builtInNames[kind].filter((name) => isBound(container, kind, name)), ...namesAdded(container, kind)];

/** Those that `addPlugin` bound. */
export const namesAdded = (container: Container, kind: PluginKind): string[] => (container.isBound(addedNames[kind]) ? container.getAll<string>(addedNames[kind]) : []);

function named<K extends PluginKind>(container: Container, kind: K, name: string): PluginKinds[K] {
  if (isBound(container, kind, name)) return container.get<PluginKinds[K]>(tokens[kind], { name });
  const { what, code, example } = missing[kind];
  throw new CoppiceError(code, `There is no ${what} '${name}'. Choose one of ${namesOf(container, kind).join(', ')}, or bring your own with --plugin ${example}.`);
}

/**
 * The backend bound under a name.
 * @throws CoppiceError `COPPICE_BACKEND_MISSING`
 */
export const backendNamed = (container: Container, name: string): Backend => named(container, 'Backend', name);

/**
 * The scorer bound under a name.
 * @throws CoppiceError `COPPICE_SCORER_UNKNOWN`
 */
export const scorerNamed = (container: Container, name: string): Scorer => named(container, 'Scorer', name);

/**
 * The dataset format bound under a name.
 * @throws CoppiceError `COPPICE_DATASET_UNKNOWN`
 */
export const datasetNamed = (container: Container, name: string): DatasetFormat => named(container, 'Dataset', name);
