import { checkInputs, type Backend, type CompileOptions, type Executable, type ExpectedInput, type NamedTensors } from '@coppice/core';
import { CoppiceError, graphOf, inlineFunctions, lowerComposites, lowerLayouts, opsetOf, sortNodes, toModernForm, type Model } from '@coppice/graph';
import { Device } from './adapter.ts';
import { bestEngine, EngineFault, loadEngine, missingEngine, type EngineName, type Loaded } from './engines.ts';
import { expectedInputs, faultOf } from './inputs.ts';
import { planGraph, type Planning, type Refusal } from './plan.ts';
import { runSchedule } from './run.ts';
import { schedule } from './schedule.ts';
import { newFrame, type Plan, type Schedule } from './step.ts';
import { hostOf, tensorOf } from './tensors.ts';
import { inTurn } from './turns.ts';
import { Value, type Host } from './value.ts';

/** What `tfjsBackend` takes. */
export interface TfjsOptions {
  /** The engine of TensorFlow.js. Default: the best that is there, in the order of `engineNames`. */
  readonly engine?: EngineName;
  /** In a browser: address of the folder with the .wasm files of @tensorflow/tfjs-backend-wasm, ending in `/`. Default: beside the script. */
  readonly wasmFiles?: string;
  /**
   * Floats with up to so many elements are computed in JavaScript where all operands are there. Default 64; 0 leaves every float to the engine, for
   * tests.
   */
  readonly fewOnHost?: number;
}

/**
 * TensorFlow.js as a backend: an interpreter of ONNX graphs over its kernels. Integers and everything derived from shapes are computed
 * exactly in JavaScript, floats in float32 on the engine.
 */
export function tfjsBackend({ engine, wasmFiles, fewOnHost }: TfjsOptions = {}): Backend {
  let chosen = engine;
  const load = async (): Promise<Loaded> => {
    try {
      chosen ??= await bestEngine(wasmFiles);
      const loaded = await loadEngine(chosen, wasmFiles);
      return fewOnHost === undefined ? loaded : { ...loaded, device: new Device(loaded.device.tf, loaded.device.engine, fewOnHost) };
    } catch (error) {
      throw error instanceof EngineFault ? missingEngine(chosen ?? 'cpu', error) : error;
    }
  };
  return {
    get name() { return chosen ? `tfjs:${chosen}` : 'tfjs'; },
    info: async () => (await load()).info,
    async compile(model: Model, _options?: CompileOptions): Promise<Executable> {
      const loaded = await load();
      return inTurn(() => compileOn(`tfjs:${chosen!}`, loaded, model));
    },
  };
}

/** Runs an interpreter to its end, fetching the values that it asks for. */
async function drive<T>(steps: Generator<Value, T>, device: Device): Promise<T> {
  let state = steps.next();
  while (!state.done) {
    const value = state.value;
    const tensor = value.plain(device);
    value.data = device.engine.readsAtOnce ? device.download(tensor, value.dtype) : await device.downloadLater(tensor, value.dtype);
    state = steps.next();
  }
  return state.value;
}

