import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findViolations } from './check-dependencies.ts';

let root: string;
beforeEach(() => { root = mkdtempSync(join(tmpdir(), 'coppice-dependencies-')); });
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(file: string, text: string): void {
  mkdirSync(join(root, dirname(file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

/** A package with nothing to complain about. */
function putPackage(folder: string, dependencies: readonly string[] = [], more: object = {}): void {
  const name = `@coppice/${folder.split('/').at(-1)}`;
  put(`${folder}/package.json`, JSON.stringify({ name, dependencies: Object.fromEntries(dependencies.map((dependency) => [dependency, '1'])), ...more }));
  put(`${folder}/README.md`, '');
  put(`${folder}/src/index.ts`, 'export {};\n');
}

/** The house as it should be. */
function putHouse(): void {
  putPackage('packages/graph', ['@bufbuild/protobuf']);
  putPackage('packages/core', ['@coppice/graph', 'inversify']);
  putPackage('packages/speech', ['@coppice/graph', '@coppice/core']);
  putPackage('packages/scorer-magnitude', ['@coppice/core']);
  putPackage('packages/scorer-activation', ['@coppice/core']);
  putPackage('packages/backend-onnx', ['@coppice/core', '@coppice/graph', 'onnxruntime-web'], { imports: { '#runtime': './x.js' } });
  putPackage('packages/testkit', ['@coppice/core']);
  putPackage('apps/cli', ['@coppice/core', '@coppice/backend-onnx', '@coppice/scorer-magnitude']);
}

/** What is found when one file is added to the house, as `file:line: rule`. */
function violationsWith(file: string, text: string): string[] {
  putHouse();
  put(file, text);
  return findViolations(root).map((violation) => `${violation.file}:${violation.line}: ${violation.rule}`);
}

describe('what is allowed', () => {
  it.each<[string, string]>([
    ['packages/core/src/a.ts', "import { x } from '@coppice/graph';\nexport * from './index.ts';\nimport 'inversify';\n"],
    ['packages/backend-onnx/src/a.ts', "import { readFileSync } from 'node:fs';\nconst r = import('#runtime');\nimport type { T } from 'onnxruntime-web/wasm';\n"],
    ['packages/graph/src/node/a.ts', "import fs from 'fs';\nimport { x } from '../index.ts';\n"],
    ['apps/cli/src/a.ts', "import { l2 } from '@coppice/scorer-magnitude';\n"],
    ['packages/core/src/a.test.ts', "import { readFileSync } from 'node:fs';\nimport { it } from 'vitest';\nimport { chooseBackend } from '@coppice/backend-onnx';\nimport { s } from '../../testkit/src/index.ts';\n"],
    ['packages/core/src/comments.ts', "/**\n * import { x } from 'onnxruntime-web';\n * const y = await import('onnxruntime-web');\n */\n// import 'left-pad';\n"],
    ['packages/core/src/sentence.ts', "export const note = 'copied from here';\nexport const from = 'left-pad';\n"],
  ])('%s', (file, text) => {
    expect(violationsWith(file, text)).toEqual([]);
  });
});

describe('what is found', () => {
  it.each<[string, string, string, string]>([
    ['a lower layer that sees a higher one', 'packages/graph/src/a.ts', "import { x } from '@coppice/core';\n", 'graph may not import core: the direction is'],
    ['the same as a type', 'packages/core/src/a.ts', "import type { X } from '@coppice/speech';\n", 'core may not import speech'],
    ['the same behind an await', 'packages/core/src/a.ts', "const [a, b] = [import('inversify'), import('@coppice/backend-onnx')];\n", 'core may not import backend-onnx'],
    ['the same passed on', 'packages/core/src/a.ts', "export * from '@coppice/scorer-magnitude';\n", 'core may not import scorer-magnitude'],
    ['a plugin that imports another', 'packages/scorer-activation/src/a.ts', "import {\n  l2,\n} from '@coppice/scorer-magnitude';\n", 'a plugin never imports another'],
    ['a test that imports a plugin other than the tools of tests', 'packages/core/src/a.test.ts', "import { l2 } from '@coppice/scorer-magnitude';\n", 'core may not import scorer-magnitude'],
    ['a path into another package', 'packages/core/src/a.ts', "import { x } from '../../graph/src/index.ts';\n", 'reaches into graph'],
    ['a path out of all packages', 'packages/core/src/a.ts', "import { x } from '../../../tools/x.ts';\n", 'leaves the package'],
    ['a module that package.json does not name', 'packages/speech/src/a.ts', "import leftPad from 'left-pad/now';\n", "'left-pad' is not among the dependencies of packages/speech/package.json"],
    ['a workspace package that package.json does not name', 'packages/scorer-magnitude/src/a.ts', "import { x } from '@coppice/graph';\n", "'@coppice/graph' is not among the dependencies"],
    ['a private name that package.json does not define', 'packages/core/src/a.ts', "import { x } from '#runtime';\n", 'not in the imports'],
    ['a runtime in core', 'packages/core/src/a.ts', "import ort from 'onnxruntime-web/wasm';\n", 'core imports no runtime'],
    ['a file system in core', 'packages/core/src/a.ts', "import { readFileSync } from 'node:fs';\n", 'core imports nothing of Node'],
    ['a module of Node in the main entry of graph', 'packages/graph/src/a.ts', "import path from 'path';\n", "'path' belongs into src/node"],
    ['a way from the main entry of graph to its Node part', 'packages/graph/src/a.ts', "export * from './node/index.ts';\n", 'imported from there alone'],
  ])('%s', (_, file, text, rule) => {
    const found = violationsWith(file, text);
    expect(found).toEqual([expect.stringContaining(rule)]);
    const line = text.includes('\n}') ? 3 : 1;
    expect(found[0].startsWith(`${file}:${line}: `)).toBe(true);
  });

  it('a package without README or entry', () => {
    putHouse();
    rmSync(join(root, 'packages/core/README.md'));
    rmSync(join(root, 'apps/cli/src/index.ts'));
    expect(findViolations(root).map(({ file }) => file)).toEqual(['packages/core/README.md', 'apps/cli/src/index.ts']);
  });

  it('a package that has no place in the house', () => {
    putHouse();
    putPackage('packages/helpers');
    expect(findViolations(root)).toEqual([expect.objectContaining({ file: 'packages/helpers/package.json', rule: expect.stringContaining('belongs to no layer') })]);
  });

  it('packages that depend on each other in a circle', () => {
    putHouse();
    putPackage('packages/graph', ['@coppice/speech']);
    expect(findViolations(root).map(({ rule }) => rule)).toContainEqual(expect.stringMatching(/in a circle: (graph|speech|core) → /));
  });
});

it('wants what a package imports to be built before it', () => {
  const reference = (...paths: string[]): string => JSON.stringify({ references: paths.map((path) => ({ path })) });
  putHouse();
  put('packages/speech/tsconfig.build.json', reference('../graph/tsconfig.build.json', '../core/tsconfig.build.json'));
  put('apps/cli/tsconfig.build.json', reference('../../packages/core/tsconfig.build.json', '../../packages/backend-onnx/tsconfig.build.json'));
  expect(findViolations(root)).toEqual([{ file: 'apps/cli/tsconfig.build.json', line: 0, rule: "'scorer-magnitude' is a dependency and not among the references, so it is not built first" }]);
});
