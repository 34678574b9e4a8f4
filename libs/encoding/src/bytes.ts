const encoder = new TextEncoder();

/** Octets that V8 14.6 keeps within its heap; a view of them moves them out. */
export const MOST_ON_HEAP = 64;

/** Short ASCII is written here: what the encoder answers lies outside of the heap, however short, and has to be freed. */
export function utf8(text: string): Uint8Array {
  if (text.length > MOST_ON_HEAP) return encoder.encode(text);
  const octets = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x80) return encoder.encode(text);
    octets[at] = unit;
  }
  return octets;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** For public bytes only: it stops at the first difference, so its time tells where that is. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic by octet, a prefix before what it begins: the order DER's SET OF asks for. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return Math.sign(a.length - b.length);
}
