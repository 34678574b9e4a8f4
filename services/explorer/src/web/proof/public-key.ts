import { concatBytes, DerReader, equalBytes, parsePem, utf8 } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";
import { sha256 } from "@noble/hashes/sha2.js";

export type KeyAlgorithm = "P-256" | "P-384" | "P-521" | "Ed25519" | "RSA";

/** SubjectPublicKeyInfo (RFC 5280, Section 4.1) with what verifying needs of it. */
export interface PublicKey {
  readonly algorithm: KeyAlgorithm;
  readonly spki: Uint8Array<ArrayBuffer>;
  /** The point of an elliptic curve, or the DER of an RSAPublicKey. */
  readonly raw: Uint8Array<ArrayBuffer>;
}

const EC = "1.2.840.10045.2.1";
const RSA = "1.2.840.113549.1.1.1";
const ED25519 = "1.3.101.112";
const CURVES: Readonly<Record<string, KeyAlgorithm>> = {
  "1.2.840.10045.3.1.7": "P-256",
  "1.3.132.0.34": "P-384",
  "1.3.132.0.35": "P-521",
};

export function parsePublicKey(spki: Uint8Array, field: string): PublicKey {
  const outer = new DerReader(spki, field);
  const info = outer.sequence();
  outer.end();
  const algorithm = info.sequence();
  const oid = algorithm.oid();
  const curve = oid === EC ? CURVES[algorithm.oid()] : undefined;
  const raw = info.bitString().bytes;
  const name = oid === ED25519 ? "Ed25519" : oid === RSA ? "RSA" : curve;
  if (name === undefined) throw new Unsupported(`${field}: is of a kind that this page does not know (${oid})`);
  return { algorithm: name, spki: Uint8Array.from(spki), raw: Uint8Array.from(raw) };
}

/** Of a PEM text that may hold a public key or a certificate; the first that is a key. */
export function parsePublicKeyPem(text: string, field: string): PublicKey {
  const block = parsePem(text, field).find(({ label }) => label === "PUBLIC KEY");
  if (block === undefined) throw new Malformed(`${field}: there is no PUBLIC KEY in it`);
  return parsePublicKey(block.der, field);
}

/** SHA-256 of the SubjectPublicKeyInfo: how a key is called. */
export function fingerprint(key: PublicKey): Uint8Array {
  return sha256(key.spki);
}

/** What a line of a note is over: the note's text, or the tree head as an RFC 6962 log signs it. */
export type NoteKeyKind = "text" | "tree-head";

/**
 * How the four bytes of a note's line name this key, if they do. c2sp.org/signed-note: Ed25519's depend on the name,
 * those of ECDSA do not; an RFC 6962 log's are of type 0x05; rekor-tiles writes an RSA key's with a longer type.
 */
export function kindNamedBy(key: PublicKey, name: string, keyHash: Uint8Array): NoteKeyKind | undefined {
  const named = (...parts: Uint8Array[]) => sha256(concatBytes(utf8(`${name}\n`), ...parts));
  const isNamed = (id: Uint8Array) => equalBytes(id.subarray(0, 4), keyHash);
  if (isNamed(named(Uint8Array.of(0x05), fingerprint(key)))) return "tree-head";
  if (key.algorithm === "Ed25519") return isNamed(named(Uint8Array.of(0x01), key.raw)) ? "text" : undefined;
  const id = key.algorithm === "RSA" ? named(Uint8Array.of(0xff), RSA_NOTE_TYPE, key.spki) : fingerprint(key);
  return isNamed(id) ? "text" : undefined;
}

const RSA_NOTE_TYPE = utf8("PKIX-RSA-PKCS#1v1.5");
