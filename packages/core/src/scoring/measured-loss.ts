import { CoppiceError, graphOf, toFloat32 } from '@coppice/graph';
import type { Units } from '../analysis/units.ts';
import type { Backend, Executable, NamedTensors } from '../backend.ts';
import type { Loss } from '../loss.ts';
import { maskModel } from '../surgery/mask.ts';
import { maskableModel } from '../surgery/maskable.ts';
import { countOf, type ScoreOptions } from './options.ts';
import type { Scoring } from './session.ts';

/**
 * Measures how much the loss of each batch rises when one unit alone is masked: the model runs once for each unit and batch, and once
 * more for each batch. It is compiled once, its masks being inputs; the graph of the loss runs behind it on its outputs.
 * @throws CoppiceError `COPPICE_BACKEND_MISSING`, `COPPICE_LOSS_INVALID`, `COPPICE_LOSS_NOT_FINITE`, `COPPICE_INPUT_INVALID` when there
 * is no batch or a batch lacks labels, and what the backend throws
 */
export async function addLosses(units: Units, session: Scoring, options: ScoreOptions): Promise<void> {
  const { backend, loss, data } = checked(units, session, options);
  const { model, masks, literal } = maskableModel(units);
  if (literal.size > 0) options.onNote?.(`Scorer '${session.scorer.name}': ${literal.size} units of quantised recurrent layers need a session of their own for each batch, which is slow. Fold quantised weights to floating point first.`);
  const measure = await Measure.open(units, backend, loss);
  let executable: Executable | undefined;
  try {
    executable = await backend.compile(model);
    const count = units.units.length;
    const batches = countOf(data);
    let done = 0;
    for await (const batch of data) {
      const whole = await measure.of(executable, batch, masks([]), session.batches);
      for (const { id } of units.units) {
        const masked = literal.has(id) ? await measure.without(id, batch, session.batches) : await measure.of(executable, batch, masks([id]), session.batches, id);
        session.add({ unit: id, role: 'out', operator: '', operand: '', initializer: '', loss: masked - whole });
        options.onProgress?.({ stage: 'loss', done: ++done, total: batches === undefined ? undefined : batches * count });
      }
      await session.endBatch();
    }
  } finally {
    await executable?.dispose();
    await measure.close();
  }
  session.assertBatches('the loss');
}

function checked(units: Units, { scorer: { name } }: Scoring, { backend, loss, data }: ScoreOptions): Required<Pick<ScoreOptions, 'backend' | 'loss' | 'data'>> {
  if (!backend) throw new CoppiceError('COPPICE_BACKEND_MISSING', `The scorer '${name}' needs the loss, so the model must be run. Give a backend, or choose a scorer that needs only weights.`);
  if (!loss) throw new CoppiceError('COPPICE_LOSS_INVALID', `The scorer '${name}' needs a loss, and none was given. Give one, e.g. the CTC loss of @coppice/speech, or choose a scorer that needs weights or activations.`);
  if (!data) throw new CoppiceError('COPPICE_INPUT_INVALID', `The scorer '${name}' needs the loss, and no data were given. Give batches of inputs and of the labels ${loss.labels.map((label) => `'${label}'`).join(', ')}.`);
  const outputs = graphOf(units.analysed.program.model).output.map((output) => output.name);
  const missing = loss.reads.find((read) => !outputs.includes(read));
  if (missing !== undefined) throw new CoppiceError('COPPICE_LOSS_INVALID', `The loss '${loss.name}' reads the output '${missing}', and the model has ${outputs.map((output) => `'${output}'`).join(', ')}. Give it the name of an output.`);
  return { backend, loss, data };
}

/** The loss of outputs, and what it takes to get them. */
class Measure {
  readonly #units: Units;
  readonly #backend: Backend;
  readonly #loss: Loss;
  readonly #executable: Executable;
  readonly #inputs: readonly string[];

  private constructor(units: Units, backend: Backend, loss: Loss, executable: Executable) {
    this.#units = units;
    this.#backend = backend;
    this.#loss = loss;
    this.#executable = executable;
    const { program } = units.analysed;
    this.#inputs = program.inputs.map((id) => program.values[id].name);
  }

  static async open(units: Units, backend: Backend, loss: Loss): Promise<Measure> {
    return new Measure(units, backend, loss, await backend.compile(loss.graph));
  }

  close(): Promise<void> {
    return this.#executable.dispose();
  }

  /** The mean loss of a batch. */
  async of(model: Executable, batch: NamedTensors, masks: NamedTensors, number: number, unit?: number): Promise<number> {
    const { reads, labels, name } = this.#loss;
    const outputs = await model.run({ ...this.#pick(batch, this.#inputs, number), ...masks }, reads);
    const read = Object.fromEntries(reads.map((output) => [output, { dtype: 'float32', dims: outputs[output].dims, data: toFloat32(outputs[output]) } as const]));
    const results = await this.#executable.run({ ...read, ...this.#pick(batch, labels, number) }, ['loss']);
    const [value] = toFloat32(results.loss);
    if (Number.isFinite(value)) return value;
    const masked = unit === undefined ? '' : ` without unit ${unit}`;
    throw new CoppiceError('COPPICE_LOSS_NOT_FINITE', `The loss '${name}' of batch ${number} is ${value}${masked}. Look at its labels (a target may be longer than its frames), or leave the batch out.`);
  }

  /** The same without a unit that no mask input reaches. */
  async without(unit: number, batch: NamedTensors, number: number): Promise<number> {
    const executable = await this.#backend.compile(maskModel(this.#units, [unit]));
    try {
      return await this.of(executable, batch, {}, number, unit);
    } finally {
      await executable.dispose();
    }
  }

  #pick(batch: NamedTensors, names: readonly string[], number: number): NamedTensors {
    return Object.fromEntries(names.map((name) => {
      const tensor = batch[name];
      if (!tensor) throw new CoppiceError('COPPICE_INPUT_INVALID', `Batch ${number} has no '${name}', which the model or the loss '${this.#loss.name}' takes. It has ${Object.keys(batch).map((key) => `'${key}'`).join(', ') || 'nothing'}.`);
      return [name, tensor];
    }));
  }
}
