import { explain, notation, varies } from './node-view.ts';
import type { NodeView, Signature } from './signature.ts';

/** The size of one axis, or the number of elements below an axis, in every run that has elements at all. */
type Sizes = readonly number[];

const times = (a: Sizes, b: Sizes): number[] => a.map((n, run) => n * b[run]);
const over = (a: Sizes, b: Sizes): number[] => a.map((n, run) => n / b[run]);
const same = (a: Sizes, b: Sizes): boolean => a.every((n, run) => n === b[run]);
const divides = (a: Sizes, b: Sizes): boolean => a.every((n, run) => b[run] % n === 0);
const comparable = (a: Sizes, b: Sizes): boolean => divides(a, b) || divides(b, a);

/** An axis as an interval of strides: it runs over the digits from `inner` up to `outer`. */
interface Span { readonly axis: number; readonly inner: Sizes; readonly outer: Sizes }

/** One side of the node without the axes that are 1 in all runs, innermost first. */
function spansOf(shapes: readonly (readonly number[])[]): Span[] {
  const spans: Span[] = [];
  let inner: Sizes = shapes.map(() => 1);
  for (let axis = shapes[0].length - 1; axis >= 0; axis--) {
    const size = shapes.map((shape) => shape[axis]);
    if (size.every((n) => n === 1)) continue;
    const outer = times(inner, size);
    spans.push({ axis, inner, outer });
    inner = outer;
  }
  return spans;
}

/**
 * Row-major order is a mixed-radix number: an axis is an interval of its digits. Where the strides of both sides divide one another in every
 * run, the digits between two neighbouring strides are an atom that both sides share. Elsewhere an axis keeps digits of its own: a position.
 */
class Digits {
  readonly #inputs: readonly Span[];
  readonly #outputs: readonly Span[];
  /** Strides that all others divide or are multiples of, in ascending order. */
  readonly #shared: readonly Sizes[];
  readonly #strides: readonly Sizes[];

  constructor(inputs: readonly Span[], outputs: readonly Span[]) {
    this.#inputs = inputs;
    this.#outputs = outputs;
    const all = [...inputs, ...outputs].flatMap(({ inner, outer }) => [inner, outer]);
    this.#strides = all.filter((s, k) => all.findIndex((t) => same(s, t)) === k);
    this.#shared = this.#strides.filter((s) => this.#strides.every((t) => comparable(s, t))).sort((a, b) => (same(a, b) ? 0 : divides(a, b) ? -1 : 1));
  }

  /** The tokens of an axis, outermost first. */
  tokens(span: Span, side: 'input' | 'output'): string[] {
    const within = this.#shared.filter((s) => divides(span.inner, s) && divides(s, span.outer) && !same(s, span.inner) && !same(s, span.outer));
    const borders = [span.inner, ...within, span.outer];
    return borders.slice(1).map((outer, k) => this.#label(borders[k], outer, span, side)).toReversed();
  }

  #label(inner: Sizes, outer: Sizes, span: Span, side: 'input' | 'output'): string {
    const isShared = (s: Sizes) => this.#shared.some((t) => same(s, t));
    const torn = !isShared(inner) || !isShared(outer) || this.#strides.some((s) => !isShared(s) && divides(inner, s) && divides(s, outer));
    if (torn) return `${side === 'input' ? 'X' : 'Y'}${span.axis}_${this.#shared.findIndex((s) => same(s, inner)) + 1}`;
    const holds = (s: Span) => divides(s.inner, inner) && divides(outer, s.outer);
    const [from, to] = [this.#inputs.find(holds)!, this.#outputs.find(holds)!];
    const whole = (s: Span) => same(s.inner, inner) && same(s.outer, outer);
    const name = whole(from) ? `a${from.axis}` : whole(to) ? `b${to.axis}` : `f${this.#shared.findIndex((s) => same(s, inner))}`;
    const uneven = [from, to].some((s) => varies(over(s.outer, s.inner)));
    return uneven && !(whole(from) && whole(to)) ? name.toUpperCase() : name;
  }

  /** Sizes of the labels that are the same in all runs and share their axis with others, so that no shape states them alone. */
  sizes(): Record<string, number> {
    const sizes: Record<string, number> = {};
    for (const [side, spans] of [['input', this.#inputs], ['output', this.#outputs]] as const) {
      for (const span of spans) {
        const within = this.#shared.filter((s) => divides(span.inner, s) && divides(s, span.outer) && !same(s, span.inner) && !same(s, span.outer));
        const borders = [span.inner, ...within, span.outer];
        if (borders.length === 2) continue;
        borders.slice(1).forEach((outer, k) => {
          const size = over(outer, borders[k]);
          if (!varies(size)) sizes[this.#label(borders[k], outer, span, side)] = size[0];
        });
      }
    }
    return sizes;
  }
}

/**
 * Elements keep their row-major order and axes are cut anew. Shapes of all runs count: an axis of one that is wider in another run is an axis,
 * and sizes that agree by chance in one run do not agree in another.
 */
export function reshapeSignature(node: NodeView): Signature {
  const runs = node.runs.filter(({ outputs: [y] }) => y!.every((n) => n > 0));
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const entry = (rank: number, spans: readonly Span[], tokens: (span: Span) => string[]) =>
    Array.from({ length: rank }, (_, axis) => {
      const span = spans.find((s) => s.axis === axis);
      const axisTokens = span ? tokens(span) : ['1'];
      return axisTokens.length > 1 ? `(${axisTokens.join(' ')})` : axisTokens[0];
    }).join(' ');
  if (runs.length === 0) {
    const axes = notation(node, [x.map((_, a) => `X${a}`).join(' ')], [y.map((_, a) => `Y${a}`).join(' ')]);
    return { axes, because: explain(axes, { X: empty, Y: empty }) };
  }
  const inputs = spansOf(runs.map((run) => run.inputs[0]!));
  const outputs = spansOf(runs.map((run) => run.outputs[0]!));
  const digits = new Digits(inputs, outputs);
  const axes = notation(node, [entry(x.length, inputs, (s) => digits.tokens(s, 'input'))], [entry(y.length, outputs, (s) => digits.tokens(s, 'output'))]);
  return { axes, sizes: digits.sizes(), because: explain(axes, { X: torn, Y: torn, A: mixed, B: mixed, F: mixed }) };
}

const empty = 'the tensor is empty in every run, so nothing is known about this reshape';
const torn = 'the factors of the shapes before and after this reshape do not line up';
const mixed = 'this reshape merges it with an axis whose size differs between the runs';
