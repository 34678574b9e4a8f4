import { encodePem, equalBytes, utf8 } from "@chancery/encoding";
import { Unverified } from "@chancery/fault";
import { type Certificate, parseSubjectAlternativeNames, verifyIssuedBy } from "@chancery/x509";
import type { VerificationBudget } from "../verification-budget.ts";
import { parseSignedData, type SignedData } from "./cms.ts";
import { verifySignatureTimestamp } from "./cms-timestamp.ts";
import { verifySignedData } from "./cms-verify.ts";
import type { Placed } from "./signature-format.ts";
import type { SigningKey } from "./signing-key.ts";

export interface VerifiedPkcs7 {
  /** The signer's certificate. */
  readonly signer: SigningKey;
  /** Those of all signers. */
  readonly signers: readonly SigningKey[];
  /** PEM of the first certificate inside, which is what upstream logs as the key. */
  readonly firstCertificate: Uint8Array;
  /** PEM, detached. */
  readonly signature: Uint8Array;
}

/** A CMS signature over the artifact that brings the signer's certificate, as in a JAR. What it holds itself is left out. */
export function verifyPkcs7(artifact: Uint8Array, { bytes, field }: Placed, budget: VerificationBudget): VerifiedPkcs7 {
  const signed = parseSignedData(bytes, field);
  if (signed.content !== undefined && !equalBytes(signed.content, artifact)) {
    throw new Unverified(`${field}: the signature holds something else than what is signed`);
  }
  const { certificate, signer, certificates } = verifySignedData(signed, artifact, field, budget);
  verifySignatureTimestamp(signer, field, budget);
  const [first = certificate] = signed.certificates;
  checkIsOfPath(first, certificate, signed, field, budget);
  return {
    signer: signingKey(certificate),
    signers: certificates.map(signingKey),
    firstCertificate: pemOf(first),
    signature: utf8(encodePem("PKCS7", signed.detached)),
  };
}

/**
 * Java sorts the certificates by their bytes, so that the first need not be the signer's. Nothing signs which are there:
 * one that neither is the signer's nor issued it would be logged as the key of someone who had no part in it.
 */
function checkIsOfPath(
  first: Certificate,
  signer: Certificate,
  { certificates }: SignedData,
  field: string,
  budget: VerificationBudget,
): void {
  let current = signer;
  for (let left = certificates.length; left > 0 && !equalBytes(current.der, first.der); left--) {
    const subject = current;
    const issuer = certificates.find((each) => each !== subject && equalBytes(each.subject, subject.issuer));
    if (issuer === undefined) break;
    budget.spendForIssuer(issuer, field);
    verifyIssuedBy(subject, issuer, field);
    current = issuer;
  }
  if (!equalBytes(current.der, first.der)) {
    throw new Unverified(`${field}: the first certificate in the signature is neither the signer's nor above it`);
  }
}

function signingKey(certificate: Certificate): SigningKey {
  return {
    canonical: pemOf(certificate),
    subjects: parseSubjectAlternativeNames(certificate).map((each) => each.value),
  };
}

function pemOf(certificate: Certificate): Uint8Array {
  return utf8(encodePem("CERTIFICATE", certificate.der));
}
