import {
  defaultHash,
  type HashAlgorithm,
  type KeyAlgorithm,
  type PublicKey,
  verifySignature,
  verifySignatureOnPool,
} from "@chancery/crypto";
import { der, DerReader, equalBytes } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import { OID } from "./oid.ts";

type KeyFamily = "ecdsa" | "rsa" | "ed25519";

interface SignatureAlgorithm {
  readonly oid: string;
  readonly family: KeyFamily;
  readonly hash: HashAlgorithm;
}

const SIGNATURE_ALGORITHMS: readonly SignatureAlgorithm[] = [
  { oid: OID.ecdsaWithSha256, family: "ecdsa", hash: "sha256" },
  { oid: OID.ecdsaWithSha384, family: "ecdsa", hash: "sha384" },
  { oid: OID.ecdsaWithSha512, family: "ecdsa", hash: "sha512" },
  { oid: OID.sha256WithRsa, family: "rsa", hash: "sha256" },
  { oid: OID.sha384WithRsa, family: "rsa", hash: "sha384" },
  { oid: OID.sha512WithRsa, family: "rsa", hash: "sha512" },
  { oid: OID.ed25519, family: "ed25519", hash: "sha512" },
];

/**
 * AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }
 *
 * What a key of this algorithm writes over its default hash. RFC 5758, Section 3.2 (ECDSA: parameters
 * absent), RFC 4055, Section 5 (RSA: NULL), RFC 8410, Section 3 (Ed25519: absent).
 */
export function signatureAlgorithmIdentifier(key: KeyAlgorithm): Uint8Array {
  const family = keyFamily(key);
  const algorithm = SIGNATURE_ALGORITHMS.find((row) => row.family === family && row.hash === signatureHash(key));
  if (algorithm === undefined) throw new Unsupported(`signature algorithm: none for keys of ${key}`);
  return encodeIdentifier(algorithm);
}

/** The algorithm an AlgorithmIdentifier names. Its bytes MUST be exactly those the RFCs allow. */
export function parseSignatureAlgorithm(bytes: Uint8Array, field: string): SignatureAlgorithm {
  const oid = algorithmOid(bytes, field);
  const algorithm = SIGNATURE_ALGORITHMS.find((row) => row.oid === oid);
  if (oid === OID.rsaPss) throw new Unsupported(`${field}: RSA-PSS signatures are not accepted`);
  if (algorithm === undefined) throw new Unsupported(`${field}: signature algorithm ${oid} is not accepted`);
  if (!equalBytes(bytes, encodeIdentifier(algorithm))) {
    throw new Malformed(`${field}: parameters of the signature algorithm are not those of its RFC`);
  }
  return algorithm;
}

export function algorithmOid(bytes: Uint8Array, field: string): string {
  return new DerReader(bytes, field).sequence().oid();
}

/** Verifies a signature made under the named algorithm. Throws Unverified, naming `field`. */
export function verifyNamedSignature(
  key: PublicKey,
  algorithmIdentifier: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  field: string,
): HashAlgorithm {
  const hash = namedHash(key, algorithmIdentifier, field);
  if (!verifySignature(key, message, signature, hash)) throw new Unverified(`${field}: signature does not verify`);
  return hash;
}

/** The same on the thread pool. */
export async function verifyNamedSignatureOnPool(
  key: PublicKey,
  algorithmIdentifier: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  field: string,
): Promise<HashAlgorithm> {
  const hash = namedHash(key, algorithmIdentifier, field);
  const isValid = await verifySignatureOnPool(key, message, signature, hash);
  if (!isValid) throw new Unverified(`${field}: signature does not verify`);
  return hash;
}

function namedHash(key: PublicKey, algorithmIdentifier: Uint8Array, field: string): HashAlgorithm {
  const algorithm = parseSignatureAlgorithm(algorithmIdentifier, field);
  if (algorithm.family !== keyFamily(key.algorithm)) {
    throw new Unverified(`${field}: signature algorithm is not one of the signer's key`);
  }
  return algorithm.hash;
}

function keyFamily(key: KeyAlgorithm): KeyFamily {
  if (key.startsWith("ecdsa")) return "ecdsa";
  return key.startsWith("rsa") ? "rsa" : "ed25519";
}

/** Ed25519 hashes inside; its row in the table carries SHA-512 because RFC 8032 uses it. */
function signatureHash(key: KeyAlgorithm): HashAlgorithm {
  return key === "ed25519" ? "sha512" : defaultHash(key);
}

function encodeIdentifier(algorithm: SignatureAlgorithm): Uint8Array {
  const oid = der.oid(algorithm.oid);
  return algorithm.family === "rsa" ? der.sequence(oid, der.null()) : der.sequence(oid);
}
