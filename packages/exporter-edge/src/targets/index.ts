import { CoppiceError } from '@coppice/graph';
import type { Target } from '../target.ts';
import { microTarget } from './micro/micro.ts';
import { nodeTarget } from './node/node.ts';
import { sherpaTarget } from './sherpa-onnx/sherpa-onnx.ts';
import { transformersTarget } from './transformers-js/transformers-js.ts';
import { webTarget } from './web/web.ts';

/** All targets, a line each. */
export const targets: readonly Target[] = [webTarget, nodeTarget, sherpaTarget, transformersTarget, microTarget];

/**
 * The target of that name.
 * @throws CoppiceError `COPPICE_TARGET_UNKNOWN`
 */
export function targetNamed(name: string): Target {
  const target = targets.find((each) => each.name === name);
  if (target === undefined) throw new CoppiceError('COPPICE_TARGET_UNKNOWN', `There is no target '${name}'. Choose one of ${targets.map((each) => each.name).join(', ')}.`);
  return target;
}
