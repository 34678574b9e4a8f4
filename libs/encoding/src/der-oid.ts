/**
 * The dotted form of an OBJECT IDENTIFIER's content octets, or undefined when they are not DER (X.690, Section 8.19):
 * a subidentifier padded with a leading 0x80 or cut off, and, as a bound of ours, one of more than 128 bits (the
 * widest in use are the UUIDs under 2.25).
 */
export function decodeOid(content: Uint8Array): string | undefined {
  if (content.length === 0 || content.length > 128 || (content.at(-1) ?? 0) >= 0x80) return undefined;
  const arcs: (number | bigint)[] = [];
  for (let at = 0; at < content.length;) {
    let end = at;
    while ((content[end] ?? 0) >= 0x80) end++;
    if (content[at] === 0x80 || end - at >= 19) return undefined;
    arcs.push(subidentifier(content.subarray(at, end + 1)));
    at = end + 1;
  }
  const [first = 0, ...rest] = arcs;
  return [...splitFirst(first), ...rest].join(".");
}

function subidentifier(octets: Uint8Array): number | bigint {
  // Seven octets are 49 bits: exact in a double.
  if (octets.length <= 7) return octets.reduce((arc, octet) => arc * 128 + (octet & 0x7f), 0);
  return octets.reduce((arc, octet) => (arc << 7n) | BigInt(octet & 0x7f), 0n);
}

/** The first subidentifier is 40 × arc 1 + arc 2; only under arc 2 may the second pass 39. */
function splitFirst(first: number | bigint): [number, number | bigint] {
  if (first >= 80) return [2, typeof first === "bigint" ? first - 80n : first - 80];
  return [Math.floor(Number(first) / 40), Number(first) % 40];
}
