import { type PublicKey, verifySignatureOnPool } from "@chancery/crypto";
import { TlsReader, TlsWriter } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";

/** RFC 5246, Section 7.4.1.4.1. */
const SHA256 = 4;
const RSA = 1;
const ECDSA = 3;

/**
 * struct {
 *   SignatureAndHashAlgorithm algorithm;  // hash(1), signature(1)
 *   opaque signature<0..2^16-1>;
 * } DigitallySigned;
 *
 * RFC 5246, Section 4.7. RFC 6962, Section 2.1.4: "A log MUST use a single signature algorithm", ECDSA P-256 or
 * RSA, with SHA-256.
 */
export function encodeDigitallySigned(key: PublicKey, signature: Uint8Array): Uint8Array {
  return new TlsWriter().uint8(SHA256).uint8(signatureAlgorithm(key)).opaque16(signature).finish();
}

/** Throws Unverified unless `signed` is this key's signature over `message`. */
export async function verifyDigitallySigned(
  key: PublicKey,
  message: Uint8Array,
  signed: Uint8Array,
  field: string,
): Promise<void> {
  const reader = new TlsReader(signed, field);
  const [hash, algorithm] = [reader.uint8(), reader.uint8()];
  const signature = reader.opaque16();
  reader.end();
  if (hash !== SHA256) throw new Malformed(`${field}: hash algorithm is not SHA-256`);
  if (algorithm !== signatureAlgorithm(key)) throw new Malformed(`${field}: signature algorithm is not the key's`);
  const isValid = await verifySignatureOnPool(key, message, signature, "sha256");
  if (!isValid) throw new Unverified(`${field}: signature does not verify`);
}

/** Throws unless the bytes have the shape; nothing is verified. */
export function assertDigitallySigned(bytes: Uint8Array, field: string): void {
  const reader = new TlsReader(bytes, field);
  reader.uint8();
  reader.uint8();
  reader.opaque16();
  reader.end();
}

function signatureAlgorithm(key: PublicKey): number {
  if (key.algorithm === "ecdsa-p256") return ECDSA;
  if (key.algorithm.startsWith("rsa")) return RSA;
  throw new Unsupported(`certificate transparency: a log key is ECDSA P-256 or RSA, not ${key.algorithm}`);
}
