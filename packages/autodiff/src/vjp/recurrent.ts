import { NoGradient, withForward, type Call, type Rows } from '../vjp.ts';
import type { Cell } from './recurrent/cell.ts';
import { gru, linearGru } from './recurrent/gru.ts';
import { layerBackward } from './recurrent/layer-backward.ts';
import { layerForward, type SavedLayer } from './recurrent/layer.ts';
import { lstm } from './recurrent/lstm.ts';
import { rnn } from './recurrent/rnn.ts';

const gruOf = ({ attributes }: Pick<Call<'GRU'>, 'attributes'>): Cell => (attributes.linear_before_reset === 0 ? gru : linearGru);

function lstmOf({ attributes }: Pick<Call<'LSTM'>, 'attributes'>): Cell {
  if (attributes.input_forget !== 0) throw new NoGradient('its input and forget gates are coupled; export it without the attribute input_forget');
  return lstm;
}

/** Each node becomes a loop that leaves its gates, which the operator keeps to itself: recomputing them is a fifth slower. */
export const recurrent = {
  GRU: withForward<'GRU', SavedLayer>({
    forward: (call) => layerForward(call, gruOf(call)),
    backward: (call) => layerBackward(call, gruOf(call), call.saved!, call.gradients),
  }),
  LSTM: withForward<'LSTM', SavedLayer>({
    forward: (call) => layerForward(call, lstmOf(call)),
    backward: (call) => layerBackward(call, lstmOf(call), call.saved!, call.gradients),
  }),
  RNN: withForward<'RNN', SavedLayer>({
    forward: (call) => layerForward(call, rnn),
    backward: (call) => layerBackward(call, rnn, call.saved!, call.gradients),
  }),
} satisfies Rows;
