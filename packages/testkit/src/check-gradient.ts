import { differentiate, gradients, type Call, type Cotangents, type EmittedAttributes, type Forward, type Known, type KnownSize, type Row, type RuleWithForward, type Value } from '@coppice/autodiff';
import { createRandom, gradientName, type Backend, type Loss, type NamedTensors, type Random, type Trace } from '@coppice/core';
import { float, makeInitializer, makeModel, makeNode, makeValueInfo, operators, type AttributeInput, type AttributeSchema, type Constant, type Model, type OperatorName, type Tensor, type TensorProto } from '@coppice/graph';
import { compute, completed, EagerEmit } from './eager.ts';
import { array, build, count, indices, offset, uniform, type Array64 } from './eager/array64.ts';
import { givenTrace } from './given.ts';

type Operands = readonly (Array64 | undefined)[];

/** One operator with operands, of which the gradient is to be right. */
export interface GradientCase {
  readonly op: OperatorName;
  /** In the order of the specification; undefined leaves an optional one out. Floats such that a float32 holds them, away from kinks by 0.005. */
  readonly inputs: Operands;
  /** The same operands at other sizes: axes that differ are open in the graph, and the rule does not know their sizes. */
  readonly again?: Operands;
  readonly attributes?: EmittedAttributes;
  /** Places of the operands whose gradient is checked; default: all floats. */
  readonly wrt?: readonly number[];
  /** Places of operands that are fed. The others that are not in `wrt` are stated by the file, if they are the same in both runs. */
  readonly fed?: readonly number[];
  /** Places of the results that the loss reads; default: the first. */
  readonly reads?: readonly number[];
  /** How many results the node has; default: as many as are read. An empty place cannot be left. */
  readonly results?: number;
  readonly training?: boolean;
  /** What the operator computes, where that is not what the eager table says: in training. */
  readonly forward?: (inputs: Operands) => readonly Array64[];
  /** Default 21, or the opset that brought the operator. */
  readonly opset?: number;
}

/**
 * Checks the gradient rule of an operator four ways, for the loss Σ r·y of random r: the rule in float64 against finite differences of the
 * operator in float64 (10⁻⁶ of the largest derivative); a forward that the rule brings, against the operator; with a backend, the operator in float64 against
 * the runtime's (10⁻⁴); and the graph that `differentiate` writes, run at the sizes of `inputs` and of `again`, against the rule in float64 (10⁻³).
 * @throws Error that names the first difference
 */
export async function checkGradient(given: GradientCase, backend?: Backend): Promise<void> {
  const setting = settingOf(given);
  const random = createRandom(`${given.op}/${setting.runs.map((inputs) => inputs.map((input) => input?.shape.join('x')).join()).join('/')}`);
  const evaluated = setting.runs.map((inputs) => evaluate(setting, inputs, random));
  if (!backend) return;
  const row = gradients[given.op] as Row<OperatorName>;
  if ('forward' in row && !given.forward) await checkForward(setting, evaluated, backend);
  await checkGraph(setting, evaluated, random, backend);
}

/** A case with everything that it leaves open filled in. */
interface Setting {
  readonly op: OperatorName;
  readonly attributes: EmittedAttributes;
  readonly runs: readonly Operands[];
  /** What the rule knows of each operand. */
  readonly known: readonly (readonly KnownSize[] | undefined)[];
  /** What the rule knows of each result. */
  readonly knownResults: readonly (readonly KnownSize[])[];
  readonly wrt: readonly number[];
  readonly constants: readonly number[];
  readonly reads: readonly number[];
  readonly results: number;
  readonly training: boolean;
  readonly opset: number;
  readonly forward: (inputs: Operands) => readonly Array64[];
}

function settingOf({ op, inputs, again, attributes = {}, wrt, fed = [], reads = [0], results = Math.max(...reads) + 1, training = false, forward, opset }: GradientCase): Setting {
  const differentiated = wrt ?? inputs.flatMap((input, k) => (input?.type === 'float' ? [k] : []));
  const constants = inputs.flatMap((input, k) => (input && !differentiated.includes(k) && !fed.includes(k) && (!again || same(input, again[k])) ? [k] : []));
  const runs = again ? [inputs, again] : [inputs];
  const run = forward ?? ((operands: Operands) => compute(op, operands, attributes, results));
  const made = runs.map(run);
  return {
    op, attributes, results, training, reads, constants, runs,
    known: inputs.map((input, k) => input && inBoth(runs.map((operands) => operands[k]!))),
    knownResults: Array.from({ length: results }, (_, k) => inBoth(made.map((outputs) => outputs[k]))),
    wrt: differentiated,
    opset: opset ?? Math.max(21, operators[op].since[0]),
    forward: run,
  };
}

