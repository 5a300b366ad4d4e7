import { onnxModule } from '@coppice/backend-onnx';
import { CoppiceError } from '@coppice/graph';
import { tokens, type Backend, type Scorer } from '@coppice/core';
import { activationModule } from '@coppice/scorer-activation';
import { magnitudeModule } from '@coppice/scorer-magnitude';
import { Container, type ContainerModule } from 'inversify';

/** The plugins that come with Coppice. */
export const builtInModules: readonly ContainerModule[] = [onnxModule, magnitudeModule, activationModule];

/** Names under which `onnxModule` binds backends. */
export const backendNames = ['onnx', 'onnx:wasm', 'onnx:native'] as const;

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
  const [backend] = container.isBound(tokens.Backend, { name }) ? container.getAll<Backend>(tokens.Backend, { name }) : [];
  if (!backend) throw new CoppiceError('COPPICE_BACKEND_MISSING', `There is no backend '${name}'. Choose one of ${backendNames.join(', ')}.`);
  return backend;
}

/** All scorers that are bound; of two with one name the later. */
export const allScorers = (container: Container): Scorer[] =>
  [...new Map(container.getAll<Scorer>(tokens.Scorer, { optional: true }).map((scorer) => [scorer.name, scorer])).values()];

/**
 * The scorer with a name.
 * @throws CoppiceError `COPPICE_SCORER_UNKNOWN`
 */
export function scorerNamed(container: Container, name: string): Scorer {
  const scorers = allScorers(container);
  const scorer = scorers.find((candidate) => candidate.name === name);
  if (!scorer) throw new CoppiceError('COPPICE_SCORER_UNKNOWN', `There is no scorer '${name}'. Choose one of ${scorers.map((s) => s.name).join(', ') || 'none'}, or bring your own with --plugin ./my-scorer.ts.`);
  return scorer;
}
