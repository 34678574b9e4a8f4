import { sha256 } from "@chancery/crypto";
import {
  canonicalJson,
  decodeBase64,
  decodeHex,
  encodeBase64,
  encodeHex,
  type JsonObject,
  utf8,
} from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { VerificationBudget } from "../verification-budget.ts";
import { keySearchTexts } from "../pki/signing-key.ts";
import { parseVerifier, type Verifier } from "../verifier.ts";
import {
  type DsseEnvelope,
  matchVerifiers,
  parseDsseEnvelope,
  parseDsseSignature,
  verifyOneSignature,
} from "./dsse-envelope.ts";
import { type EntryKind, MAX_SIGNATURES, type ParsedEntry, type ProposedEntry } from "./entry-kind.ts";
import { readStatement, statementDigests } from "./in-toto-statement.ts";
import { isObject, SpecReader } from "./spec-reader.ts";

/**
 * An in-toto attestation: a DSSE envelope of which the log keeps hashes and signatures, and beside them the payload.
 *
 *     0.0.1 proposed  { content: { envelope: "<JSON text>" }, publicKey }
 *           stored    { content: { hash, payloadHash }, publicKey }
 *     0.0.2 proposed  { content: { envelope: { payloadType, payload, signatures: [{ sig, publicKey, keyid? }] }, hash } }
 *           stored    the same less payload, with payloadHash
 */
export const intoto: EntryKind = {
  kind: "intoto",
  apiVersions: ["0.0.1", "0.0.2"],
  parse: (proposed) => (proposed.apiVersion === "0.0.1" ? parseVersion1(proposed) : parseVersion2(proposed)),
  isStored,
};

function isStored(spec: JsonObject): boolean {
  const content = spec["content"];
  if (!isObject(content)) return false;
  const envelope = content["envelope"] ?? undefined;
  return envelope === undefined || (isObject(envelope) && (envelope["payload"] ?? undefined) === undefined);
}

function parseVersion1({ apiVersion, kind, spec }: ProposedEntry): ParsedEntry {
  const reader = new SpecReader(spec, "spec");
  const pem = reader.bytes("publicKey");
  const content = reader.object("content");
  const envelopeText = content.text("envelope");
  // Clients that send the hashes too are not believed: they are computed below.
  content.ignore("hash");
  content.ignore("payloadHash");
  reader.end();

  const envelope = parseDsseEnvelope(envelopeText, content.at("envelope"));
  const budget = new VerificationBudget();
  const verifier = parseVerifier(pem, reader.at("publicKey"), budget);
  verifyOneSignature(envelope, { verifier, field: reader.at("publicKey") }, budget);
  const hash = sha256Of(utf8(envelopeText));
  const payloadHash = sha256Of(envelope.payload);
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: { content: { hash, payloadHash }, publicKey: encodeBase64(verifier.canonical) },
  });
  return {
    body: utf8(body),
    ...attested(envelope, [verifier], { field: content.at("envelope"), texts: [`sha256:${hash.value}`] }),
  };
}

function parseVersion2({ apiVersion, kind, spec }: ProposedEntry): ParsedEntry {
  const reader = new SpecReader(spec, "spec");
  const content = reader.object("content");
  const hash = claimedEnvelopeHash(content.object("hash"));
  content.ignore("payloadHash");
  const { envelope, signatures, field } = readEnvelope(content.object("envelope"));
  reader.end();

  const budget = new VerificationBudget();
  const verifiers = signatures.map(({ pem, at }) => ({ verifier: parseVerifier(pem, at, budget), field: at }));
  matchVerifiers(envelope, verifiers, { enough: false, budget });
  const body = canonicalJson({
    apiVersion,
    kind,
    spec: {
      content: {
        envelope: { payloadType: envelope.payloadType, signatures: signatures.map(({ stored }) => stored) },
        hash,
        payloadHash: sha256Of(envelope.payload),
      },
    },
  });
  const signers = verifiers.map(({ verifier }) => verifier);
  return {
    body: utf8(body),
    ...attested(envelope, signers, { field, texts: [] }),
  };
}

/**
 * The digest of the envelope the client built this from. It cannot be computed here, for the keys stand inline and the
 * serialisation is gone: it is logged as claimed, and never indexed.
 */
function claimedEnvelopeHash(hash: SpecReader): { algorithm: string; value: string } {
  const algorithm = hash.oneOf("algorithm", ["sha256"]);
  const value = hash.text("value");
  if (decodeHex(value, hash.at("value")).length !== 32)
    throw new Malformed(`${hash.at("value")}: not of sha256's length`);
  return { algorithm, value };
}

/** Version 0.0.2 wraps payload and signatures, base64 texts already, in base64 once more. */
function readEnvelope(reader: SpecReader) {
  const payloadType = reader.text("payloadType");
  const payload = decodeBase64(innerText(reader, "payload").replaceAll(/[\r\n]/g, ""), reader.at("payload"));
  if (payload.length === 0) throw new Malformed(`${reader.at("payload")}: is empty`);
  const signatures = reader.objects("signatures", MAX_SIGNATURES).map(readSignature);
  const envelope = { payloadType, payload, signatures: signatures.map(({ signature }) => signature) };
  return { envelope, signatures, field: reader.at("payload") };
}

function readSignature(reader: SpecReader) {
  const signature = parseDsseSignature(innerText(reader, "sig"), reader.at("sig"));
  const pem = reader.bytes("publicKey");
  const keyid = reader.optionalText("keyid");
  // The PEM goes into the log as it was sent, not in its canonical form: upstream's UUID depends on it.
  const stored = { publicKey: encodeBase64(pem), sig: encodeBase64(utf8(signature.text)), ...(keyid && { keyid }) };
  return { signature, pem, at: reader.at("publicKey"), stored };
}

function innerText(reader: SpecReader, name: string): string {
  // One character an octet: what is not ASCII then fails as base64.
  return new TextDecoder("latin1").decode(reader.bytes(name));
}

/** `texts` it is found by beside those of its payload and keys. */
function attested(
  { payloadType, payload }: DsseEnvelope,
  signers: readonly Verifier[],
  { field, texts }: { readonly field: string; readonly texts: readonly string[] },
): Omit<ParsedEntry, "body"> {
  const statement = readStatement(payloadType, payload, field);
  return {
    searchTexts: [
      ...texts,
      ...signers.flatMap(keySearchTexts),
      `sha256:${sha256Of(payload).value}`,
      ...statementDigests(statement),
    ],
    attestation: payload,
    statement,
    signers,
  };
}

function sha256Of(bytes: Uint8Array): { algorithm: "sha256"; value: string } {
  return { algorithm: "sha256", value: encodeHex(sha256(bytes)) };
}
