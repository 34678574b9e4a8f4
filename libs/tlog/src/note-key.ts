import { type PublicKey, sha256 } from "@chancery/crypto";
import { concatBytes, utf8 } from "@chancery/encoding";
import { Unsupported } from "@chancery/fault";

/** Bytes of the key ID that a note's signature line carries. */
export const KEY_HASH_SIZE = 4;

/**
 * How a signature on a note is made, and so how its key is named. c2sp.org/signed-note, "Signature types".
 *
 * - `ed25519`, type 0x01, over the text.
 * - `ecdsa`, type 0x02: over the text. Its key ID does not depend on the name.
 * - `rfc6962`, type 0x05: a tree head signature, c2sp.org/static-ct-api.
 * - `rsa`, type 0xff with a longer identifier, as rekor-tiles has it: over the text, PKCS #1 v1.5.
 */
export type NoteKeyRule = "ed25519" | "ecdsa" | "rfc6962" | "rsa";

/** The rule for a key that signs note texts themselves. */
export function noteKeyRule(key: PublicKey): Exclude<NoteKeyRule, "rfc6962"> {
  if (key.algorithm === "ed25519") return "ed25519";
  return key.algorithm.startsWith("ecdsa-") ? "ecdsa" : "rsa";
}

/** The full 32 bytes, which Rekor v2 also calls its log ID. */
export function noteKeyId(rule: NoteKeyRule, name: string, key: PublicKey): Uint8Array {
  if (rule === "ecdsa") return sha256(key.spki);
  if (rule === "ed25519") return namedKeyId(name, Uint8Array.of(0x01), ed25519Point(key));
  // The key of an RFC 6962 log stands in its key ID as the log ID, SHA-256 of the SPKI.
  if (rule === "rfc6962") return namedKeyId(name, Uint8Array.of(0x05), sha256(key.spki));
  return namedKeyId(name, Uint8Array.of(0xff), utf8("PKIX-RSA-PKCS#1v1.5"), key.spki);
}

export function noteKeyHash(rule: NoteKeyRule, name: string, key: PublicKey): Uint8Array {
  return noteKeyId(rule, name, key).slice(0, KEY_HASH_SIZE);
}

/** "key ID = SHA-256(key name || 0x0A || signature type || public key)" */
function namedKeyId(name: string, ...typeAndKey: Uint8Array[]): Uint8Array {
  return sha256(concatBytes(utf8(`${name}\n`), ...typeAndKey));
}

/** An Ed25519 SPKI is a fixed header and the 32 bytes of RFC 8032. RFC 8410, Section 4. */
function ed25519Point(key: PublicKey): Uint8Array {
  if (key.algorithm !== "ed25519") throw new Unsupported("note: key is not an Ed25519 key");
  return key.spki.subarray(-32);
}
