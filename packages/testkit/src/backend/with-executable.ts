import type { Backend, CompileOptions, Executable } from '@coppice/core';
import type { Model } from '@coppice/graph';

/** Compiles a model, hands it to some work, and disposes it whatever happens. */
export async function withExecutable<T>(backend: Backend, model: Model, work: (executable: Executable) => Promise<T>, options?: CompileOptions): Promise<T> {
  const executable = await backend.compile(model, options);
  try {
    return await work(executable);
  } finally {
    await executable.dispose();
  }
}
