import { graphOf, withFields, type Model, type StringStringEntryProto, type ValueInfoProto } from '@coppice/graph';

/** New dimensions of inputs and outputs that became narrower, by name. */
export type ReleasedShapes = Readonly<Record<string, readonly (number | string)[]>>;

/** The key in `metadata_props` under which a slim model says what became of its states. */
export const RELEASED_KEY = 'coppice.released';

/** What the slim model declares otherwise than the original. */
export function releasedShapes(original: Model, slim: Model): ReleasedShapes {
  const declared = (model: Model): [string, (number | string)[]][] => [...graphOf(model).input, ...graphOf(model).output].map((info) => [info.name, dimsOf(info)]);
  const before = new Map(declared(original));
  return Object.fromEntries(declared(slim).filter(([name, dims]) => before.has(name) && String(before.get(name)) !== String(dims)));
}

/** The slim model with a record of its new shapes, where it has any. */
export function noteReleased(slim: Model, released: ReleasedShapes): Model {
  if (Object.keys(released).length === 0) return slim;
  const others = slim.proto.metadataProps.filter(({ key }) => key !== RELEASED_KEY);
  const entry: StringStringEntryProto = { $typeName: 'onnx.StringStringEntryProto', key: RELEASED_KEY, value: JSON.stringify(released) };
  return { ...slim, proto: withFields(slim.proto, { metadataProps: [...others, entry] }) };
}

function dimsOf({ type }: ValueInfoProto): (number | string)[] {
  if (type?.value.case !== 'tensorType') return [];
  return (type.value.value.shape?.dim ?? []).map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : (value.value ?? '?')));
}
