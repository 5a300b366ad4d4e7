import { fileFault, type FileEntry } from '@coppice/exporter-edge/runtime';
import type { Progress } from './protocol.ts';

const CACHE = 'coppice-files';

/**
 * The bytes of a file of the bundle, checked: from an earlier visit, else from the server; there twice, past the browser's own cache the
 * second time. What is not what was exported is never used.
 * @throws Error in words for people
 */
export async function download(entry: FileEntry, base: string, onProgress: (progress: Progress) => void): Promise<{ bytes: Uint8Array<ArrayBuffer>; cached: boolean }> {
  const url = new URL(entry.path, base).href;
  // A new file under an old name has another address here.
  const key = `${url}?${entry.sha256.slice(0, 16)}`;
  const cache = await openCache();
  const kept = await cache?.match(key);
  if (kept !== undefined) {
    const bytes = new Uint8Array(await kept.arrayBuffer());
    if (await fileFault(entry, bytes) === undefined) return { bytes, cached: true };
  }
  let message = '';
  for (const mode of ['default', 'reload'] as const) {
    try {
      const bytes = await fetchBytes(url, entry, mode, onProgress);
      const fault = await fileFault(entry, bytes);
      if (fault === undefined) {
        await keep(cache, key, url, bytes);
        return { bytes, cached: false };
      }
      message = fault.message;
    } catch (error) {
      message = `${entry.path} could not be downloaded: ${error instanceof Error ? error.message : String(error)}.`;
    }
  }
  throw new Error(`${message} Check the connection, and load the page again.`);
}

async function fetchBytes(url: string, { path, bytes: total }: FileEntry, cache: RequestCache, onProgress: (progress: Progress) => void): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, { cache });
  if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
  const pieces: Uint8Array[] = [];
  let loaded = 0;
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    pieces.push(piece);
    loaded += piece.length;
    onProgress({ path, loaded, total });
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Undefined where pages may not keep anything, e.g. without https. */
async function openCache(): Promise<Cache | undefined> {
  try {
    return await globalThis.caches?.open(CACHE);
  } catch {
    return undefined;
  }
}

/** Earlier versions of the same file go. A full disk is no reason not to work. */
async function keep(cache: Cache | undefined, key: string, url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  try {
    for (const { url: old } of await cache?.keys() ?? []) if (old.startsWith(`${url}?`) && old !== key) await cache!.delete(old);
    await cache?.put(key, new Response(bytes));
  } catch {
    // It is downloaded again the next time.
  }
}
