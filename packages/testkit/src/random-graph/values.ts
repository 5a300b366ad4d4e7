import type { GraphBuilder } from './builder.ts';
import { reduce, reshape, transpose, unsqueeze, type Size } from './spelling.ts';

export type Layout = 'bct' | 'btc' | 'bcft';

/** What flows between blocks: batch and time are open, channels and frequency are not. */
export interface Value {
  readonly name: string;
  readonly layout: Layout;
  readonly channels: number;
  /** 1 where the layout has no frequency. */
  readonly frequency: number;
  /** Name of the length of the time axis; values of the same name are equally long. */
  readonly time: string;
}

export const sizesOf = ({ layout, channels, frequency, time }: Value): Size[] =>
  layout === 'bct' ? ['batch', channels, time] : layout === 'btc' ? ['batch', time, channels] : ['batch', channels, frequency, time];

export const channelAxis = ({ layout }: Value): number => (layout === 'btc' ? 2 : 1);

/** The same value under another name, with what changed. */
export const as = (value: Value, name: string, change: Partial<Value> = {}): Value => ({ ...value, name, ...change });

/** A value in another layout. Frequency goes into the channels in either order, or is averaged away; it comes from the channels or is new. */
export function inLayout(b: GraphBuilder, value: Value, layout: Layout): Value {
  if (value.layout === layout) return value;
  if (value.layout === 'bcft') return inLayout(b, withoutFrequency(b, value), layout);
  if (layout === 'bcft') return withFrequency(b, inLayout(b, value, 'bct'));
  return as(value, transpose(b, value.name, [0, 2, 1]), { layout });
}

function withoutFrequency(b: GraphBuilder, value: Value): Value {
  const { channels: c, frequency: f, time } = value;
  const sizes = sizesOf(value);
  const flat = { channels: c * f, frequency: 1 };
  const style = b.random.uniform();
  if (style < 0.2) return as(value, reduce(b, b.pick(['ReduceMean', 'ReduceMax', 'ReduceSum']), value.name, [2], false, 4), { layout: 'bct', frequency: 1 });
  if (style < 0.4) {
    b.traits.add('flatten: channel outermost, before time');
    return as(value, reshape(b, value.name, sizes, ['batch', c * f, time]), { layout: 'bct', ...flat });
  }
  if (style < 0.7) {
    b.traits.add('flatten: channel outermost');
    const turned = transpose(b, value.name, [0, 3, 1, 2]);
    return as(value, reshape(b, turned, ['batch', time, c, f], ['batch', time, c * f]), { layout: 'btc', ...flat });
  }
  b.traits.add('flatten: channel innermost');
  const turned = transpose(b, value.name, [0, 3, 2, 1]);
  return as(value, reshape(b, turned, ['batch', time, f, c], ['batch', time, c * f]), { layout: 'btc', ...flat });
}

function withFrequency(b: GraphBuilder, value: Value): Value {
  const { channels: c, time } = value;
  const divisors = [2, 3, 4, 5].filter((f) => c % f === 0 && c / f > 1);
  if (divisors.length === 0 || b.chance(0.3)) return as(value, unsqueeze(b, value.name, [2]), { layout: 'bcft', frequency: 1 });
  const f = b.pick(divisors);
  if (b.chance(0.5)) return as(value, reshape(b, value.name, ['batch', c, time], ['batch', c / f, f, time]), { layout: 'bcft', channels: c / f, frequency: f });
  const parts = reshape(b, value.name, ['batch', c, time], ['batch', f, c / f, time]);
  return as(value, transpose(b, parts, [0, 2, 1, 3]), { layout: 'bcft', channels: c / f, frequency: f });
}
