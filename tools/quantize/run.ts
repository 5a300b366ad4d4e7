/**
 * Quantises every model of the given folders in every mode and writes a table: bytes, error of the outputs, latency, and what is refused and why.
 * Usage: node tools/quantize/run.ts [folder …] [--only PART] [--repeats N] [--out docs/results/quantize.md]
 * The part of the file from the line `<!-- by hand -->` on is kept as it is.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { traceModel, verificationInputs, type Backend, type NamedTensors } from '@coppice/core';
import { checkModel, CoppiceError, encodeModel, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { chooseQuantization, finishModel, interleavedTimes, outputError, outputsOf, quantize, toFloat16, type CalibrationOptions } from '@coppice/quantize';

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string', default: '' }, repeats: { type: 'string', default: '9' }, out: { type: 'string' } } });
const folders = positionals.length > 0 ? positionals : ['../shared/zoo', '../shared/models'];
const native = nativeBackend();
const wasm = wasmBackend();

/** One way of making a model smaller. */
interface Way {
  readonly name: string;
  readonly make: (model: Model, calibration: readonly NamedTensors[]) => Promise<Model>;
}

const runsOf = (inputs: readonly NamedTensors[]) => async function* () { yield* inputs; };
const staticWith = (calibration: CalibrationOptions): Way['make'] => async (model, inputs) => (await quantize(model, native, runsOf(inputs), { mode: 'int8-static', calibration })).model;

const ways: readonly Way[] = [
  { name: 'int8-static, min-max', make: staticWith({ method: 'min-max' }) },
  { name: 'int8-static, percentile', make: staticWith({ method: 'percentile', percentile: 99.99 }) },
  { name: 'int8-static, entropy', make: staticWith({ method: 'entropy' }) },
  ...(['int8-dynamic', 'weight-int8', 'weight-int4'] as const).map((mode): Way => ({ name: mode, make: async (model, inputs) => (await quantize(model, native, runsOf(inputs), { mode })).model })),
  { name: 'weight-int8 by DequantizeLinear', make: async (model, inputs) => (await quantize(model, native, runsOf(inputs), { mode: 'weight-int8', weightsAs: 'dequantize' })).model },
  { name: 'auto, on onnx:wasm', make: async (model, inputs) => (await chooseQuantization(model, wasm, runsOf(inputs), { errorRuns: 1, repeats: 5 })).model },
  { name: 'float16', make: async (model) => toFloat16(model) },
];

interface Row {
  readonly way: string;
  readonly bytes?: number;
  readonly error?: number;
  readonly wasm?: number;
  readonly native?: number;
  readonly refused?: string;
}

async function study(file: string): Promise<{ title: string; rows: Row[] }> {
  const original = readModel(file);
  const trace = await traceModel(original, native);
  const { model, steps } = await finishModel(original, native);
  const seen = verificationInputs(trace, ['a', 'b', 'c']);
  // Errors are measured on inputs that calibration did not see.
  const fresh = await acceptable(model, verificationInputs(trace, ['held out']));
  const calibration = await acceptable(model, seen);
  const expected = await outputsOf(model, native, fresh);
  const bytes = encodeModel(model).byteLength;
  const made: { way: string; model: Model }[] = [];
  const rows: Row[] = [];
  for (const way of ways) {
    try {
      const small = await way.make(model, calibration);
      checkModel(small);
      rows.push({ way: way.name, bytes: encodeModel(small).byteLength / bytes, error: outputError(await outputsOf(small, native, fresh), expected) });
      made.push({ way: way.name, model: small });
    } catch (error) {
      if (!(error instanceof CoppiceError)) throw error;
      rows.push({ way: way.name, refused: `${error.code}: ${error.message}` });
    }
  }
  const times = async (backend: Backend) => {
    const [first, second, ...others] = await interleavedTimes([model, model, ...made.map((m) => m.model)], fresh[0], backend, { repeats: Number(options.repeats), statistic: 'least' });
    return new Map(made.map(({ way }, k) => [way, others[k] === undefined ? undefined : others[k] / Math.min(first!, second!)]));
  };
  const [onWasm, onNative] = [await times(wasm), await times(native)];
  const finishing = steps.filter(({ changed, name }) => changed.length > 0 && name !== 'drop unread').map(({ name, changed }) => `${name} ${changed.length}`).join(', ');
  return {
    title: `${basename(file)}: ${(encodeModel(original).byteLength / 1e3).toFixed(0)} kB${finishing ? `, finished to ${(bytes / 1e3).toFixed(0)} kB (${finishing})` : ''}`,
    rows: rows.map((row) => ({ ...row, wasm: onWasm.get(row.way), native: onNative.get(row.way) })),
  };
}

