import type { Value } from '../emit.ts';
import { NoGradient, type Call, type Cotangents, type Gradients } from '../vjp.ts';

/** Labels of one operand or of the result, one an axis. */
type Labels = readonly string[];

/**
 * y = Σ Π xᵢ over the labels that the result lacks. dxᵢ is the Einsum of dy and all other operands whose result has the labels of xᵢ;
 * along labels that none of them has, and along which xᵢ is therefore summed alone, it is constant; along labels where xᵢ has size one and
 * was broadcast, it is a sum. An ellipsis is written out in letters. Spec: Einsum-12.
 */
export function einsum({ inputs: { Inputs }, attributes: { equation }, dY, emit }: Call<'Einsum'> & Cotangents<'Einsum'>): Gradients<'Einsum'> {
  const { operands, result } = readEquation(equation, Inputs.map(({ shape }) => shape.length));
  return { Inputs: Inputs.map((x, k) => () => {
    const others = Inputs.flatMap((other, j) => (j === k ? [] : [{ value: other as Value, shape: other.shape, labels: operands[j] }]));
    const stretched = (label: string, axis: number) => x.shape[axis] === 1 && others.some(({ labels, shape }) => labels.some((l, a) => l === label && shape[a] !== 1));
    const alone = (label: string, axis: number) => x.shape[axis] !== 1 && !result.includes(label) && others.every(({ labels, shape }) => labels.every((l, a) => l !== label || shape[a] === 1));
    const reached = (label: string) => result.includes(label) || others.some(({ labels }) => labels.includes(label));
    const kept = operands[k].filter((label, axis) => reached(label) && !stretched(label, axis));
    const absentAxes = operands[k].flatMap((label, axis) => (kept.includes(label) ? [] : [axis]));
    const terms = [result, ...others.map(({ labels }) => labels)].map((labels) => labels.join(''));
    const product = emit.op('Einsum', [dY, ...others.map(({ value }) => value)], { equation: `${terms.join(',')}->${kept.join('')}` });
    const spread = emit.unsqueeze(product, absentAxes);
    return operands[k].some(alone) ? emit.expand(spread, emit.sizes(x)) : spread;
  }) };
}

/** An equation without an ellipsis, the result written out. */
function readEquation(equation: string, ranks: readonly number[]): { readonly operands: readonly Labels[]; readonly result: Labels } {
  const [left, right] = equation.replace(/\s+/g, '').replaceAll('...', '…').split('->');
  const terms = left.split(',');
  const free = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter((letter) => !equation.includes(letter));
  const lead = Math.max(0, ...terms.map((term, k) => (term.includes('…') ? ranks[k] - term.length + 1 : 0)));
  if (lead > free.length) throw new NoGradient('its equation leaves no letters for the axes of the ellipsis');
  const axes = free.slice(0, lead);
  const labels = (term: string, own: number): string[] => [...term].flatMap((label) => (label === '…' ? axes.slice(lead - own) : [label]));
  const operands = terms.map((term, k) => labels(term, ranks[k] - term.length + 1));
  if (operands.some((list) => new Set(list).size < list.length)) throw new NoGradient('an operand of its equation repeats a label, which takes a diagonal');
  const all = terms.join('');
  const once = [...new Set(all)].filter((label) => label !== '…' && all.indexOf(label) === all.lastIndexOf(label)).sort();
  return { operands, result: right === undefined ? [...axes, ...once] : labels(right, lead) };
}

