import { createPublicKey, type KeyObject } from "node:crypto";
import { der, DerReader, equalBytes, parsePem, Tag } from "@chancery/encoding";
import { InsecureKey, Malformed, Unsupported } from "@chancery/fault";
import type { KeyAlgorithm } from "./algorithm.ts";
import { type Curve, isOnCurve, P256, P384, P521, pointOf, toBigInt } from "./curve.ts";
import { ED25519_SPKI_PREFIX, weaknessOfEd25519 } from "./ed25519.ts";
import { weaknessOfModulus } from "./rsa-policy.ts";
import { plain, sha256 } from "./sha.ts";

/** A key that passed the policy of {@link parsePublicKey}: there is no other way to have one. */
export interface PublicKey {
  readonly algorithm: KeyAlgorithm;
  /** The one DER encoding of this key, a copy of its own. */
  readonly spki: Uint8Array;
  /** OpenSSL's form, made on first use. */
  readonly keyObject: KeyObject;
}

/**
 * ```text
 * SubjectPublicKeyInfo ::= SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING }   RFC 5280, 4.1
 * ```
 *
 * The one gate for keys, at the CA and at the log. Node's own import would let pass explicit curve parameters,
 * compressed and hybrid points, even moduli, e = 1 (every forged signature then verifies), RSA of any size, Ed25519
 * points of small order, BER and trailing bytes. Here a key is one of seven kinds in its one canonical encoding, or it
 * is Malformed, InsecureKey or Unsupported.
 *
 * P-256, on every request's path, costs 3 µs: a comparison with the fixed prefix and the curve's equation.
 */
export function parsePublicKey(spkiDer: Uint8Array, field: string): PublicKey {
  const spki = new Uint8Array(spkiDer);
  for (const [algorithm, curve] of CURVES) {
    if (isSpki(spki, curve.spkiPrefix, 2 * curve.width)) {
      if (!isOnCurve(curve, pointOf(curve, spki))) throw new InsecureKey(`${field}: the point is not on the curve`);
      return publicKey(algorithm, spki);
    }
  }
  if (isSpki(spki, ED25519_SPKI_PREFIX, 32)) {
    refuse(weaknessOfEd25519(spki.subarray(ED25519_SPKI_PREFIX.length)), field);
    return publicKey("ed25519", spki);
  }
  return parseOther(spki, field);
}

export function parsePublicKeyPem(text: string | Uint8Array, field: string): PublicKey {
  const [block] = parsePem(text, field, { labels: ["PUBLIC KEY"], max: 1 });
  if (block === undefined) throw new Malformed(`${field}: no PEM block`);
  return parsePublicKey(block.der, field);
}

/** For a public or a private KeyObject. The same gate: what OpenSSL holds is not yet what we accept. */
export function publicKeyFromKeyObject(key: KeyObject, field = "key"): PublicKey {
  const publicHalf = key.type === "private" ? createPublicKey(key) : key;
  return parsePublicKey(plain(publicHalf.export({ type: "spki", format: "der" })), field);
}

/** SHA-256 of the SPKI: a log's ID (RFC 6962, Section 3.2), a key hint, an issuer key hash. */
export function spkiHash(key: PublicKey): Uint8Array {
  return sha256(key.spki);
}

const CURVES = [
  ["ecdsa-p256", P256],
  ["ecdsa-p384", P384],
  ["ecdsa-p521", P521],
] as const satisfies readonly (readonly [KeyAlgorithm, Curve])[];

/** The curve of an ECDSA key; undefined for RSA and Ed25519. */
export function curveOf(algorithm: KeyAlgorithm): Curve | undefined {
  return CURVES.find(([name]) => name === algorithm)?.[1];
}

function isSpki(spki: Uint8Array, prefix: Uint8Array, keyLength: number): boolean {
  return spki.length === prefix.length + keyLength && equalBytes(spki.subarray(0, prefix.length), prefix);
}

function publicKey(algorithm: KeyAlgorithm, spki: Uint8Array): PublicKey {
  return new ReadPublicKey(algorithm, spki);
}

class ReadPublicKey implements PublicKey {
  readonly algorithm: KeyAlgorithm;
  readonly spki: Uint8Array;
  #keyObject: KeyObject | undefined;

  constructor(algorithm: KeyAlgorithm, spki: Uint8Array) {
    this.algorithm = algorithm;
    this.spki = spki;
  }

