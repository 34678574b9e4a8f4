import { sha256 } from "@chancery/crypto";
import { canonicalJson, encodeBase64, encodeHex, utf8 } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { VerificationBudget } from "../verification-budget.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { parseVerifier } from "../verifier.ts";
import { matchVerifiers, parseDsseEnvelope } from "./dsse-envelope.ts";
import { type EntryKind, MAX_VERIFIERS, type ParsedEntry, type ProposedEntry } from "./entry-kind.ts";
import { readStatement, statementDigests } from "./in-toto-statement.ts";
import { SpecReader } from "./spec-reader.ts";

/**
 * A DSSE envelope, of which the log keeps the hashes and the signatures.
 *
 *     proposed  { proposedContent: { envelope: "<JSON text>", verifiers: ["<PEM>"] } }
 *     stored    { envelopeHash, payloadHash, signatures: [{ signature, verifier }] }
 */
export const dsse: EntryKind = {
  kind: "dsse",
  apiVersions: ["0.0.1"],
  parse,
  isStored: (spec) => (spec["proposedContent"] ?? undefined) === undefined,
};

const COMPUTED = ["envelopeHash", "payloadHash", "signatures"];

function parse({ apiVersion, kind, spec }: ProposedEntry): ParsedEntry {
  const reader = new SpecReader(spec, "spec");
  const proposed = reader.object("proposedContent");
  for (const name of COMPUTED) {
    if (reader.has(name)) throw new Malformed(`${reader.at(name)}: is computed here, not proposed`);
  }
  const envelopeText = proposed.text("envelope");
  const pems = proposed.bytesList("verifiers", MAX_VERIFIERS);
  reader.end();

  const envelope = parseDsseEnvelope(envelopeText, proposed.at("envelope"));
  const budget = new VerificationBudget();
  const verifiers = pems.map((pem, place) => {
    const field = `${proposed.at("verifiers")}.${place}`;
    return { verifier: parseVerifier(pem, field, budget), field };
  });
  const matched = matchVerifiers(envelope, verifiers, { enough: true, budget });
  const envelopeHash = encodeHex(sha256(utf8(envelopeText)));
  const payloadHash = encodeHex(sha256(envelope.payload));
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      envelopeHash: { algorithm: "sha256", value: envelopeHash },
      payloadHash: { algorithm: "sha256", value: payloadHash },
      // Base64 is ASCII, so the order of UTF-16 code units is the byte order that upstream sorts by.
      signatures: [...matched]
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([signature, { canonical }]) => ({ signature, verifier: encodeBase64(canonical) })),
    },
  });
  const statement = readStatement(envelope.payloadType, envelope.payload, proposed.at("envelope"));
  return {
    body: utf8(body),
    searchTexts: [
      ...[...matched.values()].flatMap(keySearchTexts),
      `sha256:${payloadHash}`,
      `sha256:${envelopeHash}`,
      ...statementDigests(statement),
    ],
    signers: [...matched.values()],
    statement,
  };
}
