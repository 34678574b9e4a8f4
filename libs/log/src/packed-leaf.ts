import { encodeBase64OfText, encodePem } from "@chancery/encoding";

/*
 * Leaves as they lie in the database. A JSON leaf is base64 for the most part, and a certificate in one twice over: its
 * bytes take half the room. What is stored of it is
 *
 *     0x01, then for each piece of the leaf: kind (1 octet), length (2, big-endian), octets
 *
 * where the octets are the piece itself (0), what it is the base64 of (1), or the DER of the PEM that it is the base64 of
 * (2, 3). Whatever does not begin so is the leaf itself.
 */
const PACKED = 0x01;
const LITERAL = 0;
const BASE64 = 1;
const PEM_LABELS: ReadonlyMap<number, string> = new Map([
  [2, "CERTIFICATE"],
  [3, "PUBLIC KEY"],
]);
const HEADER = 3;

const JSON_OBJECT = 0x7b;
const LONGEST = 0xffff;
/** Of base64; shorter texts gain nothing. */
const SHORTEST = 64;

/**
 * What may be stored for a leaf, if it unpacks to that leaf: whoever stores it MUST see to that. A leaf that is not JSON
 * stays as it is. `text` is its leafText.
 */
export function packLeaf(leaf: Uint8Array, text: string): Uint8Array {
  if (leaf.length > LONGEST || (leaf[0] !== JSON_OBJECT && leaf[0] !== PACKED)) return leaf;
  room[0] = PACKED;
  let length = 1;
  let done = 0;
  for (let start = 0, end = 0; end >= 0; start = end + 1) {
    end = text.indexOf('"', start);
    if (end - start < SHORTEST || (end - start) % 4 !== 0) continue;
    // Each saves more than the headers of two pieces take: all find room.
    const place = length + HEADER + start - done + HEADER;
    const piece = decodeAt(place, text.slice(start, end));
    if (piece === undefined) continue;
    writeLiteral(length, leaf.subarray(done, start));
    writeHeader(place - HEADER, piece.kind, piece.length);
    length = place + piece.length;
    done = end;
  }
  if (done === 0 && leaf[0] !== PACKED) return leaf;
  writeLiteral(length, leaf.subarray(done));
  length += HEADER + leaf.length - done;
  return room.slice(0, length);
}

/**
 * Room for a leaf of any length, used anew by each call: as memory of their own the pieces of a leaf with a certificate
 * cost more than to decode them. Each is decoded where it is to stand.
 */
const room = new Uint8Array(1 + HEADER + LONGEST);
const roomAsText = Buffer.from(room.buffer);

function writeLiteral(at: number, octets: Uint8Array): void {
  writeHeader(at, LITERAL, octets.length);
  room.set(octets, at + HEADER);
}

function writeHeader(at: number, kind: number, length: number): void {
  room[at] = kind;
  room[at + 1] = length >> 8;
  room[at + 2] = length & 0xff;
}

/** Writes what the text is the base64 of, or the DER of the PEM that it is the base64 of; undefined where it is no base64. */
function decodeAt(place: number, base64: string): { readonly kind: number; readonly length: number } | undefined {
  const target = room.subarray(place);
  const length = decodeInto(target, base64);
  // White space is passed over and would not come back.
  if (length === undefined || base64.length !== 4 * Math.ceil(length / 3)) return undefined;
  if (room[place] !== DASH) return { kind: BASE64, length };
  const pem = roomAsText.toString("latin1", place, place + length);
  for (const [kind, label] of PEM_LABELS) {
    const [begin, end] = [`-----BEGIN ${label}-----\n`, `\n-----END ${label}-----\n`];
    if (!pem.startsWith(begin) || !pem.endsWith(end)) continue;
    // Whether it is written as it is logged will show when it is unpacked.
    const derLength = decodeInto(target, pem.slice(begin.length, -end.length));
    if (derLength !== undefined) return { kind, length: derLength };
  }
  roomAsText.write(pem, place, "latin1");
  return { kind: BASE64, length };
}

const DASH = 0x2d;

function decodeInto(target: Uint8Array, base64: string): number | undefined {
  try {
    return target.setFromBase64(base64, { lastChunkHandling: "strict" }).written;
  } catch {
    return undefined;
  }
}

/** The leaf of what is stored; it shares its memory where that is the leaf itself. */
export function unpackLeaf(stored: Uint8Array): Uint8Array {
  const text = stored[0] === PACKED ? unpackText(stored) : undefined;
  // Nothing that was ever stored: as it lies there its hash is found to be wrong, as that of any other changed row.
  if (text === undefined) return stored;
  const leaf = Buffer.from(text, "latin1");
  return new Uint8Array(leaf.buffer, leaf.byteOffset, leaf.length);
}

/** Whether what is stored unpacks to the leaf of this text: without the memory that the leaf would take. */
export function isPackedOf(stored: Uint8Array, text: string): boolean {
  const unpacked = stored[0] === PACKED ? unpackText(stored) : undefined;
  return (unpacked ?? leafText(stored)) === text;
}

/**
 * A character an octet: as bytes each piece cost an allocation of its own (12.4 µs a leaf against 4.5). Undefined of what is
 * not packed as it should be.
 */
function unpackText(stored: Uint8Array): string | undefined {
  const octets = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  let text = "";
  for (let at = 1; at < octets.length;) {
    const kind = octets[at] ?? LITERAL;
    const start = at + HEADER;
    at = start + (octets[at + 1] ?? 0) * 256 + (octets[at + 2] ?? 0);
    const piece = at > octets.length ? undefined : unpackPiece(kind, octets, start, at);
    if (piece === undefined) return undefined;
    text += piece;
  }
  return text;
}

function unpackPiece(kind: number, octets: Buffer, start: number, end: number): string | undefined {
  if (kind === LITERAL) return octets.toString("latin1", start, end);
  if (kind === BASE64) return octets.toString("base64", start, end);
  const label = PEM_LABELS.get(kind);
  return label && encodeBase64OfText(encodePem(label, octets.subarray(start, end)));
}

/** A character an octet: places in the text are places in the leaf. */
export function leafText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
