import { gradientName, type Loss, type Trace } from '@coppice/core';
import { CoppiceError, freshNames, graphOf, makeGraph, makeNode, makeValueInfo, toModernOpset, upgradeModel, valueNames, withFields, type Model, type OperatorName, type ValueInfoProto } from '@coppice/graph';
import { ancestors, dependents, readsOf } from './dependence.ts';
import type { Known, Value } from './emit.ts';
import { GraphEmit } from './graph-emit.ts';
import { callOf, type NodeCall } from './node-call.ts';
import { alive, spliceLoss, type Spliced } from './splice.ts';
import { NoGradient, type Call, type Cotangents, type Forward, type Row, type RuleWithForward } from './vjp.ts';

type AnyCall = Call<OperatorName>;
type AnyRule = RuleWithForward<OperatorName, unknown>;

/** What is wanted of `differentiate`. */
export interface DifferentiateRequest {
  readonly loss: Loss;
  /** Initializers of `trace.program.model`, float32, with respect to which the loss is differentiated. */
  readonly parameters: readonly string[];
  /** Batch norms use and update the statistics of the batch. Default false. */
  readonly training?: boolean;
}

/** A graph that computes a loss and its gradients. */
export interface Differentiated {
  /** Inputs: those of the model and the labels of the loss. Outputs: those of the model, `loss`, all gradients and all updates. */
  readonly model: Model;
  /** The output that is the loss. */
  readonly loss: string;
  /** The output that is the gradient, by parameter. Parameters on which the loss does not depend are missing. */
  readonly gradients: ReadonlyMap<string, string>;
  /** The output that is the new content, by initializer that training changes without a gradient (running statistics). */
  readonly updates: ReadonlyMap<string, string>;
}

/**
 * Reverse-mode differentiation of a traced model: an ordinary ONNX graph, opset 21, that computes a loss and its gradients with respect
 * to parameters (Griewank & Walther 2008, chapter 3). Sizes that differ between the two runs of the trace stay open.
 * @throws CoppiceError `COPPICE_GRADIENT_MISSING` names every operator on the way that has no gradient; `COPPICE_LOSS_INVALID` when the
 * loss does not fit the model; `COPPICE_MODEL_INVALID` for a parameter that is not a float32 initializer; `COPPICE_UNSUPPORTED_OPSET` for a
 * model that `upgradeModel` would change, and as `toModernOpset`
 */
export function differentiate(trace: Trace, request: DifferentiateRequest): Differentiated {
  const { loss, parameters } = request;
  const path = findPath(trace, request);
  const graph = graphOf(path.model);
  const fresh = freshNames(new Set([...valueNames(graph), ...loss.labels]));
  const emit = new GraphEmit(fresh);
  const { updates, saved } = emitForward(path, emit);
  const spliced = spliceLoss(loss, fresh);
  emit.nodes.push(...spliced.nodes);
  const seeds = loss.reads.map((output) => [output, { name: spliced.named.get(gradientName(output))! }] as const);
  const cotangents = emitBackward(path, emit, seeds, saved);

  const gradients = new Map<string, string>();
  for (const parameter of parameters) {
    emit.startNames(`gradient/${parameter}`);
    const gradient = cotangents.get(parameter);
    // A name of its own for each: parameters that are only added have the same gradient.
    if (gradient) gradients.set(parameter, emit.op('Identity', [gradient]).name);
  }
  const lossName = spliced.named.get('loss')!;
  const added = [...gradients.values(), ...updates.values()].map((name) => makeValueInfo(name, 'float32'));
  return { model: assemble(path.model, emit, spliced, [...graph.output, makeValueInfo(lossName, 'float32', []), ...added]), loss: lossName, gradients, updates };
}

/** A model and the nodes between parameters and the loss. */
interface Path {
  /** In the newest forms. */
  readonly model: Model;
  /** All nodes of the main graph, in order. */
  readonly calls: readonly NodeCall[];
  readonly onTheWay: ReadonlySet<NodeCall>;
  /** Ids of the values that depend on a parameter. */
  readonly wanted: ReadonlySet<number>;
  readonly training: boolean;
}

