import type { HashAlgorithm } from "./sha.ts";
import type { MessageScheme, SignedMessage } from "./signed-message.ts";

const SCHEMES: readonly MessageScheme[] = ["ecdsa-p256", "rsa-pkcs1"];
const HASHES: readonly HashAlgorithm[] = ["sha256", "sha384", "sha512"];
/** Two octets, three lengths of four each. */
const HEADER = 14;

/**
 * Signed messages on their way to a thread, as one piece of memory that changes hands. Of each: scheme and hash, an octet
 * each; the lengths of key, message and signature, four octets each; key, message, signature.
 */
export function packMessages(all: readonly SignedMessage[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const { spki, message, signature } of all) {
    length += HEADER + spki.length + message.length + signature.length;
  }
  const packed = new Uint8Array(length);
  const numbers = new DataView(packed.buffer);
  let at = 0;
  for (const { scheme, hash, spki, message, signature } of all) {
    packed[at] = SCHEMES.indexOf(scheme);
    packed[at + 1] = HASHES.indexOf(hash);
    let field = at + 2;
    at += HEADER;
    for (const part of [spki, message, signature]) {
      numbers.setUint32(field, part.length);
      field += 4;
      packed.set(part, at);
      at += part.length;
    }
  }
  return packed;
}

export function unpackMessages(packed: Uint8Array): SignedMessage[] {
  const numbers = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const all: SignedMessage[] = [];
  for (let at = 0; at < packed.length;) {
    const header = at;
    at += HEADER;
    const part = (field: number) => packed.subarray(at, (at += numbers.getUint32(header + field)));
    all.push({
      scheme: named(SCHEMES, packed[header]),
      hash: named(HASHES, packed[header + 1]),
      spki: part(2),
      message: part(6),
      signature: part(10),
    });
  }
  return all;
}

function named<T>(names: readonly T[], at: number | undefined): T {
  const name = names[at ?? -1];
  if (name === undefined) throw new RangeError("a message between threads names what there is not");
  return name;
}
