import { cpSync, existsSync } from 'node:fs';

/** After a build, in the folder of a package: generated JavaScript and sources in C, which tsc does not touch, go to dist as they are. */
if (existsSync('src/gen')) cpSync('src/gen', 'dist/gen', { recursive: true });
if (existsSync('src/targets/micro/c')) cpSync('src/targets/micro/c', 'dist/targets/micro/c', { recursive: true });
