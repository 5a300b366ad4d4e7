import { graphOf, makeNode, makeValueInfo, valueNames, withFields, type Model, type NodeProto } from '@coppice/graph';
import { Emitter } from '../../features-in-graph/emitter.ts';
import { withMetadata } from '../../features-in-graph/surround.ts';
import type { Family } from './families.ts';

/**
 * sherpa-onnx gives texts, not numbers. So numbers are made to come out as text: a model that "recognises" a value of itself, digit by
 * digit. What it says is what this value was, inside that runtime, after that runtime's own features.
 */
export interface Probe {
  /** Name of the value, float32 of one clip. */
  readonly value: string;
  /** Which of its elements, in the order in which they are said. */
  readonly elements: readonly number[];
  /** Values beyond come out as these. */
  readonly low: number;
  readonly high: number;
  /** As long as the output is at least: what a family decodes whatever the output is. */
  readonly frames: number;
}

const base = 32;
const digits = 4;
const steps = base ** digits - 1;

/** `tokens.txt` of every probe: a digit at an even place, a digit at an odd one, so that no two neighbours are the same token. */
export const probeTokens = Array.from({ length: 2 * base + 1 }, (_, id) => `${id === 0 ? '<blk>' : `d${id}`} ${id}\n`).join('');

/** How many elements can be asked for at once. */
export const probeSize = ({ decodes }: Family, frames: number): number => (decodes === 'all' ? 12_000 : Math.floor(frames / digits));

/** Elements spread evenly over all there are. */
export function spread(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, k) => k);
  return Array.from({ length: most }, (_, k) => Math.floor((k * count) / most));
}

/** A model that says elements of one of its values instead of what it recognises; what is not needed for that is left out. */
export function probeModel(model: Model, family: Family, { value, elements, low, high, frames }: Probe): Model {
  const graph = graphOf(model);
  const emit = new Emitter(new Set([...valueNames(graph), 'said', 'said_lens']));
  const flat = emit.op('Reshape', [value, emit.ints(-1)]);
  const picked = emit.op('Gather', [flat, emit.ints(...elements)]);
  const clipped = emit.op('Clip', [picked, emit.float(low), emit.float(high)]);
  const unit = emit.op('Div', [emit.op('Sub', [clipped, emit.float(low)]), emit.float(high - low)]);
  const whole = emit.op('Cast', [emit.op('Round', [emit.op('Mul', [unit, emit.float(steps)])])], { to: 7 });
  const places = Array.from({ length: digits }, (_, k) => emit.op('Mod', [emit.op('Div', [whole, emit.ints(base ** (digits - 1 - k))]), emit.ints(base)]));
  const said = emit.op('Reshape', [emit.op('Concat', places.map((place) => emit.op('Unsqueeze', [place, emit.ints(1)])), { axis: 1 }), emit.ints(1, -1, 1)]);
  const offsets = emit.constant('int64', [1, digits * elements.length, 1], Array.from({ length: digits * elements.length }, (_, k) => 1 + base * (k % 2)));
  const ids = emit.op('Add', [said, offsets]);
  const tokens = 2 * base + 1;
  const certain = emit.op('Cast', [emit.op('Equal', [ids, emit.constant('int64', [1, 1, tokens], Array.from({ length: tokens }, (_, k) => k))])], { to: 1 });
  // Frames of zeros are blanks: the first of equals is the likeliest.
  emit.as('said', emit.op('Pad', [certain, emit.ints(0, 0, 0, 0, Math.max(0, frames - digits * elements.length), 0)]), 'probe.said');
  const lens = makeNode({ op: 'Identity', name: 'probe.lens', inputs: [emit.ints(digits * elements.length)], outputs: ['said_lens'] });
  const nodes: NodeProto[] = [...neededFor(graph.node, value), ...emit.nodes, ...(family.outputLengths ? [lens] : [])];
  const outputs = [makeValueInfo('said', 'float32', [1, 'T_out', tokens]), ...(family.outputLengths ? [makeValueInfo('said_lens', 'int64', [1])] : [])];
  const read = new Set(nodes.flatMap(({ input }) => input));
  const kept = graph.initializer.filter(({ name }) => read.has(name) || nodes.some(({ attribute }) => attribute.some(({ g }) => g !== undefined)));
  const probing = { ...model, proto: withFields(model.proto, { graph: withFields(graph, { node: nodes, output: outputs, initializer: [...kept, ...emit.initializers], valueInfo: [] }) }) };
  return withMetadata(probing, { vocab_size: String(tokens) });
}

/** The nodes up to a value, in their order. Bodies of loops may read anything, so what they read is kept with all before them. */
function neededFor(nodes: readonly NodeProto[], value: string): NodeProto[] {
  const wanted = new Set([value]);
  const kept: NodeProto[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.output.some((name) => wanted.has(name))) continue;
    kept.push(node);
    for (const name of node.input) wanted.add(name);
    if (node.attribute.some(({ g }) => g !== undefined)) return [...nodes.slice(0, nodes.indexOf(node)), ...kept.toReversed()];
  }
  return kept.toReversed();
}

/** The values that were said; undefined where what came out are no digits. */
export function readProbe(said: readonly string[], { elements, low, high }: Probe): Float64Array | undefined {
  if (said.length !== digits * elements.length) return undefined;
  const values = new Float64Array(elements.length);
  for (let k = 0; k < elements.length; k++) {
    let whole = 0;
    for (let place = 0; place < digits; place++) {
      const id = /^d(\d+)$/.exec(said[digits * k + place])?.[1];
      if (id === undefined) return undefined;
      whole = whole * base + ((Number(id) - 1) % base);
    }
    values[k] = low + (whole / steps) * (high - low);
  }
  return values;
}