/** The sizes that a tensor has in all runs. */
const inBoth = (runs: readonly Array64[]): KnownSize[] => runs[0].shape.map((size, axis) => (runs.every(({ shape }) => shape[axis] === size) ? size : undefined));

const same = (a: Array64, b: Array64 | undefined): boolean => b !== undefined && a.shape.join() === b.shape.join() && a.data.join() === b.data.join();

/** One run: what the operator makes, what flows back into its results, and the gradients of the operands by place. */
interface Evaluated {
  readonly inputs: Operands;
  readonly outputs: readonly Array64[];
  readonly cotangents: readonly (Array64 | undefined)[];
  readonly gradients: ReadonlyMap<number, Array64>;
}

/** The gradients of a run by the rule, compared with finite differences. */
function evaluate(setting: Setting, inputs: Operands, random: Random): Evaluated {
  const outputs = setting.forward(inputs);
  const cotangents = outputs.map(({ shape }, k) => (setting.reads.includes(k) ? uniform(random, shape) : undefined));
  const found = applyRule(setting, inputs, outputs, cotangents);
  const loss = (operands: Operands): number => setting.forward(operands).reduce((sum, { data }, k) => sum + (cotangents[k] ? dot(cotangents[k].data, data) : 0), 0);
  for (const place of setting.wrt) {
    const input = inputs[place]!;
    const gradient = found.get(place) ?? build(input.shape, () => 0);
    found.set(place, gradient);
    const label = `${setting.op}: the gradient of operand ${place} (${described(setting, inputs)})`;
    if (gradient.shape.join() !== input.shape.join()) throw new Error(`${label} has the shape [${gradient.shape.join(', ')}]`);
    const scale = Math.max(1e-3, ...gradient.data.map(Math.abs));
    for (const direction of directions(input, random)) {
      const moved = (step: number): number => loss(inputs.with(place, array(input.shape, input.data.map((x, k) => x + step * direction[k]))));
      const expected = slope(moved);
      const actual = dot(gradient.data, direction);
      if (!(Math.abs(expected - actual) <= 1e-6 * scale * Math.max(1, Math.hypot(...direction)))) {
        const where = direction.length > 1 && dot(direction, direction) === 1 ? ` at [${indexOf(input.shape, direction.indexOf(1)).join(', ')}]` : '';
        throw new Error(`${label} is ${actual}${where}, finite differences say ${expected}`);
      }
    }
  }
  return { inputs, outputs, cotangents, gradients: found };
}

/** At most so many elements are moved one by one; a random direction covers all at once. */
const mostElements = 16;

function* directions({ data }: Array64, random: Random): Generator<Float64Array> {
  const elements = random.shuffle(Array.from(data.keys())).slice(0, mostElements);
  for (const k of elements) yield Float64Array.from(data, (_, j) => (j === k ? 1 : 0));
  if (data.length > mostElements) yield Float64Array.from(data, () => 2 * random.uniform() - 1);
}

