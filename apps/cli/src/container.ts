import { onnxModule } from '@coppice/backend-onnx';
import { CoppiceError } from '@coppice/graph';
import { tokens, type Backend, type Scorer } from '@coppice/core';
import { digitsModule } from '@coppice/dataset-digits';
import { librispeechModule } from '@coppice/dataset-librispeech';
import { activationModule } from '@coppice/scorer-activation';
import { gradientModule } from '@coppice/scorer-gradient';
import { magnitudeModule } from '@coppice/scorer-magnitude';
import { sensitivityModule } from '@coppice/scorer-sensitivity';
import type { DatasetFormat } from '@coppice/speech';
import { Container, type ContainerModule } from 'inversify';

/** The plugins that come with Coppice. */
export const builtInModules: readonly ContainerModule[] = [onnxModule, magnitudeModule, activationModule, gradientModule, sensitivityModule, digitsModule, librispeechModule];

/** Names under which the built-in plugins bind backends and scorers; a container cannot list its names by itself. */
export const backendNames = ['onnx', 'onnx:wasm', 'onnx:native'] as const;
export const scorerNames = ['l1', 'l2', 'geometric-median', 'bn-scale', 'lamp', 'random', 'mean-magnitude', 'variance', 'apoz', 'wanda', 'taylor', 'fisher', 'gradient-norm', 'snip', 'obd', 'measured-loss'] as const;
export const datasetNames = ['digits', 'librispeech'] as const;

/** Names of dataset formats that plugins brought, each bound without a name of its own. */
const addedDatasets = Symbol('names of added datasets');

/** The composition root: one container with all plugins of this app. */
export function createContainer(modules: readonly ContainerModule[] = builtInModules): Container {
  const container = new Container();
  container.load(...modules);
  return container;
}

/**
 * The backend bound under a name.
 * @throws CoppiceError `COPPICE_BACKEND_MISSING`
 */
export function backendNamed(container: Container, name: string): Backend {
  if (!container.isBound(tokens.Backend, { name })) throw new CoppiceError('COPPICE_BACKEND_MISSING', `There is no backend '${name}'. Choose one of ${backendNames.join(', ')}.`);
  return container.get<Backend>(tokens.Backend, { name });
}

/** The scorers that are bound under any of these names, each with its name. */
export const scorersNamed = (container: Container, names: readonly string[]): Scorer[] =>
  names.filter((name) => container.isBound(tokens.Scorer, { name })).map((name) => container.get<Scorer>(tokens.Scorer, { name }));

/**
 * The scorer bound under a name.
 * @param known names to list when there is no such scorer
 * @throws CoppiceError `COPPICE_SCORER_UNKNOWN`
 */
export function scorerNamed(container: Container, name: string, known: readonly string[] = scorerNames): Scorer {
  const [scorer] = scorersNamed(container, [name]);
  if (!scorer) throw new CoppiceError('COPPICE_SCORER_UNKNOWN', `There is no scorer '${name}'. Choose one of ${known.join(', ')}, or bring your own with --plugin ./my-scorer.ts.`);
  return scorer;
}

/** Binds a dataset format of a plugin under its name. */
export function addDataset(container: Container, format: DatasetFormat): void {
  container.bind<DatasetFormat>(tokens.Dataset).toConstantValue(format).whenNamed(format.name);
  container.bind<string>(addedDatasets).toConstantValue(format.name);
}

/** The dataset formats that a user can name: built-in ones, and those that `addDataset` bound. */
export const datasetsKnown = (container: Container): string[] =>
  [...datasetNames.filter((name) => container.isBound(tokens.Dataset, { name })), ...(container.isBound(addedDatasets) ? container.getAll<string>(addedDatasets) : [])];

/**
 * The dataset format bound under a name.
 * @throws CoppiceError `COPPICE_DATASET_UNKNOWN`
 */
export function datasetNamed(container: Container, name: string): DatasetFormat {
  if (!container.isBound(tokens.Dataset, { name })) throw new CoppiceError('COPPICE_DATASET_UNKNOWN', `There is no dataset format '${name}'. Choose one of ${datasetsKnown(container).join(', ')}, or bring your own with --plugin ./my-dataset.ts.`);
  return container.get<DatasetFormat>(tokens.Dataset, { name });
}
