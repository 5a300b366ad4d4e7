import { bootstrapInterval, compareSystems, type Interval } from '@coppice/speech';
import { decisions, meanDivergence, type Classifier, type Clip, type Logits } from './classifier.ts';

/** How right a classifier is, and how much like the unpruned one. Plain data. */
export interface Measurement {
  /** Share of clips whose digit has the highest logit of all classes; absent for a model without classes for digits. */
  readonly accuracy?: number;
  /** Of the accuracy, 95 %, bootstrap over clips. */
  readonly interval?: Interval;
  /** The same where only the ten classes of digits may be chosen. */
  readonly amongDigits?: number;
  readonly bySpeaker?: Readonly<Record<string, number>>;
  /** Two-sided, paired with the unpruned model, approximate randomisation over clips. */
  readonly pValue?: number;
  /** Share of clips for which it decides as the unpruned model, right or wrong. */
  readonly agreement: number;
  readonly agreementInterval: Interval;
  /** Mean KL divergence of its distribution from that of the unpruned model, in nats. */
  readonly divergence: number;
}

/** Measures logits against the digits that were said, and against the logits of the unpruned model. */
export function measure({ digits }: Pick<Classifier, 'digits'>, clips: readonly Clip[], logits: Logits, original: Logits): Measurement {
  const [said, before] = [decisions(logits), decisions(original)];
  const apart = said.map((c, k) => counted(c === before[k]));
  const likeness = { agreement: shareOf(apart), agreementInterval: flipped(bootstrapInterval(apart)), divergence: meanDivergence(original, logits) };
  if (!digits) return likeness;
  const marks = (classes: readonly number[]) => clips.map(({ digit }, k) => counted(classes[k] === digits[digit]));
  const own = marks(said);
  return {
    accuracy: shareOf(own), interval: flipped(bootstrapInterval(own)), amongDigits: shareOf(marks(decisions(logits, digits))),
    bySpeaker: Object.fromEntries([...Map.groupBy(clips.keys(), (k) => clips[k].speaker)].map(([speaker, list]) => [speaker, shareOf(list.map((k) => own[k]))])),
    pValue: compareSystems(marks(before), own).pValue,
    ...likeness,
  };
}

interface Counted { readonly errors: number; readonly length: number }

const counted = (right: boolean): Counted => ({ errors: right ? 0 : 1, length: 1 });

const shareOf = (list: readonly Counted[]): number => 1 - list.reduce((sum, { errors }) => sum + errors, 0) / list.length;

/** The interval of a share from that of its complement. */
const flipped = ({ low, high, level }: Interval): Interval => ({ low: 1 - high, high: 1 - low, level });