/** The derivative at 0: central differences of fourth order. Abramowitz & Stegun 25.3.6. */
function slope(f: (x: number) => number): number {
  const h = 1e-3;
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

/** Runs a rule in float64, as the walker of `differentiate` would. */
function applyRule({ op, attributes, known, knownResults, wrt, constants, training }: Setting, inputs: Operands, outputs: readonly Array64[], cotangents: readonly (Array64 | undefined)[]): Map<number, Array64> {
  const row = gradients[op] as Row<OperatorName> | undefined;
  if (!row || 'absent' in row) throw new Error(`${op} has no gradient rule${row ? `: ${row.absent}` : ''}`);
  const emit = new EagerEmit();
  const schema: { readonly inputs: readonly string[]; readonly outputs: readonly string[] } = operators[op];
  const operands = inputs.map((input, k) => input && emit.hold(input, known[k]));
  const made = knownResults.map((shape, k) => emit.hold(outputs[k], shape));
  const wanted = new Set(wrt.map((k) => nameOf(schema.inputs, k)[0]));
  const call = {
    op, attributes: completed(op, attributes), legacy: {}, training, emit,
    inputs: byName(schema.inputs, operands), outputs: byName(schema.outputs, made),
    constants: Object.fromEntries(constants.map((k) => [nameOf(schema.inputs, k)[0], Array.from(inputs[k]!.data)])),
    wants: (input: string) => wanted.has(input),
  } as unknown as Call<OperatorName>;
  const forward = 'forward' in row ? (row as RuleWithForward<OperatorName>).forward(call) : undefined;
  if (forward) compareForward(op, emit, schema.outputs, forward, outputs);
  const flowing = cotangents.flatMap((cotangent, k) => (cotangent ? [[keyOf(schema.outputs, k), emit.hold(cotangent)] as const] : []));
  const first = keyOf(schema.outputs, 0);
  const dY = flowing.find(([name]) => name === first)?.[1] ?? emit.zerosLike(made[0]);
  const full = { ...call, dY, gradients: Object.fromEntries(flowing), saved: forward?.saved } as unknown as Call<OperatorName> & Cotangents<OperatorName> & { saved: unknown };
  const thunks = (typeof row === 'function' ? row(full) : (row as RuleWithForward<OperatorName>).backward(full)) as Readonly<Record<string, (() => Value) | readonly ((() => Value) | undefined)[] | undefined>>;
  return new Map(wrt.flatMap((k) => {
    const [name, place] = nameOf(schema.inputs, k);
    const entry = thunks[name];
    const thunk = typeof entry === 'function' ? entry : entry?.[place];
    return thunk ? [[k, emit.read(thunk())] as const] : [];
  }));
}

/** What a rule computes in place of the operator is what the operator computes. */
function compareForward(op: OperatorName, emit: EagerEmit, names: readonly string[], forward: Forward<OperatorName, unknown>, outputs: readonly Array64[]): void {
  for (const [k, expected] of outputs.entries()) {
    const value = (forward.outputs as Readonly<Record<string, Value | undefined>>)[keyOf(names, k)];
    if (value) compare(`${op}: result ${k} of the forward that the rule brings`, emit.read(value), expected, 1e-9);
  }
}

function compare(what: string, actual: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }, expected: Array64, tolerance: number): void {
  if (actual.shape.join() !== expected.shape.join()) throw new Error(`${what} has the shape [${actual.shape.join(', ')}] instead of [${expected.shape.join(', ')}]`);
  const scale = Math.max(1e-3, ...expected.data.filter(Number.isFinite).map(Math.abs));
  for (let k = 0; k < expected.data.length; k++) {
    const [a, b] = [actual.data[k], expected.data[k]];
    if (a !== b && !(Number.isNaN(a) && Number.isNaN(b)) && !(Math.abs(a - b) <= tolerance * scale)) throw new Error(`${what} at [${indexOf(expected.shape, k).join(', ')}] is ${a} instead of ${b}`);
  }
}

/** The plain node on the runtime against the operator in float64, where the differentiated graph replaces the node. */
async function checkForward(setting: Setting, evaluated: readonly Evaluated[], backend: Backend): Promise<void> {
  const executable = await backend.compile(nodeModel(setting), { optimise: 'none' });
  try {
    for (const run of evaluated) compareOutputs(setting, run, await executable.run(fedOf(setting, run, new Map())));
  } finally {
    await executable.dispose();
  }
}

/** The differentiated graph on the runtime against the rule in float64. Operand = fed value + mask · parameter, so that axes of operands may be open. */
async function checkGraph(setting: Setting, evaluated: readonly Evaluated[], random: Random, backend: Backend): Promise<void> {
  const model = nodeModel(setting);
  const parameters = setting.wrt.map((k) => `p${k}`);
  const { model: graph, gradients: named } = differentiate(traceOf(setting, model, evaluated), { loss: lossOf(setting), parameters, training: setting.training });
  const executable = await backend.compile(graph, { optimise: 'none' });
  try {
    for (const run of evaluated) {
      const masks = new Map(setting.wrt.map((k) => [k, uniform(random, run.inputs[k]!.shape)]));
      const results = await executable.run({ ...fedOf(setting, run, masks), ...Object.fromEntries(setting.reads.map((k) => [`r${k}`, tensorOf(run.cotangents[k]!)])) });
      compareOutputs(setting, run, results);
      for (const k of setting.wrt) {
        const gradient = run.gradients.get(k)!;
        const expected = overOpenAxes(setting.known[k]!, gradient, masks.get(k)!);
        const name = named.get(`p${k}`);
        if (name === undefined) {
          if (gradient.data.some((x) => x !== 0)) throw new Error(`${setting.op}: the graph has no gradient of operand ${k}`);
          continue;
        }
        const { dims, data } = results[name];
        compare(`${setting.op}: the gradient of operand ${k} on the runtime (${described(setting, run.inputs)})`, { shape: dims, data: data as Float32Array }, expected, 1e-3);
      }
    }
  } finally {
    await executable.dispose();
  }
}

