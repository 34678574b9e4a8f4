import { constants, verify } from "node:crypto";
import { hash, type HashAlgorithm, parsePublicKey, type PublicKey, verifyDigest } from "@chancery/crypto";
import { DerReader, equalBytes } from "@chancery/encoding";
import { Malformed, Unsupported, Unverified } from "@chancery/fault";
import type { Certificate } from "@chancery/x509";
import type { VerificationBudget } from "../verification-budget.ts";
import { attributeValue, type SignedData, type SignerInfo } from "./cms.ts";

const DIGESTS: ReadonlyMap<string, HashAlgorithm> = new Map<string, HashAlgorithm>([
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"],
]);
const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";

/** Whose signatures hold. */
export interface VerifiedSigners {
  /** The last signer's. */
  readonly certificate: Certificate;
  readonly signer: SignerInfo;
  /** Of all signers. */
  readonly certificates: readonly Certificate[];
}

/**
 * RFC 5652, Section 5.4 to 5.6: every signer's signature holds, by a certificate that is inside. The last signer's
 * is answered, as upstream. No root is trusted and no clock is asked: that is the searcher's to judge.
 */
export function verifySignedData(
  signed: SignedData,
  content: Uint8Array,
  field: string,
  budget: VerificationBudget,
): VerifiedSigners {
  const certificates: Certificate[] = [];
  let last: Omit<VerifiedSigners, "certificates"> | undefined;
  for (const signer of signed.signers) {
    const certificate = findCertificate(signed, signer, field);
    const key = parsePublicKey(certificate.spki, field);
    budget.spend(key, field);
    verifySigner(signer, key, signed.contentType, content, field);
    certificates.push(certificate);
    last = { certificate, signer };
  }
  if (last === undefined) throw new Malformed(`${field}: no signature`);
  return { ...last, certificates };
}

/** SHA-1 and MD5 have collisions: a signature over one of them says nothing about what was signed. */
export function digestAlgorithm(oid: string, field: string): HashAlgorithm {
  const algorithm = DIGESTS.get(oid);
  if (algorithm === undefined) throw new Unsupported(`${field}: the digest algorithm ${oid} is not accepted`);
  return algorithm;
}

function findCertificate({ certificates }: SignedData, { issuer, serial }: SignerInfo, field: string): Certificate {
  const magnitude = serial[0] === 0 ? serial.subarray(1) : serial;
  const found = certificates.find((each) => equalBytes(each.issuer, issuer) && equalBytes(each.serial, magnitude));
  if (found === undefined) throw new Unverified(`${field}: the signer's certificate is not inside`);
  return found;
}

function verifySigner(
  signer: SignerInfo,
  key: PublicKey,
  contentType: string,
  content: Uint8Array,
  field: string,
): void {
  const algorithm = digestAlgorithm(signer.digestAlgorithm, field);
  const attributes = signer.signedAttributes;
  if (attributes !== undefined) {
    const type = attributeValue(attributes, CONTENT_TYPE, field)?.oid();
    if (type !== undefined && type !== contentType) throw new Unverified(`${field}: signed as another type of content`);
    const digest = attributeValue(attributes, MESSAGE_DIGEST, field)?.octetString();
    if (digest === undefined || !equalBytes(digest, hash(algorithm, content))) {
      throw new Unverified(`${field}: the content is not the one that was signed`);
    }
  }
  if (!verifyOne(signer, key, algorithm, attributes ?? content, field)) {
    throw new Unverified(`${field}: signature does not verify with the certificate inside`);
  }
}

const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const RSA_PSS = "1.2.840.113549.1.1.10";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";
/** Algorithms that name their hash. RFC 8017, A.2.4; RFC 5758, Section 3.2. */
const NAMED: ReadonlyMap<string, readonly ["rsa" | "ecdsa", HashAlgorithm]> = new Map([
  ["1.2.840.113549.1.1.11", ["rsa", "sha256"]],
  ["1.2.840.113549.1.1.12", ["rsa", "sha384"]],
  ["1.2.840.113549.1.1.13", ["rsa", "sha512"]],
  ["1.2.840.10045.4.3.2", ["ecdsa", "sha256"]],
  ["1.2.840.10045.4.3.3", ["ecdsa", "sha384"]],
  ["1.2.840.10045.4.3.4", ["ecdsa", "sha512"]],
]);

function verifyOne(
  { signatureAlgorithm, signature }: SignerInfo,
  key: PublicKey,
  algorithm: HashAlgorithm,
  message: Uint8Array,
  field: string,
): boolean {
  const identifier = new DerReader(signatureAlgorithm, field).sequence();
  const oid = identifier.oid();
  const family = key.algorithm.split("-")[0];
  if (oid === RSA_PSS) return family === "rsa" && verifyPss(identifier, key, algorithm, message, signature);
  const [wanted, named] = NAMED.get(oid) ?? (oid === RSA_ENCRYPTION ? ["rsa"] : oid === EC_PUBLIC_KEY ? ["ecdsa"] : []);
  if (wanted === undefined) throw new Unsupported(`${field}: the signature algorithm ${oid} is not accepted`);
  if (wanted !== family || (named !== undefined && named !== algorithm)) return false;
  return verifyDigest(key, algorithm, hash(algorithm, message), signature);
}

/**
 * ```text
 * RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0], maskGenAlgorithm [1], saltLength [2] INTEGER, trailerField [3] }
 * ```
 *
 * RFC 4055, Section 3.1. Hash and mask MUST use the signer's digest algorithm; the defaults are SHA-1.
 */
function verifyPss(
  identifier: DerReader,
  key: PublicKey,
  algorithm: HashAlgorithm,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const parameters = identifier.sequence();
  const digest = parameters.explicit(0)?.sequence().oid();
  const mask = parameters.explicit(1)?.sequence();
  const maskFunction = mask?.oid();
  const maskDigest = mask?.sequence().oid();
  const saltLength = parameters.explicit(2)?.integer() ?? 20n;
  if ([digest, maskDigest].some((oid) => oid === undefined || DIGESTS.get(oid) !== algorithm)) return false;
  if (maskFunction !== "1.2.840.113549.1.1.8" || saltLength < 0n || saltLength > 512n) return false;
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: Number(saltLength) };
  return verify(algorithm, message, { key: key.keyObject, ...padding }, signature);
}
