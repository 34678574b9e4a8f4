import { type HashAlgorithm, parsePublicKey, type PublicKey } from "@chancery/crypto";
import { checkDer, DerReader } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { assertDistinguishedName } from "./distinguished-name.ts";
import { verifyNamedSignature } from "./signature-algorithm.ts";

/** A proof that the requester holds the key; subject and attributes say nothing that counts. */
export interface CertificateRequest {
  readonly publicKey: PublicKey;
  /** The hash its signature was made over (SHA-512 for Ed25519). */
  readonly hash: HashAlgorithm;
}

const MAX_REQUEST_BYTES = 16 * 1024;
const ATTRIBUTES = 0xa0;

/**
 * CertificationRequest ::= SEQUENCE {
 *   certificationRequestInfo CertificationRequestInfo, signatureAlgorithm AlgorithmIdentifier, signature BIT STRING }
 * CertificationRequestInfo ::= SEQUENCE {
 *   version INTEGER { v1(0) }, subject Name, subjectPKInfo SubjectPublicKeyInfo, attributes [0] IMPLICIT SET OF … }
 *
 * RFC 2986, Section 4.2. The signature by the request's own key is verified; RSA-PSS is refused as upstream does.
 */
export function parseCertificateRequest(bytes: Uint8Array, field: string): CertificateRequest {
  if (bytes.length > MAX_REQUEST_BYTES) throw new Malformed(`${field}: more than ${MAX_REQUEST_BYTES} bytes`);
  const input = new Uint8Array(bytes);
  checkDer(input, field);
  const outer = new DerReader(input, field);
  const request = outer.sequence();
  outer.end();
  const signed = request.any();
  const algorithm = request.any();
  const signature = request.bitString();
  request.end();
  if (signature.unusedBits !== 0) throw new Malformed(`${field}: signature is not a whole number of bytes`);
  const publicKey = parsePublicKey(requestedKey(signed, field), field);
  return { publicKey, hash: verifyNamedSignature(publicKey, algorithm, signed, signature.bytes, field) };
}

function requestedKey(bytes: Uint8Array, field: string): Uint8Array {
  const fields = new DerReader(bytes, field).sequence();
  if (fields.integer() !== 0n) throw new Malformed(`${field}: version is not 1`);
  assertDistinguishedName(fields.sequence());
  const spki = fields.any();
  // Some tools leave an empty attribute set out.
  if (!fields.done()) fields.read(ATTRIBUTES);
  fields.end();
  return spki;
}
