import { crc32, inflateRawSync } from "node:zlib";
import { Malformed, TooLarge } from "@chancery/fault";

/** One member of a gzip file, RFC 1952, Section 2.2. */
export interface GzipMember {
  readonly content: Uint8Array;
  /** Where the next member begins. */
  readonly end: number;
}

const HEADER_LENGTH = 10;
const TRAILER_LENGTH = 8;
/** FLG, Section 2.3.1. */
const Flag = { HCRC: 0x02, EXTRA: 0x04, NAME: 0x08, COMMENT: 0x10, RESERVED: 0xe0 } as const;

/**
 * ```text
 * member = 1f 8b 08 FLG MTIME(4) XFL OS [XLEN extra] [name 00] [comment 00] [CRC16] deflate CRC32(4) ISIZE(4)
 * ```
 *
 * Inflates no further than `maxBytes`, whatever the member says of its size.
 */
export function readGzipMember(bytes: Uint8Array, start: number, maxBytes: number, field: string): GzipMember {
  const deflated = bytes.subarray(start + headerLength(bytes.subarray(start), field));
  const { buffer, engine } = inflate(deflated, maxBytes, field);
  const trailer = deflated.subarray(engine.bytesWritten, engine.bytesWritten + TRAILER_LENGTH);
  if (trailer.length < TRAILER_LENGTH) throw new Malformed(`${field}: ends inside a gzip member`);
  const view = new DataView(trailer.buffer, trailer.byteOffset, TRAILER_LENGTH);
  if (view.getUint32(0, true) !== crc32(buffer) || view.getUint32(4, true) !== buffer.length) {
    throw new Malformed(`${field}: a gzip member with a wrong checksum`);
  }
  const content = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
  return { content, end: deflated.byteOffset - bytes.byteOffset + engine.bytesWritten + TRAILER_LENGTH };
}

interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

function inflate(deflated: Uint8Array, maxOutputLength: number, field: string): Inflated {
  try {
    // With `info` the answer is this object, which Node's types do not know.
    return inflateRawSync(deflated, { maxOutputLength, info: true }) as unknown as Inflated;
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new TooLarge(`${field}: a gzip member of more than ${maxOutputLength} bytes`, { cause });
    }
    throw new Malformed(`${field}: not gzip`, { cause });
  }
}

function headerLength(member: Uint8Array, field: string): number {
  const flags = member[3] ?? 0;
  if (member[0] !== 0x1f || member[1] !== 0x8b || member[2] !== 8 || (flags & Flag.RESERVED) !== 0) {
    throw new Malformed(`${field}: not gzip`);
  }
  let at = HEADER_LENGTH;
  if (flags & Flag.EXTRA) at += 2 + (member[at] ?? 0) + ((member[at + 1] ?? 0) << 8);
  if (flags & Flag.NAME) at = afterZero(member, at, field);
  if (flags & Flag.COMMENT) at = afterZero(member, at, field);
  if (flags & Flag.HCRC) at += 2;
  return at;
}

function afterZero(member: Uint8Array, from: number, field: string): number {
  const zero = member.indexOf(0, from);
  if (zero < 0) throw new Malformed(`${field}: not gzip`);
  return zero + 1;
}
