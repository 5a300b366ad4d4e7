import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** `.round-1.onnx.4711.lx3k2a.tmp`: a file that process 4711 had not finished. */
const UNFINISHED = /^\..+\.(\d+)\.[0-9a-z]+\.tmp$/;

/** Removes what processes that are gone had begun to write below a folder; a file appears under its own name only when it is whole. */
export function removeLeftovers(folder: string): void {
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const pid = UNFINISHED.exec(path.split(/[/\\]/).at(-1)!)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, path), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of somebody else is alive too.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
