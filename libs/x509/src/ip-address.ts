import { Malformed } from "@chancery/fault";

/** The 4 or 16 octets of an iPAddress name. RFC 5280, Section 4.2.1.6. */
export function parseIpAddress(text: string): Uint8Array {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** IPv4 dotted, IPv6 in eight groups without compression: one spelling for one address. */
export function formatIpAddress(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) throw new Malformed("subject alternative name: an IP address has 4 or 16 bytes");
  const view = new DataView(octets.buffer, octets.byteOffset, 16);
  return Array.from({ length: 8 }, (_, group) => view.getUint16(group * 2).toString(16)).join(":");
}

function parseIpv4(text: string): Uint8Array {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    throw new Malformed("subject alternative name: not an IP address");
  }
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array {
  const [head = "", tail, ...more] = text.split("::");
  const [before, after] = [groups(head), groups(tail ?? "")];
  const missing = 8 - before.length - after.length;
  const all = [...before, ...Array.from({ length: Math.max(missing, 0) }, () => "0"), ...after];
  const compressed = tail !== undefined;
  const wellFormed = all.length === 8 && (compressed ? missing > 0 : missing === 0) && more.length === 0;
  if (!wellFormed || !all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) {
    throw new Malformed("subject alternative name: not an IP address");
  }
  const octets = new Uint8Array(16);
  const view = new DataView(octets.buffer);
  for (const [place, group] of all.entries()) view.setUint16(place * 2, Number.parseInt(group, 16));
  return octets;
}

function groups(part: string): string[] {
  return part === "" ? [] : part.split(":");
}
