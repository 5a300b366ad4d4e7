import type { BundleManifest, BundleVerification, ModelMeasurements, PreparedModel } from '@coppice/exporter-edge';
import { countOf, formatBytes, formatCount, formatMs, formatShare } from '../human-numbers.ts';
import { rateName } from '../speech/evaluation-text.ts';
import type { Terminal } from '../terminal.ts';
import { tableLines, wrapText } from '../text-table.ts';

const LABEL = 10;

/** What programs read of an export. */
export const exportReport = (manifest: BundleManifest, { steps, table }: PreparedModel, folder: string) => ({ folder, manifest, finishing: steps, ...(table === undefined ? {} : { quantised: table }) });

/** What people read of it. */
export function printExport(manifest: BundleManifest, prepared: PreparedModel, { folder, terminal }: { readonly folder: string; readonly terminal: Terminal }): void {
  const { print, paint } = terminal;
  const { model, original, measured, golden, runtime, files } = manifest;
  const unit = measured.model?.errors?.unit;
  const row = (name: string, { bytes, parameters, quantisation }: BundleManifest['model'], { errors, latency }: ModelMeasurements = {}): string[] => [
    name, formatBytes(bytes), formatCount(parameters), quantisation,
    errors ? formatShare(errors.rate) : '', errors ? `${formatShare(errors.interval.low)} – ${formatShare(errors.interval.high)}` : '', latency ? formatMs(latency.medianMs) : '', latency ? (latency.medianMs / 1000 / latency.seconds).toFixed(4) : '',
  ];
  const wanted = [true, true, true, true, unit !== undefined, unit !== undefined, measured.model?.latency !== undefined, measured.model?.latency !== undefined];
  const kept = <T>(cells: readonly T[]): T[] => cells.filter((_, k) => wanted[k]);
  const [head, ...lines] = tableLines({
    columns: kept([{ title: '' }, { title: 'file', align: 'right' }, { title: 'parameters', align: 'right' }, { title: 'quantised' }, ...(unit ? [rateName[unit], '95 % interval'] : ['', '']).map((title) => ({ title, align: 'right' as const })), { title: 'latency', align: 'right' }, { title: 'real time', align: 'right' }]),
    rows: [...(original === undefined ? [] : [row('original', original, measured.original)]), row('model', model, measured.model)].map(kept),
  });
  print(paint('bold', head));
  for (const line of lines) print(line);
  print('');
  const say = (title: string, text: string): void => {
    for (const line of wrapText(text, { first: title.padEnd(LABEL), indent: ' '.repeat(LABEL) })) print(line);
  };
  const folded = prepared.steps.filter(({ taken, changed }) => taken && changed.length > 0).map(({ name, changed }) => `${name} ${changed.length}`);
  if (folded.length > 0) say('finished', folded.join(' · '));
  if (prepared.table !== undefined) {
    const forms = Map.groupBy(prepared.table, ({ form }) => form);
    say('quantised', [...forms].map(([form, list]) => `${form} ${list.length}`).join(' · '));
    printChoices(prepared.table, terminal);
  }
  say('golden', `${countOf(golden.clips.length, 'clip')}: ${golden.source}`);
  say('runtime', `${runtime.name} ${runtime.version}. ${runtime.note}`);
  say('written', `${folder} (${countOf(files.length + 1, 'file')}, ${formatBytes(files.reduce((sum, { bytes }) => sum + bytes, 0))}) for ${manifest.target}; prove it with \`coppice bundle verify ${folder}\``);
}

/** What `auto` measured of each operator with weights, and what it therefore chose. */
function printChoices(table: NonNullable<PreparedModel['table']>, { print, paint }: Terminal): void {
  const measured = table.flatMap((row) => ('candidates' in row && row.candidates.length > 0 ? [row] : []));
  if (measured.length === 0) return;
  const forms = [...new Set(measured.flatMap(({ candidates }) => candidates.map(({ form }) => form)))];
  const [head, ...lines] = tableLines({
    columns: [{ title: '  operator', atMost: 30 }, { title: 'float', align: 'right' }, ...forms.map((form) => ({ title: form, align: 'right' as const })), { title: 'chosen' }],
    rows: measured.map(({ node, floatMs, candidates, form }) => [
      `  ${node}`, floatMs === undefined ? '' : formatMs(floatMs),
      ...forms.map((name) => {
        const found = candidates.find((candidate) => candidate.form === name);
        return found?.ms === undefined || found.refused !== undefined ? '–' : `${formatMs(found.ms)}${found.error === undefined ? '' : ` ±${(100 * found.error).toFixed(1)} %`}`;
      }),
      form,
    ]),
  });
  print(paint('bold', head));
  for (const line of lines) print(line);
  for (const { node, why } of measured) for (const line of wrapText(`${node}: ${why}`, { first: '  ', indent: '    ' })) print(paint('dim', line));
}

/** What a verification found. */
export function printVerification({ manifest, ranOn, clips, largest, realTimeFactor, findings, notes }: BundleVerification, folder: string, { print, paint }: Terminal): void {
  for (const { about, where, message } of findings) for (const line of wrapText(`${paint('red', about)} ${message.startsWith(where) ? '' : `${where}: `}${message}`, { indent: '  ' })) print(line);
  for (const note of notes) print(paint('dim', `note: ${note}`));
  const ran = ranOn === undefined ? '' : `${countOf(clips, 'golden clip')} on ${ranOn}`;
  if (findings.length > 0) return print(`${folder}: ${countOf(findings.length, 'fault')} found${ran === '' ? '' : `, ${ran}`}`);
  const exact = largest?.features === 0 ? 'features equal bit for bit' : `features differ by ${largest?.features.toExponential(1)}`;
  print(`${folder}: the ${manifest.target} bundle recognises the same, ${ran}; ${exact}, log-probabilities within ${largest?.logProbs.toExponential(1)}${realTimeFactor === undefined ? '' : `, real-time factor ${realTimeFactor.toFixed(4)}`}`);
}
