import { canonicalJson, encodeBase64, utf8 } from "@chancery/encoding";
import { contentTypeOf, parseCoseSign1, verifyCoseSign1 } from "../pki/cose-sign1.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { VerificationBudget } from "../verification-budget.ts";
import { parseVerifier } from "../verifier.ts";
import { checkedArtifactHash, hashText } from "./artifact-hash.ts";
import type { EntryKind, ParsedEntry, ProposedEntry } from "./entry-kind.ts";
import { readStatement, statementDigests } from "./in-toto-statement.ts";
import { SpecReader } from "./spec-reader.ts";

/**
 * A COSE_Sign1 message, of which the log keeps the hashes, and beside them the message.
 *
 *     proposed  { message, publicKey, data: { aad? } }
 *     stored    { publicKey, data: { envelopeHash, payloadHash } }
 */
export const cose: EntryKind = {
  kind: "cose",
  apiVersions: ["0.0.1"],
  parse,
  isStored: (spec) => (spec["message"] ?? undefined) === undefined,
};

async function parse({ apiVersion, kind, spec }: ProposedEntry): Promise<ParsedEntry> {
  const reader = new SpecReader(spec, "spec");
  const { bytes, field } = reader.placed("message");
  const key = reader.placed("publicKey");
  const data = reader.object("data");
  const external = data.optionalBytes("aad") ?? new Uint8Array();
  // Clients that send the hashes too are not believed: they are computed below.
  data.ignore("envelopeHash");
  data.ignore("payloadHash");
  reader.end();

  const budget = new VerificationBudget();
  const verifier = parseVerifier(key.bytes, key.field, budget);
  const message = parseCoseSign1(bytes, field);
  budget.spend(verifier.publicKey, key.field);
  verifyCoseSign1(message, verifier.publicKey, external, field);
  const envelopeHash = await checkedArtifactHash(bytes, undefined);
  const payloadHash = await checkedArtifactHash(message.payload, undefined);
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      data: { envelopeHash: { ...envelopeHash }, payloadHash: { ...payloadHash } },
      publicKey: encodeBase64(verifier.canonical),
    },
  });
  const statement = readStatement(contentTypeOf(message) ?? "", message.payload, field);
  return {
    body: utf8(body),
    searchTexts: [
      ...keySearchTexts(verifier),
      hashText(envelopeHash),
      hashText(payloadHash),
      ...statementDigests(statement),
    ],
    signers: [verifier],
    attestation: bytes,
    statement,
  };
}
