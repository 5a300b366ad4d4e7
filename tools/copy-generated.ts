import { cpSync, existsSync } from 'node:fs';

/** After a build, in the folder of a package: generated JavaScript, which tsc does not touch, goes to dist as it is. */
if (existsSync('src/gen')) cpSync('src/gen', 'dist/gen', { recursive: true });
