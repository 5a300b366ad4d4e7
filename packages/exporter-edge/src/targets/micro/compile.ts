import { spawnSync } from 'node:child_process';
import { compilerFlags } from './c-sources.ts';

/** The system's C compiler, and what it calls itself; undefined where there is none. */
export function findCompiler(): { readonly path: string; readonly version: string } | undefined {
  const path = process.env['CC'] ?? 'cc';
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return status === 0 ? { path, version: stdout.split('\n')[0] } : undefined;
}

/** What the compiler says of sources; undefined when it made a program of them. */
export function compileC(compiler: string, { folder, sources, program, flags = [] }: { readonly folder: string; readonly sources: readonly string[]; readonly program: string; readonly flags?: readonly string[] }): string | undefined {
  const { status, stderr, error } = spawnSync(compiler, [...compilerFlags, ...flags, '-o', program, ...sources, '-lm'], { cwd: folder, encoding: 'utf8', timeout: 120_000 });
  return status === 0 ? undefined : (stderr || error?.message || 'it said nothing').trim();
}
