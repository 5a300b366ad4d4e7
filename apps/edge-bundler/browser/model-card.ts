import type { Opened } from '@coppice/exporter-edge/recognizer';
import type { ModelMeasurements } from '@coppice/exporter-edge/runtime';

interface Result {
  readonly text: string;
  readonly seconds: number;
  readonly milliseconds: number;
}

/** The part of the page about one model. */
export interface ModelCard {
  /** What is known before the model is loaded. */
  expect(bytes: number, measured: ModelMeasurements | undefined): void;
  /** @param withRuntime whether this model was the first, and waited for the runtime to start */
  show(opened: Opened, withRuntime: boolean): void;
  hear(utterance: number, result: Result, final: boolean): void;
  clear(): void;
  /** Of all that was heard since the card was cleared; undefined before. */
  factor(): number | undefined;
}

/** A card over an article of the page. */
export function modelCard(article: HTMLElement): ModelCard {
  const transcript = article.querySelector<HTMLElement>('.transcript')!;
  const fact = (name: string): HTMLElement => article.querySelector<HTMLElement>(`[data-fact=${name}]`)!;
  const put = (name: string, text: string, small = ''): void => {
    fact(name).textContent = text;
    if (small !== '') fact(name).appendChild(document.createElement('small')).textContent = small;
  };
  const label = (name: string): HTMLElement => fact(name).previousElementSibling as HTMLElement;
  let lines = new Map<number, HTMLElement>();
  let [milliseconds, seconds] = [0, 0];
  return {
    expect(bytes, measured) {
      put('size', `${(bytes / 1e6).toFixed(2)} MB`);
      const errors = measured?.errors;
      if (errors === undefined) return put('errors', 'not measured');
      label('errors').textContent = { word: 'Word error rate', character: 'Character error rate', phone: 'Phone error rate' }[errors.unit];
      put('errors', `${(100 * errors.rate).toFixed(1)} %`, `95 %: ${(100 * errors.interval.low).toFixed(1)} – ${(100 * errors.interval.high).toFixed(1)} %; ${errors.length} ${errors.unit}s of ${errors.corpus}`);
    },
    show({ downloadMs, sessionMs, cached }, withRuntime) {
      put('load', shownMs(downloadMs + sessionMs), `${cached ? 'kept from an earlier visit' : `download ${shownMs(downloadMs)}`}, start ${shownMs(sessionMs)}${withRuntime ? ', which includes the runtime\'s' : ''}`);
    },
    hear(utterance, result, final) {
      let line = lines.get(utterance);
      if (line === undefined) {
        if (lines.size === 0) transcript.replaceChildren();
        line = transcript.appendChild(document.createElement('p'));
        lines.set(utterance, line);
      }
      line.textContent = result.text === '' ? (final ? '(nothing recognised)' : '…') : result.text;
      line.className = final ? '' : 'partial';
      transcript.scrollTop = transcript.scrollHeight;
      if (result.seconds === 0 || result.milliseconds === 0) return;
      [milliseconds, seconds] = [milliseconds + result.milliseconds, seconds + result.seconds];
      const factor = milliseconds / 1000 / seconds;
      put('factor', factor.toFixed(factor < 0.1 ? 3 : 2), `${factor < 1 ? `${(1 / factor).toFixed(0)} times faster than speech` : 'slower than speech'}`);
    },
    clear() {
      lines = new Map();
      [milliseconds, seconds] = [0, 0];
      const hint = document.createElement('p');
      hint.className = 'hint';
      hint.textContent = 'Nothing was heard yet.';
      transcript.replaceChildren(hint);
    },
    factor: () => (seconds === 0 ? undefined : milliseconds / 1000 / seconds),
  };
}

const shownMs = (ms: number): string => (ms < 995 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`);
