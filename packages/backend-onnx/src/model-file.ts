import type { Model } from '@coppice/graph';

/**
 * Lends a model as a file in a folder of its own, large weights beside it, and removes the folder afterwards (Node only).
 * For models that do not fit into one message of 2 GB, and for other processes.
 */
export async function withModelFile<T>(model: Model, use: (path: string) => Promise<T>): Promise<T> {
  const [{ mkdtemp, rm }, { tmpdir }, { join }, { writeModel }] = await Promise.all([
    import('node:fs/promises'), import('node:os'), import('node:path'), import('@coppice/graph/node'),
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'coppice-'));
  try {
    const path = join(folder, 'model.onnx');
    writeModel(model, path);
    return await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
