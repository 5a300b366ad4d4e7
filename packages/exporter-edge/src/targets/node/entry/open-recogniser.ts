import type { Audio } from '@coppice/speech';
import { readFile } from 'node:fs/promises';
import { fileFault, recogniseClip, type BundleManifest } from '../../../runtime/index.ts';
import { loadRuntime, type RuntimeOptions } from './load-runtime.ts';

export interface RecognizerOptions extends RuntimeOptions {
  /** Which of the models: the bundle's own, or the original beside it. */
  readonly model?: 'slim' | 'original';
}

/** Where this bundle lies. */
export const folder = new URL('./', import.meta.url);

/** The manifest of this bundle. */
export const readManifest = async (): Promise<BundleManifest> => JSON.parse(await readFile(new URL('manifest.json', folder), 'utf8')) as BundleManifest;

export interface OpenRecogniser {
  readonly manifest: BundleManifest;
  readonly ranOn: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  recognise(audio: Audio): ReturnType<typeof recogniseClip>;
  close(): Promise<void>;
}

/** The model in the runtime, its bytes checked. */
export async function openRecogniser({ model = 'slim', check = true, ...options }: RecognizerOptions & { readonly check?: boolean } = {}): Promise<OpenRecogniser> {
  const manifest = await readManifest();
  const entry = model === 'slim' ? manifest.model : manifest.original;
  if (entry === undefined) throw new Error('This bundle does not carry the original model.');
  const bytes = await readFile(new URL(entry.path, folder)).catch(() => undefined);
  const fault = check ? await fileFault(entry, bytes) : undefined;
  if (fault !== undefined || bytes === undefined) throw new Error(fault?.message ?? `${entry.path} is missing.`);
  const { runtime, name, sessionOptions } = await loadRuntime(options);
  const session = await runtime.InferenceSession.create(new Uint8Array(bytes), sessionOptions);
  return {
    manifest, ranOn: name, inputNames: session.inputNames, outputNames: session.outputNames,
    recognise: (audio) => recogniseClip(runtime, session, manifest, audio),
    close: () => session.release(),
  };
}