function compareOutputs({ op, results }: Setting, { outputs, inputs }: Evaluated, found: NamedTensors): void {
  for (let k = 0; k < results; k++) {
    const { dims, data } = found[`y${k}`];
    const numbers = data instanceof BigInt64Array ? Array.from(data, Number) : (data as Float32Array);
    compare(`${op}: result ${k} on the runtime (${inputs.map((input) => input && `[${input.shape.join(', ')}]`).join(', ')})`, { shape: dims, data: numbers }, outputs[k], 1e-4);
  }
}

/** The operator with operands that are fed, stated, or moved by parameters; results `y0`, `y1`, … */
function nodeModel({ op, attributes, opset, runs: [inputs], wrt, known, constants, results, forward }: Setting): Model {
  const initializers: TensorProto[] = [];
  const fed = inputs.flatMap((input, k) => (input && !constants.includes(k) ? [k] : []));
  const dims = (k: number) => known[k]!.map((size, axis) => size ?? `d${k}_${axis}`);
  for (const k of constants) initializers.push(makeInitializer(`x${k}`, isInt32(op, k) ? 'int32' : dtypes[inputs[k]!.type], inputs[k]!.shape, plainValues(inputs[k]!)));
  for (const k of wrt) {
    const shape = known[k]!.map((size) => size ?? 1);
    initializers.push(makeInitializer(`p${k}`, 'float32', shape, new Float32Array(count(shape))));
  }
  const moving = wrt.flatMap((k) => [makeNode({ op: 'Mul', inputs: [`m${k}`, `p${k}`], outputs: [`t${k}`] }), makeNode({ op: 'Add', inputs: [`x${k}`, `t${k}`], outputs: [`z${k}`] })]);
  const made = forward(inputs);
  const node = makeNode({
    op, name: 'node', attributes: typedAttributes(op, attributes),
    inputs: inputs.slice(0, inputs.findLastIndex((input) => input !== undefined) + 1).map((input, k) => (!input ? '' : wrt.includes(k) ? `z${k}` : `x${k}`)), outputs: Array.from({ length: results }, (_, k) => `y${k}`),
  });
  return makeModel({ opset, graph: {
    inputs: [...fed.map((k) => makeValueInfo(`x${k}`, dtypes[inputs[k]!.type], dims(k))), ...wrt.map((k) => makeValueInfo(`m${k}`, 'float32', dims(k)))],
    outputs: Array.from({ length: results }, (_, k) => makeValueInfo(`y${k}`, dtypes[made[k].type])),
    nodes: [...moving, node], initializers,
  } });
}

/** The one operand of whole numbers that is not int64: the lengths of sequences of a recurrent layer. */
const isInt32 = (op: OperatorName, k: number): boolean => (operators[op].inputs as readonly string[])[k] === 'sequence_lens?';

/** Numbers of float attributes stay floats where they are whole. */
function typedAttributes(op: OperatorName, attributes: EmittedAttributes): Record<string, AttributeInput | undefined> {
  const forms: Readonly<Record<string, AttributeSchema>> = operators[op].attributes;
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => {
    const form = forms[name];
    const kind = typeof form === 'string' ? form : form[0];
    return [name, kind.startsWith('float') && (typeof value === 'number' || Array.isArray(value)) ? float(value as number | readonly number[]) : value];
  }));
}

/** The trace of the model without running it: all shapes are known. */
function traceOf({ wrt, known, constants, runs }: Setting, model: Model, evaluated: readonly Evaluated[]): Trace {
  const pair = <T>(of: (run: Evaluated) => T): readonly [T, T] => [of(evaluated[0]), of(evaluated.at(-1)!)];
  const shapes: Record<string, readonly [readonly number[], readonly number[]]> = {};
  for (const [k, input] of runs[0].entries()) if (input && !constants.includes(k)) shapes[`x${k}`] = pair(({ inputs }) => inputs[k]!.shape);
  for (const k of wrt) {
    for (const name of ['m', 't', 'z']) shapes[`${name}${k}`] = pair(({ inputs }) => inputs[k]!.shape);
    shapes[`p${k}`] = [known[k]!.map((size) => size ?? 1), known[k]!.map((size) => size ?? 1)];
  }
  evaluated[0].outputs.forEach((_, k) => { shapes[`y${k}`] = pair(({ outputs }) => outputs[k].shape); });
  const trace = givenTrace(model, shapes);
  const stated = trace.program.values.filter(({ name, tensor }) => tensor && constants.some((k) => name === `x${k}`));
  const contents = ({ name }: (typeof stated)[number]): Constant => {
    const { shape, type, data } = runs[0][Number(name.slice(1))]!;
    return { dtype: dtypes[type], dims: shape, values: Array.from(data) };
  };
  return { ...trace, constants: new Map(stated.map((value) => [value.id, contents(value)])) };
}

