import { absent, type Rows } from '../vjp.ts';

const body = (what: string) => absent(`${what}; a parameter that reaches the loss only through it has to stay as it is`);

/** Operators that hold graphs. Where none of the parameters is used in them or before them, nothing flows into them and they do no harm. */
export const control = {
  If: body('its branches are graphs of their own, which are not differentiated'),
  Loop: body('its body runs as often as the data say and is not differentiated'),
  Scan: body('its body is a graph of its own, which is not differentiated'),
  SequenceMap: body('its body is a graph of its own, which is not differentiated'),
} satisfies Rows;
