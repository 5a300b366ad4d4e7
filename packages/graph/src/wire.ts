import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { CoppiceError } from './errors.ts';

/** How a known field must look, and what decoding it costs. */
interface Field {
  readonly wireType: number;
  /** Number lists may also come packed, with wire type 2. */
  readonly packable: boolean;
  /** Heap bytes of one value of the field. */
  readonly cost: number;
  /** Bytes of one packed value; 0 when it varies. */
  readonly width: number;
  readonly message: ReadonlyMap<number, Field> | undefined;
}

/** Levels of messages within messages: a subgraph takes three, so this is thirty of them. */
const deepest = 95;
/** Heap that decoding may take, in bytes. Views on the file are not heap. Node's own limit is 2 to 4 GB. */
const mostHeap = 1.6e9;

// Measured on Node 24, rounded up.
const messageCost = 260;
const viewCost = 130;
const unknownCost = 200;

const tables = new Map<DescMessage, Map<number, Field>>();

function tableOf(desc: DescMessage): ReadonlyMap<number, Field> {
  const known = tables.get(desc);
  if (known) return known;
  const table = new Map<number, Field>();
  tables.set(desc, table);
  for (const field of desc.fields) table.set(field.number, describe(field));
  return table;
}

function describe(field: DescField): Field {
  const many = field.fieldKind === 'list';
  const message = field.message ? tableOf(field.message) : undefined;
  const scalar = field.scalar;
  const width = scalar === ScalarType.FLOAT ? 4 : scalar === ScalarType.DOUBLE ? 8 : 0;
  const text = message !== undefined || scalar === ScalarType.STRING || scalar === ScalarType.BYTES;
  const cost = message ? messageCost : scalar === ScalarType.BYTES ? viewCost : scalar === ScalarType.INT64 || scalar === ScalarType.UINT64 ? 40 : 16;
  return { wireType: text ? 2 : width === 4 ? 5 : width === 8 ? 1 : 0, packable: many && !text, cost, width, message };
}

/**
 * Walks the bytes of a message without decoding it, in time linear in their number: every length must lie within its
 * parent, every known field have its own wire type, and decoding must fit into memory (two bytes can state a whole node).
 * @throws CoppiceError `COPPICE_MODEL_MALFORMED` with the offset, `COPPICE_MODEL_TOO_LARGE`
 */
export function checkWire(desc: DescMessage, bytes: Uint8Array): void {
  let at = 0;
  let heap = 0;

  const fail = (what: string): never => {
    throw new CoppiceError('COPPICE_MODEL_MALFORMED', `${what} at byte ${at} of ${bytes.length}`);
  };
  const spend = (cost: number): void => {
    heap += cost;
    if (heap > mostHeap) {
      throw new CoppiceError('COPPICE_MODEL_TOO_LARGE', `The file has ${bytes.length} bytes, but so many small parts that reading it would take more than ${mostHeap / 1e9} GB of memory. If it is a real model, store its weights as raw data.`);
    }
  };
  const varint = (end: number): number => {
    let value = 0;
    let scale = 1;
    for (let k = 0; k < 10; k++) {
      if (at >= end) fail('The data end within a number');
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return fail('A number is longer than ten bytes');
  };
  const skip = (length: number, end: number): void => {
    if (length > end - at) fail(`${length} bytes are announced where only ${end - at} are left,`);
    at += length;
  };
  const packed = (field: Field, length: number): void => {
    const stop = at + length;
    if (field.width > 0) {
      if (length % field.width !== 0) fail(`A list of ${field.width}-byte numbers has ${length} bytes,`);
      spend((length / field.width) * field.cost);
      at = stop;
      return;
    }
    let count = 0;
    for (let k = at; k < stop; k++) if (bytes[k] < 0x80) count++;
    spend(count * field.cost);
    if (length > 0 && bytes[stop - 1] >= 0x80) fail('A list of numbers ends within one of them,');
    at = stop;
  };
  const unknown = (wireType: number, number: number, end: number, depth: number): void => {
    spend(unknownCost);
    if (wireType === 0) varint(end);
    else if (wireType === 1) skip(8, end);
    else if (wireType === 5) skip(4, end);
    else if (wireType === 2) skip(varint(end), end);
    else if (wireType === 3) group(number, end, depth + 1);
    else fail(`A field has the impossible wire type ${wireType}`);
  };
  const group = (number: number, end: number, depth: number): void => {
    if (depth > deepest) fail('Parts are nested too deeply');
    for (;;) {
      const tag = readTag(end);
      if (tag.wireType === 4) {
        if (tag.number !== number) fail('Groups are not nested properly');
        return;
      }
      unknown(tag.wireType, tag.number, end, depth);
    }
  };
  const readTag = (end: number): { number: number; wireType: number } => {
    const tag = varint(end);
    if (tag > 0xffffffff || tag < 8) fail('A field has an impossible number');
    return { number: Math.floor(tag / 8), wireType: tag % 8 };
  };
  const message = (table: ReadonlyMap<number, Field>, end: number, depth: number): void => {
    if (depth > deepest) fail('Parts are nested too deeply');
    while (at < end) {
      const { number, wireType } = readTag(end);
      const field = table.get(number);
      if (!field) {
        unknown(wireType, number, end, depth);
        continue;
      }
      if (wireType !== field.wireType && !(field.packable && wireType === 2)) fail(`Field ${number} has wire type ${wireType} where ${field.wireType} belongs,`);
      if (wireType === 0) varint(end);
      else if (wireType !== 2) skip(field.width, end);
      else {
        const length = varint(end);
        if (length > end - at) fail(`${length} bytes are announced where only ${end - at} are left,`);
        if (field.packable) {
          packed(field, length);
          continue;
        }
        if (field.message) message(field.message, at + length, depth + 1);
        else at += length;
      }
      spend(field.cost);
    }
  };
  message(tableOf(desc), bytes.length, 1);
}
