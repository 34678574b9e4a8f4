import { type HashAlgorithm, parsePublicKey, type PublicKey, type Signer } from "@chancery/crypto";
import { checkDer, der, DerReader } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { assertDistinguishedName, type DistinguishedName, encodeDistinguishedName } from "./distinguished-name.ts";
import { encodeExtension, type Extension } from "./extension.ts";
import { OID } from "./oid.ts";
import { signatureAlgorithmIdentifier, verifyNamedSignature } from "./signature-algorithm.ts";

/** A proof that the requester holds the key; a CA may or may not follow what it asks for beyond that. */
export interface CertificateRequest {
  readonly publicKey: PublicKey;
  /** The hash its signature was made over (SHA-512 for Ed25519). */
  readonly hash: HashAlgorithm;
  /** DER Name. */
  readonly subject: Uint8Array;
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
  const { subject, spki } = requested(signed, field);
  const publicKey = parsePublicKey(spki, field);
  return { publicKey, subject, hash: verifyNamedSignature(publicKey, algorithm, signed, signature.bytes, field) };
}

/**
 * A request that a CA of any make can follow: what is asked for stands in the extensionRequest attribute of
 * RFC 2985, Section 5.4.2.
 */
export async function createCertificateRequest(request: {
  readonly subject: DistinguishedName;
  readonly signer: Signer;
  readonly extensions: readonly Extension[];
}): Promise<Uint8Array> {
  const { subject, signer, extensions } = request;
  const list = der.sequence(...extensions.map(encodeExtension));
  const info = der.sequence(
    der.integer(0),
    encodeDistinguishedName(subject),
    signer.publicKey.spki,
    der.explicit(0, der.sequence(der.oid(OID.extensionRequest), der.set(list))),
  );
  const algorithm = signatureAlgorithmIdentifier(signer.publicKey.algorithm);
  return der.sequence(info, algorithm, der.bitString(await signer.sign(info)));
}

function requested(bytes: Uint8Array, field: string): { subject: Uint8Array; spki: Uint8Array } {
  const fields = new DerReader(bytes, field).sequence();
  if (fields.integer() !== 0n) throw new Malformed(`${field}: version is not 1`);
  const subject = fields.any();
  assertDistinguishedName(new DerReader(subject, field).sequence());
  const spki = fields.any();
  // Some tools leave an empty attribute set out.
  if (!fields.done()) fields.read(ATTRIBUTES);
  fields.end();
  return { subject, spki };
}
