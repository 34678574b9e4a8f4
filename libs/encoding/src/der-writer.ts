import { compareBytes, concatBytes, utf8 } from "./bytes.ts";
import { Tag } from "./der-tag.ts";

/**
 * Writes DER (X.690, Sections 10 and 11), a function for each type; each answers a whole TLV, so that values nest by
 * nesting calls. What is written is the program's own choice: a value that has no encoding (a month 13, a letter é in
 * a PrintableString) is a fault of the program, a TypeError.
 */
export const der = {
  tlv,
  sequence: (...parts: readonly Uint8Array[]): Uint8Array => tlv(Tag.SEQUENCE, ...parts),
  /** SET OF: its members in ascending order of their encodings. X.690, Section 11.6. */
  set: (...parts: readonly Uint8Array[]): Uint8Array => tlv(Tag.SET, ...parts.toSorted(compareBytes)),
  integer: (value: bigint | number): Uint8Array => tlv(Tag.INTEGER, twosComplement(BigInt(value))),
  /** A non-negative INTEGER from its big-endian magnitude, however it is padded. */
  integerBytes: (magnitude: Uint8Array): Uint8Array => tlv(Tag.INTEGER, minimalMagnitude(magnitude)),
  boolean: (value: boolean): Uint8Array => tlv(Tag.BOOLEAN, Uint8Array.of(value ? 0xff : 0x00)),
  null: (): Uint8Array => Uint8Array.of(Tag.NULL, 0),
  oid,
  octetString: (bytes: Uint8Array): Uint8Array => tlv(Tag.OCTET_STRING, bytes),
  bitString: (bytes: Uint8Array, unusedBits = 0): Uint8Array =>
    tlv(Tag.BIT_STRING, Uint8Array.of(unusedBits), clearUnused(bytes, unusedBits)),
  utf8String: (text: string): Uint8Array => tlv(Tag.UTF8_STRING, utf8(checked(text, /^\P{Cs}*$/u))),
  printableString: (text: string): Uint8Array =>
    tlv(Tag.PRINTABLE_STRING, utf8(checked(text, /^[A-Za-z0-9 '()+,\-./:=?]*$/))),
  // oxlint-disable-next-line no-control-regex -- IA5 is ASCII with its control characters.
  ia5String: (text: string): Uint8Array => tlv(Tag.IA5_STRING, utf8(checked(text, /^[\x00-\x7f]*$/))),
  utcTime,
  generalizedTime,
  /** RFC 5280, Section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
  time: (time: Date): Uint8Array => (inUtcTime(time) ? utcTime(time) : generalizedTime(time)),
  /** [tag] around whole TLVs: EXPLICIT, and equally an IMPLICIT sequence or set of them. */
  explicit: (tag: number, ...content: readonly Uint8Array[]): Uint8Array =>
    tlv(Tag.CONTEXT_CONSTRUCTED | lowTag(tag), ...content),
  /** [tag] IMPLICIT in place of a primitive type's own tag, around its content octets. */
  implicit: (tag: number, content: Uint8Array): Uint8Array => tlv(Tag.CONTEXT | lowTag(tag), content),
};

function tlv(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const lengthOctets = length < 0x80 ? 0 : octetsOf(length);
  const out = new Uint8Array(2 + lengthOctets + length);
  out[0] = tag;
  out[1] = lengthOctets === 0 ? length : 0x80 | lengthOctets;
  for (let i = 0, rest = length; i < lengthOctets; i++, rest >>>= 8) out[1 + lengthOctets - i] = rest & 0xff;
  let at = 2 + lengthOctets;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function octetsOf(length: number): number {
  return length < 0x100 ? 1 : length < 0x10000 ? 2 : length < 0x1000000 ? 3 : 4;
}

function lowTag(tag: number): number {
  if (!Number.isInteger(tag) || tag < 0 || tag > 30) throw new TypeError(`no single-octet context tag ${tag}`);
  return tag;
}

/** X.690, Section 8.3.2: the first nine bits are neither all ones nor all zeros. */
function twosComplement(value: bigint): Uint8Array {
  let length = 1;
  while (BigInt.asIntN(length * 8, value) !== value) length++;
  const octets = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) octets[i] = Number(rest & 0xffn);
  return octets;
}

function minimalMagnitude(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length && magnitude[start] === 0) start++;
  const significant = start === 0 ? magnitude : magnitude.subarray(start);
  return (significant[0] ?? 0x80) < 0x80 ? significant : concatBytes(Uint8Array.of(0), significant);
}

/** X.690, Section 11.2.1: each unused bit is zero. */
function clearUnused(bytes: Uint8Array, unusedBits: number): Uint8Array {
  if (unusedBits < 0 || unusedBits > 7 || (bytes.length === 0 && unusedBits !== 0)) {
    throw new TypeError(`a bit string of ${bytes.length} octets cannot leave ${unusedBits} bits unused`);
  }
  if (unusedBits === 0) return bytes;
  const cleared = Uint8Array.from(bytes);
  cleared[cleared.length - 1] = (cleared.at(-1) ?? 0) & (0xff << unusedBits);
  return cleared;
}

function oid(dotted: string): Uint8Array {
  const known = oids.get(dotted);
  if (known !== undefined) return known.slice();
  const encoded = tlv(Tag.OID, encodeArcs(dotted));
  // The program writes a few dozen identifiers; the cap only keeps a mistake from becoming a leak.
  if (oids.size < 256) oids.set(dotted, encoded);
  return encoded.slice();
}

const oids = new Map<string, Uint8Array>();

/** X.690, Section 8.19: the first two arcs share a subidentifier; each is base 128, most significant group first. */
function encodeArcs(dotted: string): Uint8Array {
  if (!/^[012](?:\.(?:0|[1-9]\d*))+$/.test(dotted)) throw new TypeError(`${dotted} is not an object identifier`);
  const [first = 0n, second = 0n, ...rest] = dotted.split(".").map(BigInt);
  if (first < 2n && second > 39n) throw new TypeError(`${dotted} is not an object identifier`);
  return Uint8Array.from([first * 40n + second, ...rest].flatMap(base128));
}

function base128(arc: bigint): number[] {
  const groups = [Number(arc & 0x7fn)];
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) groups.unshift(Number(rest & 0x7fn) | 0x80);
  return groups;
}

function inUtcTime(time: Date): boolean {
  const year = time.getUTCFullYear();
  return year >= 1950 && year < 2050;
}

function utcTime(time: Date): Uint8Array {
  if (!inUtcTime(time)) throw new TypeError("UTCTime has no such year");
  return tlv(Tag.UTC_TIME, utf8(`${digitsOf(time).slice(2)}Z`));
}

/**
 * Whole seconds unless `fraction`, which keeps the milliseconds; X.690, Section 11.7 forbids trailing zeros there, and
 * RFC 5280, Section 4.1.2.5.2 forbids the fraction in certificates altogether.
 */
function generalizedTime(time: Date, options: { readonly fraction?: boolean } = {}): Uint8Array {
  const milliseconds = options.fraction === true ? time.getUTCMilliseconds() : 0;
  const fraction = milliseconds === 0 ? "" : `.${String(milliseconds).padStart(3, "0").replace(/0+$/, "")}`;
  return tlv(Tag.GENERALIZED_TIME, utf8(`${digitsOf(time)}${fraction}Z`));
}

/** YYYYMMDDHHMMSS. */
function digitsOf(time: Date): string {
  const iso = time.toISOString();
  if (iso.length !== 24) throw new TypeError("ASN.1 time has no such year");
  return (
    iso.slice(0, 4) + iso.slice(5, 7) + iso.slice(8, 10) + iso.slice(11, 13) + iso.slice(14, 16) + iso.slice(17, 19)
  );
}

function checked(text: string, alphabet: RegExp): string {
  if (!alphabet.test(text)) throw new TypeError("text outside the string type's alphabet");
  return text;
}
