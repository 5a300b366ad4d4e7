import type { Backend } from '@coppice/core';
import { CoppiceError, graphOf, toModernOpset, type Model, type Tensor } from '@coppice/graph';
import { isRefusal, within } from '../backend/claim.ts';
import { differenceOf, type Tolerance } from '../backend/compare.ts';
import { readOfficialTest, type OfficialTest, type ReadTest } from './official-test.ts';
import { notesOf } from './test-notes.ts';

/** What became of a test. */
export type OfficialResult =
  | { readonly kind: 'passes'; readonly note?: string }
  /** By the reader or by the backend, with the words that say what and why. */
  | { readonly kind: 'refused'; readonly by: 'reader' | 'backend'; readonly reason: string }
  /** It differs for a reason that lies in the test. */
  | { readonly kind: 'set aside'; readonly reason: string }
  | { readonly kind: 'fails'; readonly reason: string };

export interface OfficialRunOptions {
  /** Longest time in milliseconds; it can only stop a backend that does not block the thread. Default 20 000. */
  readonly timeLimitMs?: number;
}

/** ONNX's own tolerance for its tests: onnx/backend/test/runner, `rtol=1e-3, atol=1e-7`. */
const official: Tolerance = { relative: 1e-3, absolute: 1e-7 };

/** Runs one test on a backend. Never rejects. */
export async function runOfficialTest(backend: Backend, test: OfficialTest, { timeLimitMs = 20_000 }: OfficialRunOptions = {}): Promise<OfficialResult> {
  let read: ReadTest;
  try {
    read = readOfficialTest(test);
  } catch (error) {
    return error instanceof CoppiceError ? { kind: 'refused', by: 'reader', reason: error.message } : { kind: 'fails', reason: `reading: ${String(error)}` };
  }
  try {
    return await within(timeLimitMs, compareAll(backend, read, test.name));
  } catch (error) {
    if (isRefusal(error)) return { kind: 'refused', by: 'backend', reason: error.message };
    const { aside } = notesOf(test.name);
    if (aside !== undefined && error instanceof CoppiceError && error.code === 'COPPICE_INPUT_MISMATCH') return { kind: 'set aside', reason: aside };
    return { kind: 'fails', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function compareAll(backend: Backend, { model, runs }: ReadTest, name: string): Promise<OfficialResult> {
  const { random, wider, aside } = notesOf(name);
  const executable = await backend.compile(model);
  try {
    for (const { inputs, expected } of runs) {
      const results = await executable.run(inputs);
      for (const [output, tensor] of Object.entries(expected)) {
        const difference = random ? differenceOf(blank(tensor), results[output] && blank(results[output]), official) : differenceOf(tensor, results[output], wider?.tolerance ?? official);
        if (difference !== undefined) return aside ? { kind: 'set aside', reason: aside } : { kind: 'fails', reason: `output '${output}' ${difference}` };
      }
    }
  } finally {
    await executable.dispose();
  }
  const note = random ?? wider?.because;
  return { kind: 'passes', ...(note !== undefined && { note }) };
}

/** Type and shape of a tensor, with nothing in it. */
const blank = ({ dtype, dims }: Tensor): Tensor => ({ dtype, dims, data: new Uint8Array(dims.reduce((product, size) => product * size, 1)) });

/** A backend that is handed every model in the newest form of its operators, to hold `toModernOpset` against the official answers. */
export const lifting = (backend: Backend): Backend => ({
  name: `${backend.name}, lifted`,
  info: () => backend.info(),
  compile: (model, options) => backend.compile(toModernOpset(model, ranksOf(model)), options),
});

/** The ranks that a file declares. */
function ranksOf(model: Model): (value: string) => number | undefined {
  const { input, output, valueInfo } = graphOf(model);
  const ranks = new Map([...valueInfo, ...output, ...input].map(({ name, type }) => [name, type?.value.case === 'tensorType' ? type.value.value.shape?.dim.length : undefined]));
  return (value) => ranks.get(value);
}
