import { concatBytes } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

export interface PgpPacket {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Packet types of RFC 9580, Section 5. */
export const PgpTag = {
  SIGNATURE: 2,
  SECRET_KEY: 5,
  PUBLIC_KEY: 6,
  SECRET_SUBKEY: 7,
  MARKER: 10,
  TRUST: 12,
  USER_ID: 13,
  PUBLIC_SUBKEY: 14,
  USER_ATTRIBUTE: 17,
} as const;

/** RFC 9580, Section 4.2, in the new format and the old. Lengths that are not known beforehand have no place in keys and signatures. */
export function readPgpPackets(bytes: Uint8Array, field: string, max: number): PgpPacket[] {
  const packets: PgpPacket[] = [];
  for (let at = 0; at < bytes.length;) {
    if (packets.length === max) throw new Malformed(`${field}: more than ${max} OpenPGP packets`);
    const { tag, start, end } = readHeader(bytes, at, field);
    packets.push({ tag, body: bytes.subarray(start, end) });
    at = end;
  }
  return packets;
}

/** In the new format, its length as short as it can be: upstream's form. */
export function writePgpPacket({ tag, body }: PgpPacket): Uint8Array {
  return concatBytes(Uint8Array.of(0xc0 | tag), lengthOctets(body.length), body);
}

/** The parts of a subpacket area, each its type octet with the critical bit, then its body. RFC 9580, Section 5.2.3.7. */
export function readSubpackets(area: Uint8Array, field: string): Uint8Array[] {
  const subpackets: Uint8Array[] = [];
  for (let at = 0; at < area.length;) {
    const { length, start } = newLength(area, at, field);
    const end = start + length;
    if (length === 0 || end > area.length) throw new Malformed(`${field}: a signature subpacket that is cut off`);
    subpackets.push(area.subarray(start, end));
    at = end;
  }
  return subpackets;
}

function readHeader(bytes: Uint8Array, at: number, field: string): { tag: number; start: number; end: number } {
  const first = bytes[at] ?? 0;
  if ((first & 0x80) === 0) throw new Malformed(`${field}: not OpenPGP`);
  const isNew = (first & 0x40) !== 0;
  const { length, start } = isNew ? newLength(bytes, at + 1, field) : oldLength(bytes, at + 1, first & 3, field);
  const end = start + length;
  if (end > bytes.length) throw new Malformed(`${field}: an OpenPGP packet that is cut off`);
  return { tag: isNew ? first & 0x3f : (first & 0x3f) >> 2, start, end };
}

function newLength(bytes: Uint8Array, at: number, field: string): { length: number; start: number } {
  const first = bytes[at] ?? 0;
  if (first < 192) return { length: first, start: at + 1 };
  if (first < 224) return { length: ((first - 192) << 8) + (bytes[at + 1] ?? 0) + 192, start: at + 2 };
  if (first < 255) throw new Malformed(`${field}: an OpenPGP packet in parts`);
  return { length: bigEndian(bytes.subarray(at + 1, at + 5)), start: at + 5 };
}

function oldLength(bytes: Uint8Array, at: number, type: number, field: string): { length: number; start: number } {
  if (type === 3) throw new Malformed(`${field}: an OpenPGP packet of no known length`);
  const start = at + (1 << type);
  return { length: bigEndian(bytes.subarray(at, start)), start };
}

function bigEndian(octets: Uint8Array): number {
  return octets.reduce((value, octet) => value * 256 + octet, 0);
}

function lengthOctets(length: number): Uint8Array {
  if (length < 192) return Uint8Array.of(length);
  if (length < 8384) return Uint8Array.of(192 + ((length - 192) >> 8), (length - 192) & 0xff);
  return Uint8Array.of(255, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff);
}