/** Σ r·y over the results that are read. */
function lossOf({ reads }: Setting): Loss {
  const terms = reads.flatMap((k) => [
    makeNode({ op: 'Mul', inputs: [`y${k}`, `r${k}`], outputs: [`yr${k}`] }),
    makeNode({ op: 'ReduceSum', inputs: [`yr${k}`], outputs: [`s${k}`], attributes: { keepdims: 0 } }),
    makeNode({ op: 'Identity', inputs: [`r${k}`], outputs: [gradientName(`y${k}`)] }),
  ]);
  const graph = makeModel({ opset: 21, graph: {
    inputs: reads.flatMap((k) => [makeValueInfo(`y${k}`, 'float32'), makeValueInfo(`r${k}`, 'float32')]),
    outputs: [makeValueInfo('loss', 'float32', []), ...reads.map((k) => makeValueInfo(gradientName(`y${k}`), 'float32'))],
    nodes: [...terms, makeNode({ op: 'Sum', inputs: reads.map((k) => `s${k}`), outputs: ['loss'] })],
  } });
  return { name: 'dot', reads: reads.map((k) => `y${k}`), labels: reads.map((k) => `r${k}`), graph };
}

/** What a run is fed; masks of ones where none are given, the parameters being zero. */
function fedOf({ constants, wrt }: Setting, { inputs }: Evaluated, masks: ReadonlyMap<number, Array64>): NamedTensors {
  const fed = inputs.flatMap((input, k) => (input && !constants.includes(k) ? [[`x${k}`, tensorOf(input)] as const] : []));
  return Object.fromEntries([...fed, ...wrt.map((k) => [`m${k}`, tensorOf(masks.get(k) ?? build(inputs[k]!.shape, () => 1))] as const)]);
}

const dtypes = { float: 'float32', int: 'int64', bool: 'bool' } as const;
const plainValues = ({ data }: Array64): number[] => Array.from(data);

function tensorOf({ shape, type, data }: Array64): Tensor {
  if (type === 'int') return { dtype: 'int64', dims: shape, data: BigInt64Array.from(data, BigInt) };
  return type === 'bool' ? { dtype: 'bool', dims: shape, data: Uint8Array.from(data) } : { dtype: 'float32', dims: shape, data: Float32Array.from(data) };
}

/** The gradient of the parameter: that of the operand times the mask, summed over the open axes. */
function overOpenAxes(known: readonly KnownSize[], gradient: Array64, mask: Array64): Array64 {
  const shape = known.map((size) => size ?? 1);
  const sums = new Float64Array(count(shape));
  let k = 0;
  for (const index of indices(gradient.shape)) sums[offset(shape, index.map((i, axis) => (known[axis] === undefined ? 0 : i)))] += gradient.data[k] * mask.data[k++];
  return array(shape, sums);
}

/** The name of the operand or result at a place, and its place among those of a variadic name. */
function nameOf(names: readonly string[], k: number): readonly [name: string, place: number, variadic: boolean] {
  const at = Math.min(k, names.length - 1);
  return [names[at].replace(/\?$|\.\.\.$/, ''), k - at, names[at].endsWith('...')];
}

/** How the walker names the gradient of a result. */
function keyOf(names: readonly string[], k: number): string {
  const [name, place, variadic] = nameOf(names, k);
  return variadic ? `${name}.${place}` : name;
}

function byName(names: readonly string[], values: readonly (Known | undefined)[]): Readonly<Record<string, unknown>> {
  const named: Record<string, unknown> = {};
  values.forEach((value, k) => {
    const [name, place, variadic] = nameOf(names, k);
    if (variadic) ((named[name] ??= []) as (Known | undefined)[])[place] = value;
    else named[name] = value;
  });
  return named;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, k) => sum + (x === 0 ? 0 : x * b[k]), 0);

function indexOf(shape: readonly number[], place: number): number[] {
  const index = shape.map(() => 0);
  for (let axis = shape.length - 1, rest = place; axis >= 0; axis--) {
    index[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}

const described = ({ attributes, known }: Setting, inputs: Operands): string =>
  `${inputs.map((input, k) => (input ? `[${input.shape.map((size, axis) => (known[k]![axis] === undefined ? `${size}?` : size)).join(', ')}]` : '–')).join(', ')}; ${JSON.stringify(attributes)}`;
