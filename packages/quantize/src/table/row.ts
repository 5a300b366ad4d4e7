import type { NormalNode } from '@coppice/graph';
import type { Rewriter } from '../rewriter.ts';
import type { Site, Sites } from '../site.ts';

/** A row that is missing on purpose, with the sentence a user reads instead; its subject is the operator. */
export interface Absent { readonly absent: string }
export const absent = (because: string): Absent => ({ absent: because });

/** An operand that holds weights. */
export interface WeightOperand {
  readonly input: number;
  /** Axes of which every element has a scale of its own: those that are not summed over. */
  readonly keep: (dims: readonly number[], node: NormalNode) => readonly number[];
  /** Axis that is summed over, along which int4 weights are divided into blocks. */
  readonly summed?: (dims: readonly number[], node: NormalNode) => number;
}

/** One way of computing an operator in integers. */
export interface IntegerForm {
  /** Why a node cannot have this form: a sentence about the node; undefined when it can. */
  readonly misfit: (site: Site, sites: Sites) => string | undefined;
  /** Names of the activations whose ranges it needs. */
  readonly observes?: (site: Site, to: Rewriter) => readonly string[];
  /** Changes the graph. */
  readonly write: (site: Site, to: Rewriter) => void;
}

/** How an operator with weights can be quantised. */
export interface OperatorForms {
  readonly weights: readonly WeightOperand[];
  /** Scales known beforehand, written as QuantizeLinear and DequantizeLinear around the operator. */
  readonly static: IntegerForm | Absent;
  /** Scales of activations computed in the graph. */
  readonly dynamic: IntegerForm | Absent;
  /** How weights alone are stored in few bits, where that is not by widening them in front of the operator. */
  readonly stored?: (site: Site, to: Rewriter) => void;
}
