import { hash } from "@chancery/crypto";
import { DerReader, equalBytes } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import type { VerificationBudget } from "../verification-budget.ts";
import { attributeValue, parseSignedData, type SignedData, type SignerInfo } from "./cms.ts";
import { digestAlgorithm, verifySignedData } from "./cms-verify.ts";

const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const TIME_STAMP_TOKEN = "1.2.840.113549.1.9.16.2.14";

/** A time stamp over a signature, where it carries one (RFC 3161, Appendix A), is of that signature, and holds. */
export function verifySignatureTimestamp(signer: SignerInfo, field: string, budget: VerificationBudget): void {
  const token = signer.unsignedAttributes && attributeValue(signer.unsignedAttributes, TIME_STAMP_TOKEN, field)?.any();
  if (token === undefined) return;
  const stamp = parseSignedData(token, field);
  const content = timestampContent(stamp, field);
  const { algorithm, digest } = messageImprint(content, field);
  if (!equalBytes(digest, hash(digestAlgorithm(algorithm, field), signer.signature))) {
    throw new Unverified(`${field}: a time stamp of something else than the signature`);
  }
  verifySignedData(stamp, content, field, budget);
}

export function timestampContent({ contentType, content }: SignedData, field: string): Uint8Array {
  if (contentType === TST_INFO && content !== undefined) return content;
  throw new Malformed(`${field}: what is signed is not a time stamp`);
}

/**
 * ```text
 * TSTInfo ::= SEQUENCE { version INTEGER, policy OBJECT IDENTIFIER, messageImprint MessageImprint, ... }
 * MessageImprint ::= SEQUENCE { hashAlgorithm AlgorithmIdentifier, hashedMessage OCTET STRING }
 * ```
 *
 * RFC 3161, Section 2.4.2.
 */
function messageImprint(content: Uint8Array, field: string): { algorithm: string; digest: Uint8Array } {
  const info = new DerReader(content, field).sequence();
  info.integer();
  info.oid();
  const imprint = info.sequence();
  const algorithm = imprint.sequence().oid();
  return { algorithm, digest: imprint.octetString() };
}
