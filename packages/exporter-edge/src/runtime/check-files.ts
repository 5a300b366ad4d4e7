import type { Finding } from '../finding.ts';
import type { FileEntry } from '../manifest.ts';

/** Reads a file of the bundle; undefined where there is none. */
export type ReadFile = (path: string) => Promise<Uint8Array | undefined>;

/** SHA-256 in hexadecimal. Pages that are not served over https have no `crypto.subtle`, so there it is computed in JavaScript. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const hex = (digest: Uint8Array): string => Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const subtle = globalThis.crypto?.subtle as typeof globalThis.crypto.subtle | undefined;
  if (subtle !== undefined) return hex(new Uint8Array(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)));
  const { sha256: compute } = await import('@noble/hashes/sha2.js');
  return hex(compute(bytes));
}

/** What is wrong with the bytes of a file; undefined when they are those that were exported. */
export async function fileFault(entry: FileEntry, bytes: Uint8Array | undefined): Promise<Finding | undefined> {
  const fault = (message: string): Finding => ({ about: 'file', where: entry.path, message: `${entry.path} ${message}` });
  if (bytes === undefined) return fault('is missing. Copy or download the bundle again.');
  if (bytes.length < entry.bytes) return fault(`is cut off: it has ${bytes.length} of ${entry.bytes} bytes, as after a download that broke off. Copy or download it again.`);
  if (bytes.length > entry.bytes) return fault(`has ${bytes.length} bytes, and ${entry.bytes} were exported: it is another file, or something was added. Copy or download it again.`);
  const digest = await sha256(bytes);
  return digest === entry.sha256 ? undefined : fault(`was changed after the export: its length is right, but its SHA-256 is ${digest.slice(0, 12)}…, and the manifest says ${entry.sha256.slice(0, 12)}…. Copy or download it again.`);
}

/** Faults of all files that a manifest lists. */
export async function checkFiles(files: readonly FileEntry[], read: ReadFile): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const entry of files) {
    const fault = await fileFault(entry, await read(entry.path));
    if (fault !== undefined) findings.push(fault);
  }
  return findings;
}
