import { CoppiceError } from '@coppice/graph';
import { parseAxes, type SpeechDescription } from '@coppice/speech';
import type { Emitter } from './emitter.ts';

/**
 * Features as a model reads them.
 * @param features [batch, feature, time]
 * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID` for axes that are not understood
 */
export function toInputAxes(emit: Emitter, features: string, { inputAxes }: Pick<SpeechDescription, 'inputAxes'>): string {
  const names = parseAxes(inputAxes);
  if (names === undefined) throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `The axes '${inputAxes}' of the input are not understood.`);
  const perm = names.filter((name) => name !== '1').map((name) => ['batch', 'feature', 'time'].indexOf(name));
  const laid = perm.join() === '0,1,2' ? features : emit.op('Transpose', [features], { perm });
  const single = names.flatMap((name, axis) => (name === '1' ? [axis] : []));
  return single.length === 0 ? laid : emit.op('Unsqueeze', [laid, emit.ints(...single)]);
}

/** Logarithms of probabilities as [batch, time, token], each frame of the output so many times: runs of one token stay runs. */
export function fromOutputAxes(emit: Emitter, output: string, { outputAxes }: Pick<SpeechDescription, 'outputAxes'>, times = 1): string {
  const laid = outputAxes === 'time batch token' ? emit.op('Transpose', [output], { perm: [1, 0, 2] }) : output;
  if (times === 1) return laid;
  // [batch, time, 1, token] times over, and both time axes become one.
  const copies = emit.op('Tile', [emit.op('Unsqueeze', [laid, emit.ints(2)]), emit.ints(1, 1, times, 1)]);
  const shape = emit.op('Shape', [laid]);
  const part = (axis: number): string => emit.op('Slice', [shape, emit.ints(axis), emit.ints(axis + 1), emit.ints(0)]);
  return emit.op('Reshape', [copies, emit.op('Concat', [part(0), emit.ints(-1), part(2)], { axis: 0 })]);
}
