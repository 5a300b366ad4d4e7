import type { Measurement } from './measure.ts';

/** What is pruned; the id names files. */
export interface Subject {
  readonly id: string;
  readonly name: string;
}

/** One measured model. */
export interface Row extends Measurement {
  readonly subject: string;
  readonly scorer: string;
  /** `cut` alone; `rebuilt` by least squares; then `distilled` from the unpruned model without labels, or trained with labels. */
  readonly stage: 'original' | 'cut' | 'rebuilt' | 'distilled' | 'labelled';
  /** Shares of the unpruned model. */
  readonly macs: number;
  readonly params: number;
  /** Of the unpruned model: clips by the class it decides for. */
  readonly decided?: Readonly<Record<string, number>>;
  /** Of the unpruned model: what it says when words lie in the other place of the clip. */
  readonly elsewhere?: { readonly place: 'start' | 'middle'; readonly decided: Readonly<Record<string, number>>; readonly accuracy?: number };
}

/** What the page is made of. */
export interface ReportParts {
  readonly rows: readonly Row[];
  readonly subjects: readonly Subject[];
  readonly settings: { readonly steps: number; readonly batchSize: number; readonly peak: number; readonly seed: number; readonly calibration: number };
  /** Weights that Moonshine's graph computed from 8-bit numbers. */
  readonly weightsComputed: number;
  readonly clips: number;
  readonly trained: number;
  readonly hardware: string;
  readonly command: readonly string[];
}

const stages: Readonly<Record<Row['stage'], string>> = {
  original: 'original', cut: 'cut alone', rebuilt: '+ least squares', distilled: '+ distillation, no labels', labelled: '+ training with labels',
};
const percent = (value: number | undefined): string => (value === undefined ? '—' : (100 * value).toFixed(1));

/** The page of results. */
export function reportText({ rows, subjects, settings, weightsComputed, clips, trained, hardware, command }: ReportParts): string {
  const { steps, batchSize, peak, seed, calibration } = settings;
  return `# Models that others trained

Moonshine's SpellingCNN (MIT, moonshine-ai/moonshine) and Honk's keyword spotter of 2017 (MIT, castorini/honk), each pruned from its file alone with nothing but recordings: the ${trained} of the
train part of the Free Spoken Digit Dataset, of which nobody says what is in them, except in the rows *with labels*. Measured on its ${clips} test recordings (indices 0–4 of every speaker and digit).

\`\`\`sh
node tools/studies/third-party.ts${command.length > 0 ? ` ${command.join(' ')}` : ''}
\`\`\`

${hardware}; seed ${seed}.

${summary(subjects, rows)}
- **Cut**: all groups keep the same share of their width (\`uniform\`), one-shot; every cut was proved equal to the masked original. Scorers see ${calibration} recordings; \`taylor\` gets the gradients of the cross-entropy with the unpruned
  model's own decisions. Neither file has batch norms, so there are no statistics to renew.
- **Least squares**: consumers rebuilt from the same ${calibration} recordings.
- **Distillation, no labels** (the main row): ${steps} steps of ${batchSize} recordings from there, KL from the unpruned model's logits, Adam, one cycle up to ${peak}; of the start and four checkpoints the one nearest to the unpruned model on the dev recordings (indices 5–7).
- **Training with labels**: instead of distillation, the same steps with the digits that were said in the train part, and the dev error for the choice; of the whole model too, as the control: what labels add has nothing to do with pruning.
- Recordings are 8 kHz and were resampled to 16 kHz, so what either model expects above 4 kHz is not there. Intervals: 95 %, bootstrap over recordings; p: paired approximate randomisation against the original.
- The test recordings are other takes of the same five voices that recovery hears. So recovery also gets used to these voices and their microphones, which may be why some distilled models do better than their teacher; for new voices the intervals are too narrow.

${subjects.map((subject) => section(subject, rows.filter((row) => row.subject === subject.name), weightsComputed)).join('\n')}`;
}

/** Per model and budget, the lowest and highest of the scorers after each stage that needs no labels. */
function summary(subjects: readonly Subject[], rows: readonly Row[]): string {
  const shown = (list: readonly Row[], stage: Row['stage']): string => {
    const found = list.filter((row) => row.stage === stage).map(({ accuracy, agreement }) => accuracy ?? agreement);
    return [...new Set([Math.min(...found), Math.max(...found)].map(percent))].join('–');
  };
  const lines = subjects.flatMap(({ name }) => {
    const own = rows.filter((row) => row.subject === name);
    const whole = own.find(({ stage }) => stage === 'original');
    const cuts = Map.groupBy(own.filter(({ macs }) => macs < 1), ({ macs }) => Math.round(100 * (1 - macs)));
    return [...cuts].map(([gone, list]) => `| ${[name, whole?.accuracy === undefined ? 'same decision' : 'accuracy', gone, shown(own, 'original'), shown(list, 'cut'), shown(list, 'rebuilt'), `**${shown(list, 'distilled')}**`].join(' | ')} |`);
  });
  return `| model | % of | MACs removed % | original | cut alone | + least squares | + distillation, no labels |
|---|---|---|---|---|---|---|
${lines.join('\n')}

From the worst to the best scorer; details below.
`;
}

