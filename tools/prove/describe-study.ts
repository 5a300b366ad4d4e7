import { byFamily, type Study } from '@coppice/testkit';

/** Where and with what a study ran. */
export interface Setting { readonly from: number; readonly workers: number; readonly version: string }

/** A study as Markdown: the verdict first, then what was covered, then each failure. */
export function describeStudy(study: Study, { from, workers, version }: Setting): string {
  const { cases, cuts, outcomes, removed, widest, widestQuantised, blocks, traits, opsets, failures, seconds } = study;
  const wrong = outcomes.wrong + outcomes.failed + outcomes.refused;
  const list = (table: Readonly<Record<string, number>>, keep: (key: string) => boolean = () => true, name = (key: string) => key) =>
    Object.entries(table).filter(([key]) => keep(key)).toSorted((a, b) => b[1] - a[1]).map(([key, n]) => `${name(key)} ${n}`).join(', ');
  const family = ([name, members]: [string, object]) => `| ${name} | ${list(blocks, (key) => Object.hasOwn(members, key))} |`;
  return [
    '# Random cuts of random graphs',
    '',
    `${cases} graphs (seeds ${from} to ${from + cases - 1}), ${cuts} cuts compared with the masked original at two input sizes: **${wrong} wrong**.`,
    '',
    `| outcome | cases |`, '|---|---:|',
    ...Object.entries(outcomes).map(([kind, n]) => `| ${kind} | ${n} |`),
    '',
    `${((100 * outcomes.equal) / cases).toFixed(1)} % of the graphs lost units, ${(removed / Math.max(1, outcomes.equal)).toFixed(1)} on average in one plan; the widest difference is ${widest.toExponential(1)} of the scale of its output, and ${widestQuantised.toExponential(1)} where values pass through 8 bits, whose steps may round to the other side.`,
    `ONNX Runtime ${version}, native; ${workers} processes, ${seconds.toFixed(0)} s. Made by \`node tools/prove/run.ts\`.`,
    '',
    '| family | graphs with each block |', '|---|---|',
    ...Object.entries(byFamily).map(family),
    '',
    `Opsets: ${list(opsets)}.`, '',
    `Operators: ${list(traits, (key) => key.startsWith('op:'), (key) => key.slice(3))}.`, '',
    `Peculiarities: ${list(traits, (key) => !key.startsWith('op:'))}.`,
    ...failures.flatMap(({ seed, kind, message, blocks: left, recipe, graph }) =>
      ['', `## ${kind}: seed ${seed}`, '', message, '', `Left of it: ${left.join(', ')}`, '', '```', JSON.stringify(recipe), graph, '```']),
  ].join('\n');
}
