import { CoppiceError } from '@coppice/graph';
import type { ScoredSlice, Scorer, UnitInfo } from '../scorer.ts';
import type { ScoreOptions, ScoreState } from './options.ts';

type Told = Partial<ScoredSlice> & Pick<ScoredSlice, 'unit' | 'role' | 'operator' | 'operand' | 'initializer'>;

/** An empty array in place of evidence that is not there or not asked for. */
export const NOTHING = new Float32Array(0);

/** One use of a scorer: its state, how many batches it has heard of, and which units. */
export class Scoring {
  readonly scorer: Scorer;
  readonly seen: Uint8Array;
  readonly #units: readonly UnitInfo[];
  readonly #onState: ScoreOptions['onState'];
  #batches = 0;
  #state: unknown;

  /** @throws CoppiceError `COPPICE_RUN_INVALID` when the state to go on from is that of another scorer or model */
  constructor(scorer: Scorer, units: readonly UnitInfo[], { seed = 0, resume, onState }: ScoreOptions) {
    this.scorer = scorer;
    this.#units = units;
    this.#onState = onState;
    if (resume && (resume.scorer !== scorer.name || resume.seen.length !== units.length)) {
      throw new CoppiceError('COPPICE_RUN_INVALID', `The state to go on from is that of scorer '${resume.scorer}' over ${resume.seen.length} units, and this is '${scorer.name}' over ${units.length}. Start without it, or with the model and scorer that it belongs to.`);
    }
    this.seen = resume ? resume.seen.slice() : new Uint8Array(units.length);
    this.#batches = resume?.batches ?? 0;
    this.#state = resume ? structuredClone(resume.state) : scorer.start(units, { seed });
  }

  /** Batches that are done. */
  get batches(): number {
    return this.#batches;
  }

  needs(need: Scorer['needs'][number]): boolean {
    return this.scorer.needs.includes(need);
  }

  /** @param shown whether this says something of the unit; a unit of which nothing does is unseen */
  add(slice: Told, shown = true): void {
    if (shown) this.seen[slice.unit] = 1;
    const next = this.scorer.add(this.#state, { weights: NOTHING, activations: NOTHING, gradients: NOTHING, loss: 0, ...slice, batch: this.#batches });
    if (next !== undefined) this.#state = next;
  }

  async endBatch(): Promise<void> {
    this.#batches++;
    await this.#onState?.({ scorer: this.scorer.name, batches: this.#batches, seen: this.seen, state: this.#state } satisfies ScoreState);
  }

  /** @throws CoppiceError `COPPICE_INPUT_INVALID` when no batch came */
  assertBatches(what: string): void {
    if (this.#batches > 0) return;
    throw new CoppiceError('COPPICE_INPUT_INVALID', `The scorer '${this.scorer.name}' needs ${what}, and the data have no batch. Give it at least one.`);
  }

  /** @throws CoppiceError `COPPICE_SCORER_INVALID` */
  finish(): Float64Array {
    const { name } = this.scorer;
    const given = this.scorer.finish(this.#state, this.#units);
    if (given?.length !== this.#units.length) throw new CoppiceError('COPPICE_SCORER_INVALID', `The scorer '${name}' gave ${given?.length ?? 'no'} scores for ${this.#units.length} units. Its 'finish' must return one number for each unit.`);
    const scores = new Float64Array(this.#units.length);
    for (const { id, group } of this.#units) {
      scores[id] = given[id];
      if (scores[id] >= 0 && scores[id] < Infinity) continue;
      throw new CoppiceError('COPPICE_SCORER_INVALID', `The scorer '${name}' gave ${given[id]} for unit ${id} of ${group}. A score must be a finite number of 0 or more; higher means keep.`);
    }
    return scores;
  }
}