/** Plans a model for an engine that runs. Errors as `Backend.compile`. */
export async function compileOn(name: string, { device, lost }: Loaded, model: Model): Promise<Executable> {
  await device.use();
  const ready = lowerComposites(lowerLayouts(toModernForm(sortNodes(inlineFunctions(model)))));
  const planning: Planning = { model: ready, opset: opsetOf(ready.proto), device, refusals: [], constants: [], memories: [] };
  const inputs = expectedInputs(ready);
  try {
    const plan = await drive(planGraph(graphOf(ready), planning), device);
    if (planning.refusals.length > 0) throw refusal(name, planning.refusals);
    freeUnused(plan, planning);
    return new TfjsExecutable(name, device, lost, plan, planning, inputs);
  } catch (error) {
    for (const value of planning.constants) value.free();
    throw error instanceof CoppiceError ? error : new CoppiceError('COPPICE_BACKEND_REFUSED', `${name} does not take the model: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Frees constants on the device that only served to compute others. */
function freeUnused(plan: Plan, { constants }: Planning): void {
  const used = new Set<Value>();
  const visit = ({ steps, outputs, template }: Plan): void => {
    const note = (place: number): void => { if (place >= 0 && template[place]) used.add(template[place]); };
    outputs.forEach(note);
    for (const step of steps) {
      step.inputs.forEach(note);
      Object.values(step.bodies).forEach(visit);
    }
  };
  visit(plan);
  for (const value of constants) if (!used.has(value)) value.free();
}

/** Names at most this many nodes of one operator. */
const SHOWN = 3;

/** One error for all nodes that are not computed, an operator a sentence. */
function refusal(name: string, refusals: readonly Refusal[]): CoppiceError {
  const groups = new Map<string, Refusal[]>();
  for (const one of refusals) {
    const key = `${one.op} ${one.because}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const lines = [...groups.values()].map((group) => {
    const labels = group.slice(0, SHOWN).map(({ label }) => label).join(', ');
    return `${group[0].op}: ${group[0].because} (${labels}${group.length > SHOWN ? ` and ${group.length - SHOWN} more` : ''})`;
  });
  return new CoppiceError('COPPICE_BACKEND_REFUSED', `${name} does not compute all operators of this model. ${lines.join('; ')}. Use onnx:wasm or onnx:native for it.`);
}

/** A planned graph. */
class TfjsExecutable implements Executable {
  readonly #name: string;
  readonly #device: Device;
  readonly #lost: Loaded['lost'];
  readonly #plan: Plan;
  readonly #planning: Planning;
  readonly #inputs: readonly ExpectedInput[];
  readonly #schedules = new Map<string, Schedule>();
  #disposed = false;

  constructor(name: string, device: Device, lost: Loaded['lost'], plan: Plan, planning: Planning, inputs: readonly ExpectedInput[]) {
    this.#name = name;
    this.#device = device;
    this.#lost = lost;
    this.#plan = plan;
    this.#planning = planning;
    this.#inputs = inputs;
  }

  async run(inputs: NamedTensors, outputs: readonly string[] = this.#plan.outputNames): Promise<NamedTensors> {
    if (this.#disposed) throw new CoppiceError('COPPICE_BACKEND_RUN', `${this.#name}: this executable was disposed. Compile the model again.`);
    checkInputs(this.#inputs, inputs, { faultOf });
    const unknown = outputs.find((output) => !this.#plan.outputNames.includes(output));
    if (unknown !== undefined) throw new CoppiceError('COPPICE_INPUT_MISMATCH', `The model has no output '${unknown}'. Its outputs are ${this.#plan.outputNames.join(', ')}; to see an intermediate value, make it an output first.`);
    if (outputs.length === 0) return {};
    return inTurn(() => this.#run(inputs, outputs));
  }

  async #run(inputs: NamedTensors, outputs: readonly string[]): Promise<NamedTensors> {
    const device = this.#device;
    try {
      const gone = this.#lost();
      if (gone !== undefined) throw new Error(gone);
      await device.use();
      device.record();
      const frame = newFrame(this.#plan);
      const { read } = this.#scheduleOf(outputs);
      this.#plan.inputs.forEach((place, k) => {
        if (place !== undefined && read.has(place)) frame[place] = Value.host(hostOf(inputs[graphOf(this.#planning.model).input[k].name]));
      });
      const values = await drive(runSchedule(this.#scheduleOf(outputs), frame, device), device);
      try {
        return await drive(results(outputs, values), device);
      } finally {
        for (const value of values) value.release();
      }
    } catch (error) {
      this.#sweep();
      throw this.#failure(error);
    } finally {
      device.recorded();
    }
  }

  /** Frees what a kernel that failed had made so far. */
  #sweep(): void {
    const kept = new Set([...this.#planning.constants, ...this.#planning.memories.flatMap((memory) => [...memory.values()])].flatMap(({ tensors }) => tensors));
    for (const tensor of this.#device.recorded()) if (!kept.has(tensor)) this.#device.dispose(tensor);
  }

  #scheduleOf(outputs: readonly string[]): Schedule {
    const { outputNames, outputs: places, steps, template, captures, schedule: all } = this.#plan;
    if (outputs.length === outputNames.length && outputs.every((name, k) => name === outputNames[k])) return all;
    const key = JSON.stringify(outputs);
    let found = this.#schedules.get(key);
    if (!found) {
      found = schedule(steps, outputs.map((name) => places[outputNames.indexOf(name)]), template, captures);
      this.#schedules.set(key, found);
    }
    return found;
  }

  #failure(error: unknown): CoppiceError {
    const gone = this.#lost(error instanceof CoppiceError ? error.cause : error);
    if (gone !== undefined) {
      return new CoppiceError('COPPICE_BACKEND_RUN', `${this.#name} lost its device: ${gone}. What was saved before is intact: start again from the last checkpoint, in a new process, or with tfjs:wasm.`, { cause: error });
    }
    if (error instanceof CoppiceError) return error.code === 'COPPICE_BACKEND_RUN' ? new CoppiceError('COPPICE_BACKEND_RUN', `${this.#name}: ${error.message}`, { cause: error.cause ?? error }) : error;
    return new CoppiceError('COPPICE_BACKEND_RUN', `${this.#name} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await inTurn(async () => {
      await this.#device.use();
      for (const value of this.#planning.constants) value.free();
      for (const memory of this.#planning.memories) for (const value of memory.values()) value.free();
    });
  }
}

/** Outputs as tensors of the caller: an array that is also an input, a constant or another output is copied. */
function* results(names: readonly string[], values: readonly Value[]): Generator<Value, NamedTensors> {
  const found: Record<string, ReturnType<typeof tensorOf>> = {};
  for (const [k, value] of values.entries()) {
    const shared = value.data !== undefined;
    if (!shared) yield value;
    const tensor = tensorOf(value as Value & Host);
    found[names[k]] = { ...tensor, data: shared || values.indexOf(value) !== k ? tensor.data.slice() : tensor.data };
  }
  return found;
}
