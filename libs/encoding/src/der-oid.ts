/**
 * The dotted form of an OBJECT IDENTIFIER's content octets, or undefined when they are not DER (X.690, Section 8.19):
 * a subidentifier padded with a leading 0x80 or cut off, and, as a bound of ours, one of more than 128 bits (the
 * widest in use are the UUIDs under 2.25).
 */
export function decodeOid(bytes: Uint8Array, start = 0, end = bytes.length): string | undefined {
  if (end - start > MOST_KEPT_OCTETS) return decode(bytes, start, end);
  const place = placeOf(bytes, start, end);
  const seen = KEPT[place];
  if (seen !== undefined && isAt(seen.octets, bytes, start, end)) return seen.text;
  const text = decode(bytes, start, end);
  if (text !== undefined) KEPT[place] = { octets: bytes.slice(start, end), text };
  return text;
}

interface KeptOid {
  readonly octets: Uint8Array;
  readonly text: string;
}

/**
 * Certificates have twenty each, and all have the same: what was decoded is kept, in as many places as there are octets'
 * values, and a later one takes an earlier one's. So strangers' own cost what they cost without, and hold no memory.
 */
const KEPT: (KeptOid | undefined)[] = Array.from({ length: 256 });
const MOST_KEPT_OCTETS = 16;

/** FNV-1a, folded to an octet. */
function placeOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff;
}

function isAt(octets: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (octets.length !== end - start) return false;
  for (let at = 0; at < octets.length; at++) if (octets[at] !== bytes[start + at]) return false;
  return true;
}

function decode(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (start === end || end - start > 128 || (bytes[end - 1] ?? 0) >= 0x80) return undefined;
  let text = "";
  let arc = 0;
  let arcStart = start;
  // One pass over numbers, without an array or a view.
  for (let at = start; at < end; at++) {
    const octet = bytes[at] ?? 0;
    if (at === arcStart && octet === 0x80) return undefined;
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    if (at - arcStart >= 19) return undefined;
    // Seven octets are 49 bits: exact in a double.
    const exact = at - arcStart < 7 ? arc : wideArc(bytes.subarray(arcStart, at + 1));
    text += arcStart === start ? firstArcs(exact) : `.${exact}`;
    arc = 0;
    arcStart = at + 1;
  }
  return text;
}

function wideArc(octets: Uint8Array): bigint {
  return octets.reduce((arc, octet) => (arc << 7n) | BigInt(octet & 0x7f), 0n);
}

/** The first subidentifier is 40 × arc 1 + arc 2; only under arc 2 may the second pass 39. */
function firstArcs(first: number | bigint): string {
  if (first >= 80) return `2.${typeof first === "bigint" ? first - 80n : first - 80}`;
  return `${Math.floor(Number(first) / 40)}.${Number(first) % 40}`;
}