function section({ id, name }: Subject, rows: readonly Row[], weightsComputed: number): string {
  if (rows.length === 0) return '';
  const scored = rows[0].accuracy !== undefined;
  const notes: Readonly<Record<string, string>> = {
    moonshine: `51 classes: letters, the ten digits, commands; a recording counts as right only if its digit wins against all 51. Features and label list as in the authors' micro/stt-training and spelling_cnn_meta.json; clips begin at once and are filled with zeros to a second, as in their data set (with the word in the middle the accuracy is ${percent(rows[0].elsewhere?.accuracy)} %). Its ${weightsComputed} 8-bit weights (int8 → Cast → Mul) were folded to float first; the outputs are the same to the bit. Letters and commands were not measured: there are no recordings of them here, and what was distilled or trained on digits alone may have forgotten them.`,
    'honk-digits': 'Honk knows twelve classes (silence, unknown, yes, no, up, down, left, right, on, off, stop, go), **none of them a digit**, so its accuracy on digits cannot be measured. To have one all the same, its last layer was replaced by one for ten digits, trained **with labels** on the train part (150 steps); both convolutions stayed as published. That model is the original here; it was then pruned and recovered as the other one.',
    honk: `The file itself, twelve classes. There is no right answer but *unknown* for a digit, and a model that always says so would be perfect; so what is measured is whether the pruned model decides as the unpruned one, right or wrong. Features as in the authors' utils/manage_audio.py (40 cosine coefficients; the logarithm of digital silence is 0 there); the labels are in the order of their \`SpeechDataset\`; the word lies in the middle of the second, as in Speech Commands. The unpruned model decides: ${counts(rows[0].decided)}. With the word at the start and zeros behind it, as their code lengthens short files: ${counts(rows[0].elsewhere?.decided)}.`,
  };
  const head = ['scorer', 'MACs %', 'parameters %', 'stage', ...(scored ? ['accuracy %', '95 % interval', 'p', 'among ten digits %'] : []), 'same decision %', ...(scored ? [] : ['95 % interval']), 'KL, nats'];
  const line = ({ scorer, macs, params, stage, accuracy, interval, pValue, amongDigits, agreement, agreementInterval, divergence }: Row): string => {
    const range = (low: number, high: number): string => `${percent(low)}–${percent(high)}`;
    const right = scored ? [`**${percent(accuracy)}**`, range(interval!.low, interval!.high), stage === 'original' ? '—' : pValue! < 0.001 ? '< 0.001' : pValue!.toFixed(3), percent(amongDigits)] : [];
    const like = scored ? [percent(agreement)] : [`**${percent(agreement)}**`, range(agreementInterval.low, agreementInterval.high)];
    return `| ${[scorer || '—', percent(macs), percent(params), stages[stage], ...right, ...like, divergence.toFixed(3)].join(' | ')} |`;
  };
  return `## ${name}

${notes[id] ?? ''}

| ${head.join(' | ')} |
|${head.map(() => '---').join('|')}|
${rows.map(line).join('\n')}
${scored ? `\n${speakers(rows)}` : ''}`;
}

/** Labels and how often, the most frequent first. */
const counts = (decided: Row['decided'] = {}): string => Object.entries(decided).sort(([, a], [, b]) => b - a).map(([label, count]) => `${label} ${count}`).join(', ');

/** Accuracy of each speaker, of the original and of what was recovered without labels. */
function speakers(rows: readonly Row[]): string {
  const shown = rows.filter(({ stage }) => stage === 'original' || stage === 'distilled');
  const names = Object.keys(rows[0].bySpeaker ?? {});
  return `| accuracy % by speaker | ${names.join(' | ')} |
|---|${names.map(() => '---').join('|')}|
${shown.map(({ scorer, macs, bySpeaker }) => `| ${scorer ? `${scorer}, ${percent(macs)} % of the MACs, distilled` : 'original'} | ${names.map((name) => percent(bySpeaker?.[name])).join(' | ')} |`).join('\n')}
`;
}
