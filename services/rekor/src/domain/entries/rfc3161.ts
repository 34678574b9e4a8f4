import { canonicalJson, checkDer, DerReader, encodeBase64, encodePem, Tag, utf8 } from "@chancery/encoding";
import { Malformed, TooLarge, Unverified } from "@chancery/fault";
import { parseSignedData } from "../pki/cms.ts";
import { timestampContent } from "../pki/cms-timestamp.ts";
import { verifySignedData } from "../pki/cms-verify.ts";
import { VerificationBudget } from "../verification-budget.ts";
import { artifactHash, hashText } from "./artifact-hash.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { SpecReader } from "./spec-reader.ts";

/**
 * A timestamp authority's answer, kept as it is.
 *
 *     { tsr: { content } }
 */
export const rfc3161: EntryKind = {
  kind: "rfc3161",
  apiVersions: ["0.0.1"],
  parse,
  // The stored form is the proposed one: it proves itself again.
  isStored: () => false,
};

/** Upstream's limit. */
const MAX_RESPONSE_BYTES = 10 * 1024;

function parse({ apiVersion, kind, spec }: ProposedEntry): ParsedEntry {
  const reader = new SpecReader(spec, "spec");
  const { bytes, field } = reader.object("tsr").placed("content");
  reader.end();
  if (bytes.length > MAX_RESPONSE_BYTES) throw new TooLarge(`${field}: longer than ${MAX_RESPONSE_BYTES} bytes`);

  const token = parseSignedData(grantedToken(bytes, field), field);
  const { certificates } = verifySignedData(token, timestampContent(token, field), field, new VerificationBudget());
  const body = canonicalJson({ apiVersion, kind, spec: { tsr: { content: encodeBase64(bytes) } } });
  const signers = certificates.map(({ der }) => ({ canonical: utf8(encodePem("CERTIFICATE", der)), subjects: [] }));
  return { body: utf8(body), searchTexts: [hashText(artifactHash(bytes))], signers };
}

/**
 * ```text
 * TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }
 * PKIStatusInfo ::= SEQUENCE { status INTEGER, statusString SEQUENCE OF UTF8String OPTIONAL, failInfo BIT STRING OPTIONAL }
 * ```
 *
 * RFC 3161, Section 2.4.2: a token is there when the status is granted (0) or grantedWithMods (1).
 */
function grantedToken(bytes: Uint8Array, field: string): Uint8Array {
  const outer = new DerReader(bytes, field);
  const response = outer.sequence();
  outer.end();
  const statusInfo = response.any();
  checkDer(statusInfo, field);
  const status = new DerReader(statusInfo, field).sequence().integer();
  if (status !== 0n && status !== 1n) throw new Unverified(`${field}: a time stamp that was not granted`);
  if (response.tag() !== Tag.SEQUENCE) throw new Malformed(`${field}: has no time stamp token`);
  const token = response.any();
  response.end();
  return token;
}