/** @throws CoppiceError as `differentiate`, before anything is emitted */
function findPath(trace: Trace, { loss, parameters, training = false }: DifferentiateRequest): Path {
  const model = modernise(trace);
  checkLoss(loss, model);
  const wanted = dependents(trace.program, parameters);
  const used = ancestors(trace.program, loss.reads);
  const calls = graphOf(model).node.map((node) => callOf(trace, model, node));
  const onTheWay = new Set(calls.filter(({ step }) => step && readsOf(trace.program, step).some((id) => wanted.has(id)) && step.outputs.some((id) => used.has(id) && wanted.has(id))));
  refuseMissing(onTheWay);
  return { model, calls, onTheWay, wanted, training };
}

/** The nodes of the model, those replaced whose rule computes them in its own way. */
function emitForward({ model, calls, onTheWay, wanted, training }: Path, emit: GraphEmit): { updates: Map<string, string>; saved: Map<NodeCall, unknown> } {
  const initializers = new Set(graphOf(model).initializer.map(({ name }) => name));
  const updates = new Map<string, string>();
  const saved = new Map<NodeCall, unknown>();
  for (const call of calls) {
    const row = onTheWay.has(call) ? call.row : undefined;
    emit.startNames(call.node.output[0]);
    const wants = (input: string) => call.operands.some((operand) => operand?.input === input && wanted.has(operand.id));
    const forward = row && 'forward' in row ? attempt(call, () => row.forward({ ...call.call, training, emit, wants } as AnyCall)) : undefined;
    if (!forward) {
      emit.nodes.push(call.node);
      continue;
    }
    saved.set(call, forward.saved);
    giveNames(emit, call, forward);
    for (const [input, value] of Object.entries(forward.updates ?? {})) {
      const { name } = call.operands.find((operand) => operand?.input === input)!;
      if (initializers.has(name)) updates.set(name, (value as Value).name);
    }
  }
  return { updates, saved };
}

/**
 * Walks from the loss to the parameters.
 * @param seeds what flows into outputs of the model
 * @returns what flows into each value that depends on a parameter, by name
 */
function emitBackward({ onTheWay, wanted, training }: Path, emit: GraphEmit, seeds: Iterable<readonly [string, Value]>, saved: ReadonlyMap<NodeCall, unknown>): Map<string, Value> {
  const flows = new Map<string, Value[]>();
  const flowInto = (name: string, value: Value) => (flows.get(name) ?? flows.set(name, []).get(name)!).push(value);
  const sumOf = (name: string): Value | undefined => {
    const list = flows.get(name);
    if (list && list.length > 1) list.splice(0, list.length, emit.op('Sum', list));
    return list?.[0];
  };
  for (const [output, value] of seeds) flowInto(output, value);
  for (const call of [...onTheWay].toReversed()) {
    emit.startNames(`gradient/${call.node.output[0]}`);
    const gradients = Object.fromEntries(call.results.flatMap(({ output, name }) => [[output, sumOf(name)] as const]).filter(([, value]) => value));
    if (Object.keys(gradients).length === 0) continue;
    const thunks = backwardOf(call, { training, emit, gradients, saved: saved.get(call) });
    for (const operand of call.operands) {
      if (!operand || !wanted.has(operand.id)) continue;
      const entry = thunks[operand.input];
      const thunk = typeof entry === 'function' ? entry : entry?.[operand.place];
      if (thunk) flowInto(operand.name, attempt(call, thunk));
    }
  }
  for (const name of flows.keys()) sumOf(name);
  return new Map([...flows].map(([name, [value]]) => [name, value]));
}

type Thunks = Readonly<Record<string, (() => Value) | readonly ((() => Value) | undefined)[] | undefined>>;

/** What the rule of a node says. */
function backwardOf(call: NodeCall, { gradients, emit, ...rest }: { readonly training: boolean; readonly emit: GraphEmit; readonly gradients: Readonly<Record<string, Value | undefined>>; readonly saved: unknown }): Thunks {
  const [{ output }] = call.results;
  const [first] = Object.values(call.call.outputs as unknown as Readonly<Record<string, Known | readonly Known[]>>).flat();
  const dY = gradients[output] ?? emit.zerosLike(first);
  const given = { ...call.call, ...rest, emit, dY, gradients, wants: () => true } as unknown as AnyCall & Cotangents<OperatorName> & { saved: unknown };
  const row = call.row as Exclude<Row<OperatorName>, { absent: string }>;
  return attempt(call, () => (typeof row === 'function' ? row(given) : (row as AnyRule).backward(given))) as unknown as Thunks;
}

