/**
 * The dotted form of an OBJECT IDENTIFIER's content octets, or undefined when they are not DER (X.690, Section 8.19):
 * a subidentifier padded with a leading 0x80 or cut off, and, as a bound of ours, one of more than 128 bits (the
 * widest in use are the UUIDs under 2.25).
 */
export function decodeOid(content: Uint8Array): string | undefined {
  if (content.length === 0 || content.length > 128 || (content.at(-1) ?? 0) >= 0x80) return undefined;
  let text = "";
  let arc = 0;
  let start = 0;
  // Each certificate has some twenty: one pass over numbers, without an array or a view.
  for (let at = 0; at < content.length; at++) {
    const octet = content[at] ?? 0;
    if (at === start && octet === 0x80) return undefined;
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    if (at - start >= 19) return undefined;
    // Seven octets are 49 bits: exact in a double.
    const exact = at - start < 7 ? arc : wideArc(content.subarray(start, at + 1));
    text += start === 0 ? firstArcs(exact) : `.${exact}`;
    arc = 0;
    start = at + 1;
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
