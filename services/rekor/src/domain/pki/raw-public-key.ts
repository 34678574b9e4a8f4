import { parsePublicKey, type PublicKey } from "@chancery/crypto";
import { concatBytes, der } from "@chancery/encoding";
import { Malformed, Unsupported } from "@chancery/fault";

/*
 * Keys of formats that are not X.509: each is written as the SubjectPublicKeyInfo it would have there, so that one
 * policy judges all of them.
 */

const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
const ED25519 = "1.3.101.112";

const CURVE_OIDS: ReadonlyMap<string, string> = new Map([
  ["nistp256", "1.2.840.10045.3.1.7"],
  ["nistp384", "1.3.132.0.34"],
  ["nistp521", "1.3.132.0.35"],
]);

/** RFC 8410, Section 4: the 32 octets of the point. */
export function ed25519PublicKey(point: Uint8Array, field: string): PublicKey {
  if (point.length !== 32) throw new Malformed(`${field}: an Ed25519 key has 32 bytes, not ${point.length}`);
  return parsePublicKey(der.sequence(der.sequence(der.oid(ED25519)), der.bitString(point)), field);
}

/** RFC 5480, Section 2: the point as SEC 1 writes it. `curve` is SSH's name of it. */
export function ecdsaPublicKey(curve: string, point: Uint8Array, field: string): PublicKey {
  const oid = CURVE_OIDS.get(curve);
  if (oid === undefined) throw new Unsupported(`${field}: a curve that is not P-256, P-384 or P-521`);
  return parsePublicKey(der.sequence(der.sequence(der.oid(EC_PUBLIC_KEY), der.oid(oid)), der.bitString(point)), field);
}

/** RFC 3279, Section 2.3.1: magnitudes, big-endian. */
export function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array, field: string): PublicKey {
  const key = der.sequence(der.integerBytes(modulus), der.integerBytes(exponent));
  return parsePublicKey(der.sequence(der.sequence(der.oid(RSA_ENCRYPTION), der.null()), der.bitString(key)), field);
}

/** r and s side by side, each as wide as the curve (IEEE P1363); undefined when one is wider. */
export function p1363Signature(r: Uint8Array, s: Uint8Array, width: number): Uint8Array | undefined {
  const halves = [r, s].map((half) => half.subarray(half.findIndex((octet) => octet !== 0)));
  if (halves.some((half) => half.length > width || half.length === 0)) return undefined;
  return concatBytes(...halves.map((half) => concatBytes(new Uint8Array(width - half.length), half)));
}