  /** 15 µs or more that a caller who only compares, stores or verifies a digest need not spend. */
  get keyObject(): KeyObject {
    return (this.#keyObject ??= createPublicKey({ key: Buffer.from(this.spki), format: "der", type: "spki" }));
  }
}

const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
const ED25519 = "1.3.101.112";

/** Key types that are known and that no one is to sign with here, by name for the message. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.1.1.10", "an RSA-PSS key"],
  ["1.2.840.113549.1.1.7", "an RSA-OAEP key"],
  ["1.2.840.10040.4.1", "a DSA key"],
  ["1.2.840.10046.2.1", "a Diffie-Hellman key"],
  ["1.2.840.113549.1.3.1", "a Diffie-Hellman key"],
  ["1.3.132.1.12", "an ECDH key"],
  ["1.3.132.1.13", "an ECMQV key"],
  ["1.3.101.110", "an X25519 key"],
  ["1.3.101.111", "an X448 key"],
  ["1.3.101.113", "an Ed448 key"],
]);

/** RSA, or the reason why this is no acceptable key. */
function parseOther(spki: Uint8Array, field: string): PublicKey {
  const outer = new DerReader(spki, field);
  const inside = outer.sequence();
  outer.end();
  const identifier = inside.sequence();
  const { bytes: key, unusedBits } = inside.bitString();
  inside.end();
  const algorithm = identifier.oid();
  if (unusedBits !== 0) throw new Malformed(`${field}: a public key of broken octets`);
  if (algorithm === RSA_ENCRYPTION) return parseRsa(spki, identifier, key, field);
  if (algorithm === EC_PUBLIC_KEY) throw refusedEc(identifier, key, field);
  if (algorithm === ED25519) throw new Malformed(`${field}: not an Ed25519 key as RFC 8410 writes it`);
  const refused = REFUSED.get(algorithm);
  if (refused !== undefined) throw new InsecureKey(`${field}: ${refused} is not accepted`);
  throw new Unsupported(`${field}: unknown key algorithm ${algorithm}`);
}

/** `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`, RFC 8017, A.1.1, parameters NULL. */
function parseRsa(spki: Uint8Array, identifier: DerReader, key: Uint8Array, field: string): PublicKey {
  identifier.null();
  identifier.end();
  const outer = new DerReader(key, field);
  const inside = outer.sequence();
  outer.end();
  const modulus = inside.integerBytes();
  const exponent = inside.integerBytes();
  inside.end();
  const algorithm = rsaAlgorithm(modulus);
  if (algorithm === undefined) throw new InsecureKey(`${field}: RSA is accepted with 2048, 3072 or 4096 bits`);
  // 65537, as Boulder: with e = 1 the signature is the padded message itself; small e falls to sloppy padding checks.
  if (exponent.toHex() !== "010001") throw new InsecureKey(`${field}: the RSA exponent is not 65537`);
  refuse(weaknessOfModulus(toBigInt(modulus)), field);
  // The strict reader leaves no second spelling; this holds should it ever.
  if (!equalBytes(spki, encodeRsa(modulus, exponent))) throw new Malformed(`${field}: not a canonical RSA key`);
  return publicKey(algorithm, spki);
}

/** By the exact bit length: DER writes the 00 only before a top bit that is set, so whole octets are whole bits. */
function rsaAlgorithm(modulus: Uint8Array): KeyAlgorithm | undefined {
  return modulus[0] === 0 ? RSA_SIZES.get((modulus.length - 1) * 8) : undefined;
}

const RSA_SIZES: ReadonlyMap<number, KeyAlgorithm> = new Map<number, KeyAlgorithm>([
  [2048, "rsa-2048"],
  [3072, "rsa-3072"],
  [4096, "rsa-4096"],
]);

function encodeRsa(modulus: Uint8Array, exponent: Uint8Array): Uint8Array {
  const key = der.sequence(der.integerBytes(modulus), der.integerBytes(exponent));
  return der.sequence(der.sequence(der.oid(RSA_ENCRYPTION), der.null()), der.bitString(key));
}

/** Every acceptable EC key was recognised by its prefix; this one is not, and here is why. */
function refusedEc(identifier: DerReader, key: Uint8Array, field: string): InsecureKey | Malformed {
  if (identifier.tag() !== Tag.OID) return new InsecureKey(`${field}: a curve that is not named (explicit parameters)`);
  const oid = identifier.oid();
  identifier.end();
  const curve = CURVES.find(([, known]) => known.oid === oid)?.[1];
  if (curve === undefined) return new InsecureKey(`${field}: the curve ${oid} is not P-256, P-384 or P-521`);
  switch (key[0]) {
    case 0x00:
      return new InsecureKey(`${field}: the point at infinity`);
    case 0x02:
    case 0x03:
    case 0x06:
    case 0x07:
      return new InsecureKey(`${field}: the point is not in the uncompressed form`);
    default:
      return new Malformed(`${field}: not a point of ${curve.width * 8} bits`);
  }
}

function refuse(weakness: string | undefined, field: string): void {
  if (weakness !== undefined) throw new InsecureKey(`${field}: ${weakness}`);
}
