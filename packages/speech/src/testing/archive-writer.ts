import { crc32, deflateRawSync } from 'node:zlib';

/** An entry of a hand-made archive. */
export interface MadeEntry {
  readonly name: string;
  readonly bytes?: Uint8Array;
  /** Target of a symbolic link. */
  readonly link?: string;
  /** tar's letter for the kind: `0` a file, `2` a symbolic link, `1` a hard link, `3` a device, `5` a folder. */
  readonly type?: string;
  /** What the archive says instead of the truth. */
  readonly stated?: { readonly size?: number; readonly checksum?: number; readonly flags?: number };
}

const nothing = new Uint8Array();

/** A tar archive (POSIX ustar), byte by byte, so that it can be wrong. */
export function writeTar(entries: readonly MadeEntry[], { end = true } = {}): Buffer {
  const pieces: Buffer[] = [];
  for (const { name, bytes = nothing, link, type = link === undefined ? '0' : '2', stated = {} } of entries) {
    const head = Buffer.alloc(512);
    head.write(name, 0, 100);
    head.write('0000644\0' + '0000000\0'.repeat(2), 100);
    head.write(`${(stated.size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124);
    head.write('00000000000\0', 136);
    head.write('        ', 148);
    head.write(type, 156);
    head.write(link ?? '', 157, 100);
    head.write('ustar\x0000', 257);
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${(stated.checksum ?? sum).toString(8).padStart(6, '0')}\0 `, 148);
    pieces.push(head, Buffer.from(bytes), Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  if (end) pieces.push(Buffer.alloc(1024));
  return Buffer.concat(pieces);
}

/** A ZIP archive (APPNOTE 6.3), byte by byte, so that it can be wrong. Entries with the same `bytes` object share their place when `shared` is set. */
export function writeZip(entries: readonly MadeEntry[], { shared = false } = {}): Buffer {
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  const places = new Map<Uint8Array, { at: number; length: number }>();
  let at = 0;
  for (const { name, bytes = nothing, link, stated = {} } of entries) {
    const content = link === undefined ? bytes : Buffer.from(link);
    const packed = deflateRawSync(content);
    const known = shared ? places.get(bytes) : undefined;
    const label = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(stated.flags ?? 0x800, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(stated.checksum ?? crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(stated.size ?? content.length, 18);
    common.writeUInt16LE(label.length, 22);
    const place = known ?? { at, length: packed.length };
    if (known === undefined) {
      const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, label, packed]);
      pieces.push(local);
      places.set(bytes, place);
      at += local.length;
    }
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(link === undefined ? 0o100644 * 65_536 : (0o120777 * 65_536) >>> 0, 6);
    tail.writeUInt32LE(place.at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, tail, label]));
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(Math.min(entries.length, 65_535), 8);
  end.writeUInt16LE(Math.min(entries.length, 65_535), 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...pieces, listed, end]);
}
