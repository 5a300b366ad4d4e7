import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixedSource } from '../targets/micro/c-sources.ts';
import { compileC, findCompiler } from '../targets/micro/compile.ts';
import type { LoweredGraph } from '../targets/micro/lower.ts';
import { isTable } from '../targets/micro/lowering.ts';
import { fieldName, kernels, type KernelName } from '../targets/micro/program.ts';

const names = Object.keys(kernels) as KernelName[];

/** C that reads programs from standard input and runs them, each buffer in memory of its own, so that a sanitizer sees its ends. */
function driverSource(): string {
  const read = (field: string): string => {
    const name = fieldName(field);
    if (field.endsWith('[4]')) return `for (int k = 0; k < 4; k++) op.${name}[k] = whole();`;
    if (field.endsWith('~')) return `take(&op.${name}, 4);`;
    if (field.includes(':')) return `op.${name} = table();`;
    return `op.${name} = whole();`;
  };
  const cases = names.map((name, k) => {
    const { struct, fields, reads } = kernels[name];
    return `        case ${k}: { struct coppice_${struct} op; ${fields.map(read).join(' ')} ${Array.from({ length: reads }, (_, at) => `const void *x${at} = operand();`).join(' ')} coppice_${name}(&op, ${Array.from({ length: reads }, (_, at) => `x${at}, `).join('')}buffers[whole()]); break; }`;
  });
  return `#include "coppice_ops.h"
#include <stdio.h>
#include <stdlib.h>
static void *kept[65536]; static int count; static void *buffers[4096];
static void *memory(size_t bytes) { return kept[count++] = malloc(bytes ? bytes : 1); }
static void take(void *to, size_t bytes) { if (fread(to, 1, bytes, stdin) != bytes) exit(3); }
static int32_t whole(void) { int32_t value; take(&value, 4); return value; }
static void *table(void) { int32_t bytes = whole(); void *data = memory((size_t)bytes); take(data, (size_t)bytes); return data; }
static const void *operand(void) { return whole() ? table() : buffers[whole()]; }
int main(void) {
    int32_t left;
    while (fread(&left, 4, 1, stdin) == 1) {
        int32_t inputs = whole(), all = whole();
        for (int32_t k = 0; k < all; k++) { int32_t bytes = whole(); buffers[k] = memory((size_t)bytes); if (k < inputs) take(buffers[k], (size_t)bytes); }
        while (left-- > 0) switch (whole()) {
${cases.join('\n')}
        default: return 2;
        }
        int32_t out = whole(), bytes = whole();
        fwrite(buffers[out], 1, (size_t)bytes, stdout);
        while (count > 0) free(kept[--count]);
    }
    return 0;
}
`;
}

/** What a compiler is called with to look for reads beyond ends and for undefined behaviour; undefined where it cannot. */
export function sanitizerFlags(): readonly string[] | undefined {
  const compiler = findCompiler();
  if (compiler === undefined) return undefined;
  const flags = ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  const folder = mkdtempSync(join(tmpdir(), 'coppice-sanitizers-'));
  writeFileSync(join(folder, 'empty.c'), 'int main(void) { return 0; }\n');
  const said = compileC(compiler.path, { folder, sources: ['empty.c'], program: join(folder, 'empty'), flags });
  const { status } = spawnSync(join(folder, 'empty'), { timeout: 10_000 });
  rmSync(folder, { recursive: true, force: true });
  return said === undefined && status === 0 ? flags : undefined;
}

/** A compiled driver for all programs. */
export interface Driver {
  /** Runs programs one after the other in one process. @returns the floats of each output */
  run(cases: readonly { readonly program: LoweredGraph; readonly inputs: readonly Float32Array[] }[]): Float32Array[];
  remove(): void;
}

/** @returns undefined where there is no compiler */
export function compileDriver(flags: readonly string[] = []): Driver | undefined {
  const compiler = findCompiler();
  if (compiler === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'coppice-driver-'));
  for (const name of ['coppice_ops.h', 'coppice_ops.c'] as const) writeFileSync(join(folder, name), fixedSource(name));
  writeFileSync(join(folder, 'driver.c'), driverSource());
  const program = join(folder, 'driver');
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const said = compileC(compiler.path, { folder, sources: ['driver.c', 'coppice_ops.c'], program, flags });
  if (said !== undefined) {
    remove();
    throw new Error(said);
  }
  return {
    remove,
    run(cases) {
      const { status, stdout, stderr } = spawnSync(program, { input: Buffer.concat(cases.flatMap(({ program: each, inputs }) => encode(each, inputs))), maxBuffer: 1 << 28, timeout: 60_000 });
      if (status !== 0) throw new Error(`the driver ended with ${status}: ${stderr.toString()}`);
      let at = 0;
      return cases.map(({ program: { buffers, output } }) => {
        const { elements } = buffers[output.buffer];
        const floats = new Float32Array(stdout.buffer.slice(stdout.byteOffset + at, stdout.byteOffset + at + 4 * elements));
        at += 4 * elements;
        return floats;
      });
    },
  };
}

const whole = (...values: readonly number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);
const bytesOf = (data: NodeJS.ArrayBufferView): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
const tableOf = (data: NodeJS.ArrayBufferView): Buffer[] => [whole(data.byteLength), bytesOf(data)];

function encode({ buffers, calls, output }: LoweredGraph, inputs: readonly Float32Array[]): Buffer[] {
  const size = ({ type, elements }: LoweredGraph['buffers'][number]): number => (type === 'float' ? 4 : 1) * elements;
  return [
    whole(calls.length, inputs.length, buffers.length),
    ...buffers.flatMap((buffer, k) => [whole(size(buffer)), ...(k < inputs.length ? [bytesOf(inputs[k])] : [])]),
    ...calls.flatMap(({ kernel, fields, reads, writes }) => [
      whole(names.indexOf(kernel)),
      ...kernels[kernel].fields.flatMap((field) => {
        const value = fields[fieldName(field)];
        if (typeof value === 'number') return [field.endsWith('~') ? bytesOf(Float32Array.of(value)) : whole(value)];
        return isTable(value) ? tableOf(value) : [whole(...value)];
      }),
      ...reads.flatMap((from) => (typeof from === 'number' ? [whole(0, from)] : [whole(1), ...tableOf(from)])),
      whole(writes),
    ]),
    whole(output.buffer, size(buffers[output.buffer])),
  ];
}
