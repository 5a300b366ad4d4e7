/**
 * Checks who may import whom, and that every package has the same outside.
 * Usage: node tools/check-dependencies.ts [root]; prints `file:line: rule` for each violation and ends with 1 if there is one.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

/** Lower layers never see higher ones; packages of the same layer never see each other. */
const layers = [/^graph$/, /^core$/, /^(autodiff|speech|quantize)$/, /^(scorer-.+|backend-.+|dataset-.+|recovery|exporter-.+|report|testkit)$/, /^apps\/edge-bundler$/, /^apps\/.+$/, /^examples$/];
const direction = 'graph ← core ← autodiff, speech, quantize ← plugins ← apps ← examples';

/** What tests may import beside what their package may. */
const testTools = new Set(['testkit', 'backend-onnx']);

/** Modules that bind code to one place where it can run. */
const runtimes = /^(onnxruntime-|@tensorflow\/)/;

/** A broken rule. */
export interface Violation {
  /** From the root. */
  readonly file: string;
  /** From 1; 0 when it is about the file or folder as a whole. */
  readonly line: number;
  readonly rule: string;
}

interface Manifest {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly imports?: Readonly<Record<string, unknown>>;
}

interface Package {
  /** Folder name, with `apps/` before it for an app: what the rules speak of. */
  readonly label: string;
  readonly folder: string;
  readonly layer: number;
  readonly manifest: Manifest;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** Every violation of a repository, in the order of its files. */
export function findViolations(root: string): Violation[] {
  const packages = ['packages/*', 'apps/*', 'examples'].flatMap((pattern) => globSync(`${pattern}/package.json`, { cwd: root }).sort())
    .map((file): Package => {
      const folder = dirname(file).replaceAll('\\', '/');
      const label = folder.replace(/^packages\//, '');
      return { label, folder, layer: layers.findIndex((names) => names.test(label)), manifest: JSON.parse(readFileSync(join(root, file), 'utf8')) as Manifest };
    });
  return [
    ...packages.flatMap((own) => [...outside(root, own), ...unbuilt(root, packages, own), ...sourcesOf(root, own).flatMap((file) => checkFile(root, packages, own, file))]),
    ...cycles(packages),
  ];
}

/** What every package shows to the world. */
function outside(root: string, { label, folder, layer }: Package): Violation[] {
  const found: Violation[] = [];
  if (layer < 0) found.push({ file: `${folder}/package.json`, line: 0, rule: `'${label}' belongs to no layer of ${direction}; rename it, or give it a place in tools/check-dependencies.ts` });
  if (label === 'examples') return found;
  for (const file of ['README.md', 'src/index.ts']) {
    if (!existsSync(join(root, folder, file))) found.push({ file: `${folder}/${file}`, line: 0, rule: 'every package has one, and it is missing' });
  }
  return found;
}

/** A build that does not build what the package imports first would compile its sources instead, and without their declarations. */
function unbuilt(root: string, packages: readonly Package[], { folder, manifest }: Package): Violation[] {
  const file = `${folder}/tsconfig.build.json`;
  if (!existsSync(join(root, file))) return [];
  const { references = [] } = JSON.parse(readFileSync(join(root, file), 'utf8')) as { readonly references?: readonly { readonly path: string }[] };
  const built = new Set(references.map(({ path }) => relative(resolve(root), resolve(root, folder, dirname(path))).replaceAll('\\', '/')));
  const wanted = packages.filter(({ manifest: { name } }) => name !== undefined && name in { ...manifest.dependencies, ...manifest.optionalDependencies });
  return wanted.filter((each) => !built.has(each.folder)).map((each) => ({ file, line: 0, rule: `'${each.label}' is a dependency and not among the references, so it is not built first` }));
}

const sourcesOf = (root: string, { label, folder }: Package): string[] =>
  globSync(`${folder}/${label === 'examples' ? '**' : 'src/**'}/*.ts`, { cwd: root, exclude: (path) => /(^|[\\/])node_modules$/.test(String(path)) })
    .map((file) => file.replaceAll('\\', '/')).filter((file) => !file.includes('/node_modules/')).sort();

function checkFile(root: string, packages: readonly Package[], own: Package, file: string): Violation[] {
  const source = readFileSync(join(root, file), 'utf8');
  return importsOf(source).flatMap(({ specifier, line }) => {
    const rule = specifier.startsWith('.') ? checkRelative(packages, own, file, specifier) : checkBare(packages, own, file, specifier);
    return rule === undefined ? [] : [{ file, line, rule }];
  });
}

const isTest = (file: string): boolean => file.endsWith('.test.ts');

/** A path within the own package, or, in tests, into another. */
function checkRelative(packages: readonly Package[], own: Package, file: string, specifier: string): string | undefined {
  const target = relative(resolve('/'), resolve('/', dirname(file), specifier)).replaceAll('\\', '/');
  if (target.startsWith(`${own.folder}/`)) {
    const enters = target.startsWith(`${own.folder}/src/node/`) && !file.startsWith(`${own.folder}/src/node/`);
    return own.label === 'graph' && enters && !isTest(file) ? "graph's main entry runs in a browser: what is in src/node is imported from there alone" : undefined;
  }
  const other = packages.find(({ folder }) => target.startsWith(`${folder}/`));
  if (other === undefined) return isTest(file) ? undefined : `'${specifier}' leaves the package`;
  if (!isTest(file)) return `'${specifier}' reaches into ${other.label}; import it by its name`;
  return checkDirection(own, other, file);
}

/** A package by its name, or a module of Node. */
function checkBare(packages: readonly Package[], own: Package, file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return own.manifest.imports?.[specifier] === undefined ? `'${specifier}' is not in the imports of package.json` : undefined;
  if (isBuiltin(specifier)) return isTest(file) ? undefined : checkBuiltin(own, file, specifier);
  const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  const other = packages.find(({ manifest }) => manifest.name === name);
  const wrongWay = other && other !== own ? checkDirection(own, other, file) : undefined;
  if (wrongWay) return wrongWay;
  if (isTest(file) || name === own.manifest.name) return undefined;
  if (own.label === 'core' && runtimes.test(name)) return `core imports no runtime, and '${name}' is one; put it behind the contract of a backend`;
  const { dependencies, optionalDependencies, peerDependencies } = own.manifest;
  return name in { ...dependencies, ...optionalDependencies, ...peerDependencies } ? undefined : `'${name}' is not among the dependencies of ${own.folder}/package.json`;
}

function checkDirection(own: Package, other: Package, file: string): string | undefined {
  if (isTest(file) && testTools.has(other.label)) return undefined;
  if (other.layer >= 0 && other.layer < own.layer) return undefined;
  if (other.layer === own.layer && own.layer === 3) return `${own.label} and ${other.label} are plugins, and a plugin never imports another`;
  return `${own.label} may not import ${other.label}: the direction is ${direction}`;
}

function checkBuiltin({ label, folder }: Package, file: string, specifier: string): string | undefined {
  if (label === 'core') return `core imports nothing of Node ('${specifier}'); let the caller pass it in`;
  if (label === 'graph' && !file.startsWith(`${folder}/src/node/`)) return `graph's main entry runs in a browser: '${specifier}' belongs into src/node`;
  return undefined;
}

/** A loop among the dependencies that packages declare, those of tests aside. */
function cycles(packages: readonly Package[]): Violation[] {
  const byName = new Map(packages.map((entry) => [entry.manifest.name, entry]));
  const done = new Set<Package>();
  const found: Violation[] = [];
  const visit = (entry: Package, path: readonly Package[]): void => {
    const start = path.indexOf(entry);
    if (start >= 0) {
      const loop = [...path.slice(start), entry].map(({ label }) => label).join(' → ');
      found.push({ file: `${entry.folder}/package.json`, line: 0, rule: `packages depend on each other in a circle: ${loop}` });
    } else if (!done.has(entry)) {
      const { dependencies, optionalDependencies, peerDependencies } = entry.manifest;
      for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) if (byName.has(name)) visit(byName.get(name)!, [...path, entry]);
      done.add(entry);
    }
  };
  for (const entry of packages) visit(entry, []);
  return found;
}

/** Statements begin a line, as they do everywhere in this repository; so code in comments and in indented texts is none. */
const statements = /^(?:import|export)\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\}|\w+(?:\s*,\s*(?:\{[^}]*\}|\*\s+as\s+\w+))?)\s*from\s*(['"])([^'"]+)\1|^import\s*(['"])([^'"]+)\3/gm;
const expressions = /\bimport\(\s*(['"])([^'"]+)\1/g;
const startsComment = /^\s*(?:\*|\/\/|\/\*)/;

function importsOf(source: string): Import[] {
  const found: Import[] = [];
  const add = (match: RegExpExecArray, specifier: string): void => {
    const before = source.slice(0, match.index + match[0].lastIndexOf(specifier)).split('\n');
    if (!startsComment.test(before.at(-1)!)) found.push({ specifier, line: before.length });
  };
  for (const match of source.matchAll(statements)) add(match, match[2] ?? match[4]);
  for (const match of source.matchAll(expressions)) add(match, match[2]);
  return found.sort((a, b) => a.line - b.line);
}

if (process.argv[1] === import.meta.filename) {
  const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
  const violations = findViolations(root);
  for (const { file, line, rule } of violations) console.error(`${file}${line > 0 ? `:${line}` : ''}: ${rule}`);
  console.error(violations.length === 0 ? 'Dependencies: every rule kept.' : `Dependencies: ${violations.length} broken ${violations.length === 1 ? 'rule' : 'rules'}.`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
