import type { FileIdentity, PlanFile } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { planSchema } from './plan-schema.ts';

const isPlanFile = new Ajv2020({ allowUnionTypes: true }).compile<PlanFile>(planSchema);

/**
 * Reads a plan and checks its form.
 * @throws CoppiceError `COPPICE_FILE_NOT_FOUND`, `COPPICE_PLAN_INVALID`
 */
export function readPlan(path: string): PlanFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CoppiceError('COPPICE_FILE_NOT_FOUND', `The plan ${path} cannot be read: ${(cause as Error).message}. \`coppice prune\` writes one beside the slim model.`, { cause });
  }
  const document = parse(text, path);
  if (isPlanFile(document)) return document;
  const [fault] = isPlanFile.errors ?? [];
  throw new CoppiceError('COPPICE_PLAN_INVALID', `${path} is not a plan: ${fault?.instancePath || 'the document'} ${fault?.message ?? 'has another form'}. docs/plan-file.md describes the format.`);
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CoppiceError('COPPICE_PLAN_INVALID', `${path} is not JSON: ${(cause as Error).message}. Was it written completely?`, { cause });
  }
}

/** @throws CoppiceError `COPPICE_PLAN_INVALID` when a plan speaks of another original */
export function assertOriginal(plan: PlanFile, original: FileIdentity): void {
  if (plan.original.sha256 === original.sha256) return;
  throw new CoppiceError('COPPICE_PLAN_INVALID', `The plan was made for another model: ${plan.original.name} with SHA-256 ${plan.original.sha256.slice(0, 12)}…, and ${original.name} has ${original.sha256.slice(0, 12)}…. Give the model that was pruned.`);
}

/** The text of a plan: one line for each removed unit. */
export function planText({ removed, ...head }: PlanFile): string {
  const lines = removed.map((unit) => `    ${JSON.stringify(unit)}`);
  const open = JSON.stringify(head, undefined, 2).slice(0, -2);
  return `${open},\n  "removed": [${lines.length > 0 ? `\n${lines.join(',\n')}\n  ` : ''}]\n}\n`;
}

/**
 * Writes a text file that appears complete or not at all.
 * @throws CoppiceError `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`
 */
export function writeText(path: string, text: string, force: boolean): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${Date.now().toString(36)}.tmp`);
  try {
    writeFileSync(temporary, text, { flag: 'wx' });
    // A link, unlike a rename, fails when somebody else took the name meanwhile.
    if (force) renameSync(temporary, path);
    else linkSync(temporary, path);
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    throw new CoppiceError(exists ? 'COPPICE_FILE_EXISTS' : 'COPPICE_FILE_WRITE', exists ? `${path} exists already. Choose another name, or replace it with --force.` : `${path} could not be written: ${(cause as Error).message}.`, { cause });
  } finally {
    rmSync(temporary, { force: true });
  }
}
