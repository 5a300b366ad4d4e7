import type { SpeechDescription } from '@coppice/speech';
import { planArena, type ArenaPlan } from './arena.ts';
import { cComment, cFloat, cInteger, cString, cTable } from './c-text.ts';
import { featureSizes } from './feature-tables.ts';
import { isTable } from './lowering.ts';
import { fieldName, kernels, type Call, type MicroProgram } from './program.ts';

/** Where everything lies in the arena. */
export interface MemoryPlan {
  readonly bytes: number;
  /** In bytes, by buffer. */
  readonly offsets: readonly number[];
  /** Of the front end's working memory. */
  readonly scratch: number;
}

/** A plan by life times: a buffer lives from the first call that writes it to the last that reads it; the front end comes before all calls. */
export function planMemory(program: MicroProgram, speech: SpeechDescription): MemoryPlan {
  const sizes = featureSizes(speech);
  const lifetimes = program.buffers.map(({ type, elements }, id) => {
    const [writes, reads] = [program.calls.flatMap(({ writes: to }, at) => (to === id ? [at] : [])), program.calls.flatMap(({ reads: from }, at) => (from.includes(id) ? [at] : []))];
    const isInput = id === program.input.buffer;
    return {
      bytes: isInput ? 4 * sizes.floats : (type === 'float' ? 4 : 1) * elements,
      from: isInput ? -1 : Math.min(...writes, ...reads), to: id === program.output.buffer ? program.calls.length : Math.max(-1, ...reads, ...writes),
    };
  });
  const plan: ArenaPlan = planArena([...lifetimes, { bytes: 4 * sizes.scratchFloats, from: -1, to: -1 }]);
  return { bytes: plan.bytes, offsets: plan.offsets.slice(0, -1), scratch: plan.offsets.at(-1)! };
}

/** Constant data of the model in bytes. */
export const tableBytes = ({ calls }: MicroProgram): number =>
  calls.reduce((sum, { fields, reads }) => sum + [...Object.values(fields), ...reads].reduce<number>((bytes, field) => bytes + (typeof field === 'object' && isTable(field as Int8Array) ? (field as Int8Array).byteLength : 0), 0), 0);

/** `model.h` */
export function modelHeader(program: MicroProgram, plan: MemoryPlan): string {
  return [
    '#ifndef COPPICE_MODEL_H', '#define COPPICE_MODEL_H', '',
    '/* Working memory for features, activations and scores: all that is written. Everything else is const. */',
    `#define COPPICE_ARENA_BYTES ${plan.bytes}`, '#define COPPICE_ARENA_FLOATS (COPPICE_ARENA_BYTES / 4)', '',
    '/* Where the front end works, and where it leaves its features; where the model leaves its scores. In floats. */',
    `#define COPPICE_SCRATCH_AT ${plan.scratch / 4}`, `#define COPPICE_FEATURES_AT ${plan.offsets[program.input.buffer] / 4}`, `#define COPPICE_SCORES_AT ${plan.offsets[program.output.buffer] / 4}`, '',
    `#define COPPICE_MODEL_FRAMES ${program.input.frames}`, `#define COPPICE_CLASSES ${program.output.classes}`, '',
    '/* From the features in the arena to natural logarithms of the probabilities of the classes. */', 'void coppice_model(float *arena);', '', '#endif', '',
  ].join('\n');
}

/** `model.c`: the tables, and the calls in their order. */
export function modelSource(program: MicroProgram, plan: MemoryPlan): string {
  const tables: string[] = [];
  const calls: string[] = [];
  program.calls.forEach((call, k) => {
    const { struct } = kernels[call.kernel];
    const fields = kernels[call.kernel].fields.map((field) => `    .${fieldName(field)} = ${fieldText(call, field, k, tables)},`);
    const reads = call.reads.map((from, at) => {
      if (typeof from === 'number') return place(program, plan, from);
      tables.push(cTable('int8_t', `operand_${k}_${at}`, from));
      return `operand_${k}_${at}`;
    });
    tables.push(`static const struct coppice_${struct} layer_${k} = {\n${fields.join('\n')}\n};\n`);
    calls.push(`    coppice_${call.kernel}(&layer_${k}, ${[...reads, place(program, plan, call.writes)].join(', ')}); /* ${cComment(call.node)} */`);
  });
  return [
    '#include "model.h"', '#include "coppice_ops.h"', '',
    '/* The arena is an array of float, which may be read and written as bytes too. */', '#define FLOATS(offset) (arena + (offset) / 4)', '#define BYTES(offset) ((int8_t *)arena + (offset))', '',
    ...tables, 'void coppice_model(float *arena)', '{', ...calls, '}', '',
  ].join('\n');
}

const place = (program: MicroProgram, plan: MemoryPlan, buffer: number): string => `${program.buffers[buffer].type === 'float' ? 'FLOATS' : 'BYTES'}(${plan.offsets[buffer]})`;

function fieldText(call: Call, field: string, k: number, tables: string[]): string {
  const name = fieldName(field);
  const value = call.fields[name];
  if (typeof value === 'number') return field.endsWith('~') ? cFloat(value) : cInteger(value);
  if (!isTable(value)) return `{ ${value.map(cInteger).join(', ')} }`;
  const type = value instanceof Float32Array ? 'float' : value instanceof Int32Array ? 'int32_t' : 'int8_t';
  tables.push(cTable(type, `${name}_${k}`, value));
  return `${name}_${k}`;
}

/** `recognise.h` */
export const recogniseHeader = `#ifndef COPPICE_RECOGNISE_H
#define COPPICE_RECOGNISE_H

#include "coppice_feature_tables.h"
#include "model.h"

#include <stdint.h>

/* What each class stands for, in UTF-8. */
extern const char *const coppice_labels[COPPICE_CLASSES];

/*
 * Recognises one clip.
 *
 * audio:  [COPPICE_AUDIO_SAMPLES], 16 bits, mono, COPPICE_SAMPLE_RATE_HZ
 * scores: [COPPICE_CLASSES], natural logarithms of probabilities
 *
 * Returns the class with the highest score. Not for two threads at a time: there is one arena.
 */
int32_t coppice_recognise(const int16_t *audio, float *scores);

/* The features alone, [COPPICE_MODEL_FRAMES, COPPICE_FEATURES], for checks; valid until the next call of either. */
const float *coppice_hear(const int16_t *audio);

#endif
`;

/** `recognise.c` */
export const recogniseSource = (labels: readonly string[]): string => `#include "recognise.h"

#include "coppice_features.h"

static float coppice_arena[COPPICE_ARENA_FLOATS];

const char *const coppice_labels[COPPICE_CLASSES] = {
${labels.map((label) => `    ${cString(label)},`).join('\n')}
};

const float *coppice_hear(const int16_t *audio)
{
    coppice_features(audio, coppice_arena + COPPICE_FEATURES_AT, coppice_arena + COPPICE_SCRATCH_AT);
    return coppice_arena + COPPICE_FEATURES_AT;
}

int32_t coppice_recognise(const int16_t *audio, float *scores)
{
    int32_t best = 0;
    coppice_features(audio, coppice_arena + COPPICE_FEATURES_AT, coppice_arena + COPPICE_SCRATCH_AT);
    coppice_model(coppice_arena);
    for (int32_t k = 0; k < COPPICE_CLASSES; k++) {
        scores[k] = coppice_arena[COPPICE_SCORES_AT + k];
        if (scores[k] > scores[best]) best = k;
    }
    return best;
}
`;
