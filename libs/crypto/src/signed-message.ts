import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { HashAlgorithm } from "./sha.ts";

/** ECDSA on P-256 with the signature in DER (RFC 3279, Section 2.2.3), or RSASSA-PKCS1-v1_5. */
export type MessageScheme = "ecdsa-p256" | "rsa-pkcs1";

/** A message with its signature and the key, as DER, that is said to have made it. */
export interface SignedMessage {
  readonly scheme: MessageScheme;
  readonly hash: HashAlgorithm;
  readonly spki: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** RSA keys are issuers' and come again and again; where there are more than these, all are read anew. */
const MOST_KEYS = 64;
const rsaKeys = new Map<string, KeyObject>();

/** Throws what OpenSSL throws at a key that it cannot read. */
export function verifySignedMessage({ scheme, hash, spki, message, signature }: SignedMessage): boolean {
  if (scheme === "rsa-pkcs1") {
    return verify(hash, message, { key: rsaKey(spki), padding: constants.RSA_PKCS1_PADDING }, signature);
  }
  // As bytes: a KeyObject would be a finaliser for the collector, of a client's key, which never comes again.
  return verify(hash, message, { key: derOf(spki), format: "der", type: "spki", dsaEncoding: "der" }, signature);
}

function rsaKey(spki: Uint8Array): KeyObject {
  const der = derOf(spki);
  const name = der.toString("latin1");
  const known = rsaKeys.get(name);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  if (rsaKeys.size >= MOST_KEYS) rsaKeys.clear();
  rsaKeys.set(name, key);
  return key;
}

function derOf(spki: Uint8Array): Buffer {
  return Buffer.from(spki.buffer, spki.byteOffset, spki.length);
}