/** Inputs that the model runs with. */
async function acceptable(model: Model, inputs: readonly NamedTensors[]): Promise<NamedTensors[]> {
  const good: NamedTensors[] = [];
  const executable = await native.compile(model);
  try {
    for (const input of inputs) if (await executable.run(input).then(() => true, () => false)) good.push(input);
  } finally {
    await executable.dispose();
  }
  return good;
}

const cell = (value: number | undefined, print: (x: number) => string): string => (value === undefined ? '–' : print(value));
const ratio = (x: number): string => x.toFixed(2);
const middle = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1];

const files = folders.flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.onnx')).sort().map((name) => join(folder, name))).filter((file) => file.includes(options.only));
const studies: { title: string; rows: Row[] }[] = [];

/** The table of what was studied so far. */
function writePage(path: string): void {
  const summary = ways.map(({ name }) => {
    const rows = studies.flatMap(({ rows }) => rows.filter((row) => row.way === name && row.refused === undefined));
    const of = (pick: (row: Row) => number | undefined) => rows.flatMap((row) => pick(row) ?? []);
    if (rows.length === 0) return `| ${name} | 0 | – | – | – | – |`;
    return `| ${name} | ${rows.length} of ${studies.length} | ${ratio(middle(of((r) => r.bytes)))} (${ratio(Math.min(...of((r) => r.bytes)))}) | ${(100 * middle(of((r) => r.error))).toFixed(2)} | ${ratio(middle(of((r) => r.wasm)))} | ${ratio(middle(of((r) => r.native)))} |`;
  });
  const page = `# Quantised

Every model of \`../shared/zoo\` and \`../shared/models\` in every mode. Bytes: of the file, over the finished float model's. Error: root mean square of the difference of the outputs over that of the
outputs, the worst output, on random inputs that calibration did not see (the zoo's weights are random too, so these are errors of arithmetic, not of recognition). Latency: least of ${options.repeats} runs on
one thread over that of float, all modes of a model in turn in one process.

\`\`\`sh
node tools/quantize/run.ts --out docs/results/quantize.md
\`\`\`

Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores shared with other work; onnxruntime-web and onnxruntime-node 1.30.

## Medians over the models

| mode | models | bytes (least) | error % | latency, onnx:wasm | latency, onnx:native |
|---|---|---|---|---|---|
${summary.join('\n')}

## Each model

| model | mode | bytes | error % | onnx:wasm | onnx:native |
|---|---|---|---|---|---|
${studies.map(({ title, rows }) => [`| **${title}** | | | | | |`, ...rows.map((row) => (row.refused === undefined
    ? `| | ${row.way} | ${cell(row.bytes, ratio)} | ${cell(row.error, (x) => (100 * x).toFixed(2))} | ${cell(row.wasm, ratio)} | ${cell(row.native, ratio)} |`
    : `| | ${row.way} | refused: ${row.refused.replaceAll('|', '/')} | | | |`))].join('\n')).join('\n')}
`;
  const marker = '<!-- by hand -->';
  const kept = existsSync(path) ? readFileSync(path, 'utf8').split(marker)[1] : undefined;
  writeFileSync(path, kept === undefined ? page : `${page}\n${marker}${kept}`);
}

for (const file of files) {
  try {
    studies.push(await study(file));
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw new Error(file, { cause: error });
    studies.push({ title: `${basename(file)}: refused, ${error.message}`, rows: [] });
  }
  const last = studies.at(-1)!;
  console.log(last.title);
  for (const row of last.rows) console.log(`  ${row.way.padEnd(32)} ${row.refused ?? `${ratio(row.bytes!)} bytes, error ${(100 * row.error!).toFixed(2)} %, wasm ${cell(row.wasm, ratio)}, native ${cell(row.native, ratio)}`}`);
  if (options.out !== undefined) writePage(options.out);
}
