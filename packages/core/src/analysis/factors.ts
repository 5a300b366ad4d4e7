import type { Elements, Merge } from './elements.ts';

/** Which factor of a merged axis carries the units when nothing else decides. */
export type FactorPolicy = 'heads' | 'head-dim';

/**
 * Decides for every merged axis (a product of labels, as Reshape makes them) which factor carries its units; the others are frozen.
 * Decisions that are forced come first and may force others; only when none is left is one chosen by policy.
 */
export function resolveFactors(elements: Elements, policy: FactorPolicy): void {
  const headLike = findHeadLike(elements);
  let open = elements.merges;
  for (;;) {
    const waiting = open.filter((merge) => !resolveForced(elements, merge));
    if (waiting.length === 0) return;
    if (waiting.length < open.length) {
      open = waiting;
      continue;
    }
    choose(elements, waiting, policy, headLike);
    open = waiting;
  }
}

const candidatesOf = (elements: Elements, merge: Merge) => merge.atoms.filter((atom) => !atom.position && !elements.allFrozen(atom.label));

/** Settles a merge that leaves no choice. */
function resolveForced(elements: Elements, merge: Merge): boolean {
  const candidates = candidatesOf(elements, merge);
  if (candidates.length === 0) {
    const reasons = new Set(merge.atoms.flatMap((atom) => [...elements.reasonsOf(atom.label, 0)]));
    for (let k = 0; k < merge.size; k++) elements.freeze(merge.axis, merge.offset + k, reasons);
    return true;
  }
  if (elements.allFrozen(merge.axis, merge.offset, merge.offset + merge.size)) {
    const reasons = elements.reasonsOf(merge.axis, merge.offset);
    for (const atom of candidates) freezeAll(elements, atom.label, reasons);
    return true;
  }
  if (candidates.length > 1) return false;
  const [{ label, stride, size }] = candidates;
  for (let k = 0; k < merge.size; k++) elements.tie(merge.axis, merge.offset + k, label, Math.floor(k / stride) % size);
  return true;
}

function choose(elements: Elements, waiting: readonly Merge[], policy: FactorPolicy, headLike: ReadonlySet<number>): void {
  const isHead = (label: number) => headLike.has(elements.classOf(label));
  const withHeads = waiting.filter((merge) => candidatesOf(elements, merge).some((atom) => isHead(atom.label)));
  const merge = withHeads[0] ?? waiting[0];
  const candidates = candidatesOf(elements, merge);
  const heads = candidates.filter((atom) => isHead(atom.label));
  const preferred = heads.length === 0 ? candidates : policy === 'heads' ? heads : candidates.filter((atom) => !heads.includes(atom));
  const pool = preferred.length > 0 ? preferred : candidates;
  const free = pool.filter((atom) => Array.from({ length: atom.size }, (_, k) => k).every((k) => !elements.isFrozen(atom.label, k)));
  const [chosen] = (free.length > 0 ? free : pool).toSorted((a, b) => b.size - a.size);
  const reason = elements.reason({
    kind: 'factor', where: merge.step.step.node.name,
    sentence: `it shares an axis with another factor of ${chosen.size}, which carries the units${heads.length > 0 ? ` (policy '${policy}')` : ''}`,
  });
  for (const atom of candidates) if (atom !== chosen) freezeAll(elements, atom.label, [reason]);
}

function freezeAll(elements: Elements, label: number, reasons: Iterable<number>): void {
  const list = [...reasons];
  for (let k = 0; k < elements.sizeOf(label); k++) elements.freeze(label, k, list);
}

/** Labels that are a batch axis of a product of two activations: attention heads. */
function findHeadLike(elements: Elements): Set<number> {
  const { analysed } = elements.table;
  const heads = new Set<number>();
  for (const step of analysed.steps) {
    if (!('macs' in step.signature) || step.signature.macs === undefined) continue;
    const activations = step.inputs.map((id, k) => ({ id, k })).filter(({ id }) => id >= 0 && analysed.program.values[id].tainted);
    if (activations.length < 2) continue;
    const labelsOf = (entry: number) => new Set(elements.table.occurrences(step).filter((o) => o.entry === entry).flatMap((o) => o.factors.map((f) => f.label)));
    const [first, second] = activations.map(({ k }) => labelsOf(k));
    const out = labelsOf(step.inputs.length);
    for (const label of first) if (second.has(label) && out.has(label)) heads.add(elements.classOf(elements.table.labelOf(step, label)));
  }
  return heads;
}
