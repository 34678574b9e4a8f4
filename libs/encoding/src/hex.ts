import { Malformed } from "@chancery/fault";

export function encodeHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** RFC 4648, Section 8, in either case. No prefix, no separators, an even number of digits. */
export function decodeHex(text: string, field: string): Uint8Array {
  try {
    return Uint8Array.fromHex(text);
  } catch {
    throw new Malformed(`${field}: not hexadecimal`);
  }
}