/** The traced model in the newest forms. */
function modernise({ program, runs: [{ shapes }] }: Trace): Model {
  // An upgrade adds nodes whose results the trace does not know.
  if (upgradeModel(program.model) !== program.model) throw new CoppiceError('COPPICE_UNSUPPORTED_OPSET', 'The model is of an operator set before 7, which cannot be differentiated. Bring it to a newer one with upgradeModel, and trace that.');
  const ranks = new Map(program.values.map(({ id, name }) => [name, shapes[id]?.length]));
  return toModernOpset(program.model, (name) => ranks.get(name));
}

function checkLoss(loss: Loss, model: Model): void {
  const graph = graphOf(model);
  const refuse = (what: string) => new CoppiceError('COPPICE_LOSS_INVALID', `The loss '${loss.name}' does not fit: ${what}.`);
  const outputs = graph.output.map(({ name }) => name);
  const missing = loss.reads.filter((name) => !outputs.includes(name));
  if (missing.length > 0) throw refuse(`it reads ${missing.map((name) => `'${name}'`).join(', ')}, and the outputs of the model are ${outputs.join(', ')}`);
  const given = new Set(graphOf(loss.graph).output.map(({ name }) => name));
  const lacking = ['loss', ...loss.reads.map(gradientName)].filter((name) => !given.has(name));
  if (lacking.length > 0) throw refuse(`its graph lacks the output ${lacking.join(', ')}`);
  const inputs = new Set(graph.input.map(({ name }) => name));
  const taken = valueNames(graph);
  const clash = loss.labels.find((name) => taken.has(name) && !inputs.has(name));
  if (clash) throw refuse(`its label '${clash}' has the name of a value of the model. Rename that value`);
}

function refuseMissing(calls: Iterable<NodeCall>): void {
  const missing = [...calls].flatMap(({ node, row }) => (row && !('absent' in row) ? [] : [`${node.domain ? `${node.domain}.` : ''}${node.opType} '${node.name || node.output[0]}'${row && 'absent' in row ? ` (${row.absent})` : ''}`]));
  if (missing.length === 0) return;
  throw new CoppiceError('COPPICE_GRADIENT_MISSING', `No gradient goes through ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ` and ${missing.length - 5} more` : ''}. Freeze the parameters before it, or export the model without it.`);
}

/** Runs a rule; what it refuses is told with the name of the node. */
function attempt<T>({ node }: NodeCall, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof NoGradient) throw new CoppiceError('COPPICE_GRADIENT_MISSING', `${node.opType} '${node.name || node.output[0]}' has no gradient here: ${error.message}.`, { cause: error });
    throw error;
  }
}

/** Gives the results of a replaced node the names that the node had. */
function giveNames(emit: GraphEmit, { results }: NodeCall, { outputs }: Forward<OperatorName, unknown>): void {
  for (const { output, name } of results) {
    const value = (outputs as Readonly<Record<string, Value | undefined>>)[output];
    if (value) emit.nodes.push(makeNode({ op: 'Identity', inputs: [value.name], outputs: [name] }));
  }
}

/** The whole graph, without what nobody needs. */
function assemble(modern: Model, emit: GraphEmit, spliced: Spliced, outputs: readonly ValueInfoProto[]): Model {
  const graph = graphOf(modern);
  const there = new Set(graph.input.map(({ name }) => name));
  const inputs = [...graph.input, ...spliced.inputs.filter(({ name }) => !there.has(name))];
  const made = makeGraph({ name: graph.name, inputs, outputs, nodes: alive(emit.nodes, outputs), initializers: [...graph.initializer, ...emit.initializers, ...spliced.initializers] });
  return { ...modern, proto: withFields(modern.proto, { graph: made }) };
}

