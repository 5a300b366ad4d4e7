import type { NormalNode } from '@coppice/graph';
import type { Scope } from './scope.ts';

/** Equal values on both sides of the border of a body: the elements of each pair are the same thing. */
export interface Link {
  readonly pairs: readonly { readonly outer: number; readonly inner: number; /** The axis that only the outer value has: the one it is scanned along. */ readonly scanAxis?: number; /** The input of the node that is the outer value. */ readonly input?: number }[];
}

interface Body { readonly attribute: string; readonly scope: Scope }

const inside = (scope: Scope, name: string): number => {
  for (let s: Scope | undefined = scope; s; s = s.parent) {
    const id = s.names.get(name);
    if (id !== undefined) return id;
  }
  return -1;
};

/** Which values of the bodies of If, Loop or Scan are the same thing as which values outside, or on the way into the next iteration. Undefined for an operator whose bodies are not understood. */
export function linkBodies(node: NormalNode, inputs: readonly number[], outputs: readonly number[], bodies: readonly Body[]): Link | undefined {
  const pairs: { outer: number; inner: number; scanAxis?: number; input?: number }[] = [];
  const pair = (outer: number | undefined, inner: number, scanAxis?: number, input?: number) => {
    if (outer !== undefined && outer >= 0 && inner >= 0) pairs.push({ outer, inner, scanAxis, input });
  };
  if (node.op === 'If') {
    for (const { scope } of bodies) scope.graph.output.forEach((o, k) => pair(outputs[k], inside(scope, o.name)));
    return { pairs };
  }
  const [{ scope }] = bodies;
  const bodyInputs = scope.graph.input.map((i) => inside(scope, i.name));
  const bodyOutputs = scope.graph.output.map((o) => inside(scope, o.name));
  if (node.op === 'Loop') {
    const carried = inputs.length - 2;
    for (let k = 0; k < carried; k++) {
      pair(inputs[2 + k], bodyInputs[2 + k], undefined, 2 + k);
      pair(bodyInputs[2 + k], bodyOutputs[1 + k]);
      pair(outputs[k], bodyOutputs[1 + k]);
    }
    for (let k = carried; k < outputs.length; k++) pair(outputs[k], bodyOutputs[1 + k], 0);
    return { pairs };
  }
  if (node.op === 'Scan' && typeof node.attributes.num_scan_inputs === 'number') {
    const scanned = node.attributes.num_scan_inputs;
    const states = inputs.length - scanned;
    const axes = (name: string) => (node.attributes[name] as readonly number[] | undefined) ?? [];
    for (let k = 0; k < states; k++) {
      pair(inputs[k], bodyInputs[k], undefined, k);
      pair(bodyInputs[k], bodyOutputs[k]);
      pair(outputs[k], bodyOutputs[k]);
    }
    for (let k = 0; k < scanned; k++) pair(inputs[states + k], bodyInputs[states + k], axes('scan_input_axes')[k] ?? 0, states + k);
    for (let k = states; k < outputs.length; k++) pair(outputs[k], bodyOutputs[k], axes('scan_output_axes')[k - states] ?? 0);
    return { pairs };
  }
  return undefined;
}
