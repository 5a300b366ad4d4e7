import type { FrozenPlace } from '@coppice/core';
import { countOf } from './human-numbers.ts';
import { shorten, wrapText } from './text-table.ts';

/** All widths that are frozen for one reason. */
interface FrozenCause {
  readonly sentence: string;
  /** Nodes, inputs or outputs that caused it. */
  readonly nodes: readonly string[];
  readonly places: readonly FrozenPlace[];
}

/** How many causes, and names in each, are shown at first. */
const CAUSES = 8;
const NAMES = 3;

/** Frozen places by reason, the reason that freezes most first. */
export function frozenCauses(frozen: readonly FrozenPlace[]): FrozenCause[] {
  const causes = new Map<string, { sentence: string; nodes: Set<string>; places: Set<FrozenPlace> }>();
  for (const place of frozen) {
    for (const { kind, where, sentence } of place.reasons) {
      // The contract is one reason, whichever input or output it is about.
      const said = kind === 'contract' ? "it reaches a graph input or output, whose shape is the model's contract" : sentence;
      const cause = causes.get(said) ?? causes.set(said, { sentence: said, nodes: new Set(), places: new Set() }).get(said)!;
      if (where !== '') cause.nodes.add(where);
      cause.places.add(place);
    }
  }
  return [...causes.values()].map(({ sentence, nodes, places }) => ({ sentence, nodes: [...nodes], places: [...places] })).toSorted((a, b) => b.places.length - a.places.length);
}

/** Lines for people: a few, or with `all` every place. */
export function frozenLines(frozen: readonly FrozenPlace[], all: boolean): string[] {
  const causes = frozenCauses(frozen);
  const shown = all ? causes : causes.slice(0, CAUSES);
  const lines = shown.flatMap(({ sentence, nodes, places }) => {
    const list = (items: readonly string[]): string => (all || items.length <= NAMES + 1 ? items.join(', ') : `${items.slice(0, NAMES).join(', ')} and ${items.length - NAMES} more`);
    const by = nodes.length > 0 ? `; because of ${list(nodes.map((node) => (all ? node : shorten(node, 40))))}` : '';
    return wrapText(`${list(places.map((place) => placeText(place, all)))}: ${sentence}${by}`, { first: '  ', indent: '    ' });
  });
  if (frozen.some(({ reasons }) => reasons.filter(({ kind }) => kind === 'contract').length > 1)) lines.push('  A recurrent state may become narrower where you accept it: --release its input and its output.');
  const hidden = causes.length - shown.length;
  return hidden > 0 ? [...lines, `  and ${countOf(hidden, 'reason')} more: --all`] : lines;
}

/** `dense output (29)`, `conv1 input (8 of 40)`. */
const placeText = ({ layer, side, size, frozen }: FrozenPlace, all: boolean): string => `${all ? layer : shorten(layer, 36)} ${side} (${frozen < size ? `${frozen} of ` : ''}${size})`;
