import type { GraphProto } from '@coppice/graph';

/** A graph or one of the bodies nested in it. */
export interface Scope {
  readonly path: string;
  readonly graph: GraphProto;
  readonly parent?: Scope;
  readonly names: Map<string, number>;
}
