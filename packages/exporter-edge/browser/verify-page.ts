/** Becomes `verify.js`: the page that proves the bundle in the browser it is opened in. */
import type { Verification } from './protocol.ts';

const element = (id: string): HTMLElement => document.getElementById(id)!;

async function run(): Promise<Verification> {
  const { verify } = await import(/* @vite-ignore */ new URL('recognizer.js', import.meta.url).href) as { verify(options: { threads?: number; provider?: string }): Promise<Verification> };
  const asked = new URL(location.href).searchParams;
  const threads = Number(asked.get('threads'));
  return verify({ ...(threads > 0 ? { threads } : {}), ...(asked.get('provider') === 'webgpu' ? { provider: 'webgpu' } : {}) });
}

const report = await run().catch((error: unknown): Verification => ({ clips: 0, findings: [{ about: 'runtime', where: 'browser', message: error instanceof Error ? error.message : String(error) }], notes: [] }));
const fine = report.findings.length === 0;
element('state').textContent = fine ? `Everything is as it was exported: ${report.clips} golden clips are recognised alike.` : `${report.findings.length} ${report.findings.length === 1 ? 'fault' : 'faults'} found`;
element('state').className = fine ? 'fine' : 'wrong';
const details = [report.ranOn, report.largest && `features ${report.largest.features === 0 ? 'equal bit for bit' : `differ by up to ${report.largest.features.toExponential(1)}`}, log-probabilities differ by up to ${report.largest.logProbs.toExponential(1)}`, report.realTimeFactor && `real-time factor ${report.realTimeFactor.toFixed(4)}`];
element('details').textContent = details.filter(Boolean).join('; ');
for (const { where, message } of report.findings) {
  const item = element('findings').appendChild(document.createElement('li'));
  item.appendChild(document.createElement('strong')).textContent = where;
  item.append(` ${message}`);
}
// For programs that opened this page.
document.documentElement.dataset['verification'] = JSON.stringify(report);
