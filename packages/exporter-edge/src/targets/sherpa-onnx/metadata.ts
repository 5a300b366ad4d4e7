import type { Model } from '@coppice/graph';

/** An entry of a model's metadata. */
export const metadataOf = (model: Model, key: string): string | undefined => model.proto.metadataProps.find((entry) => entry.key === key)?.value;
