import type { Units } from '@coppice/core';

type AnalysedStep = Units['analysed']['steps'][number];

/** A graph as a person reads it: one node a line with the shapes of the first run, its signature, and what may go of each axis. */
export function printUnits(units: Units): string {
  const { program, trace, steps } = units.analysed;
  const { elements } = units;
  const unitOf = new Map(units.units.map((unit) => [unit.set, unit.id]));
  const axis = (id: number): string => {
    const marks = Array.from({ length: elements.sizeOf(id) }, (_, k) => {
      const set = elements.setOf(id, k);
      return elements.isFrozen(id, k) ? '' : `${unitOf.get(set) ?? '?'}`;
    });
    return marks.every((m) => m === '') ? '' : `:${marks.map((m) => m || '-').join('.')}`;
  };
  const value = (id: number, ids: readonly number[]): string => {
    if (id < 0) return '·';
    const { name, tensor } = program.values[id];
    const dims = trace.runs[0].shapes[id] ?? tensor?.dims.map(Number) ?? [];
    const constant = trace.constants.get(id);
    const contents = constant && constant.values.length <= 6 && ids.length === 0 ? `=${constant.values.join('/')}` : '';
    return `${name}[${dims.map((n, a) => `${n}${ids[a] === undefined ? '' : axis(ids[a])}`).join(' ')}]${contents}`;
  };
  const line = (step: AnalysedStep): string => {
    const inputs = step.inputs.map((id, k) => value(id, elements.table.axesOfUse(step, k)));
    const outputs = step.outputs.map((id) => value(id, elements.table.axesOf(id)));
    const what = step.region ? `region of ${step.region.members.map((m) => m.node.op).join('+')}` : step.step.node.op;
    const signature = 'frozen' in step.signature ? `FROZEN ${step.signature.frozen}` : step.signature.axes;
    return `${what} ${attributesOf(step)}\n    ${inputs.join(', ')}\n    -> ${outputs.join(', ')}\n    ${signature}`;
  };
  const groups = units.groups.map((g) => `${g.name} (${g.kind}): ${g.lanes.map((lane) => lane.join(' ')).join(' | ')}`);
  return [...steps.map(line), 'groups', ...groups].join('\n');
}

const attributesOf = (step: AnalysedStep): string => JSON.stringify(step.step.node.attributes, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : typeof v === 'object' && v !== null && '$typeName' in v ? '…' : v));
