import { readFileSync } from 'node:fs';

/** The C files that are the same in every bundle. */
export const fixedSources = ['coppice_ops.h', 'coppice_ops.c', 'coppice_features.h', 'coppice_features.c', 'read_audio.h', 'read_audio.c', 'main.c', 'verify.c', 'Makefile'] as const;

/** The text of one of them. */
export const fixedSource = (name: (typeof fixedSources)[number]): string => readFileSync(new URL(`./c/${name}`, import.meta.url), 'utf8');

/** What every compiler here is called with: no warning is left, and no product is joined with a sum. */
export const compilerFlags = ['-std=c99', '-Wall', '-Wextra', '-Werror', '-pedantic', '-O2', '-ffp-contract=off'] as const;
