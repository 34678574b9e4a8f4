import { decodeBase64Lenient, equalBytes, type JsonObject, parseJson, parsePem } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { parseCertificate } from "../certificate/certificate.ts";
import { parseEntryBody } from "../statement/entry-body.ts";
import { type BundleContent, readEnvelope } from "./bundle.ts";
import { leafHash } from "./inclusion.ts";
import type { LoggedEntry } from "./logged-entry.ts";

/** cosign's own bundle of before `--new-bundle-format`: the log's promise, and no proof that the entry is in the log. */
export interface OldBundle {
  /** Hex; the entry's ID ends in it. */
  readonly leafHash: string;
  readonly logIndex: string | undefined;
  /** Whether the entry in it holds the signature and the signer beside it. */
  readonly isOfEntry: boolean;
  /**
   * As a new one would be, with the proof that a log gives of its entry. What is in the bundle stays the bundle's: the
   * entry's bytes, its place, the promise.
   */
  withProof(logged: Pick<LoggedEntry, "proof" | "checkpoint" | "log">): BundleContent;
}

/**
 *     { "base64Signature": …, "cert": base64 of PEM,
 *       "rekorBundle": { "SignedEntryTimestamp": …, "Payload": { "body": …, "integratedTime", "logIndex", "logID" } } }
 *
 * Undefined for anything else. Of an attestation the signature is the whole envelope.
 * https://github.com/sigstore/cosign, pkg/cosign/verify.go, LocalSignedPayload; cmd/cosign/cli/attest/attest_blob.go.
 */
export function parseOldBundle(text: string): OldBundle | undefined {
  try {
    const bundle = object(parseJson(text, "bundle", { maxBytes: 16 * 1024 * 1024, maxDepth: 16 }));
    const rekorBundle = object(bundle["rekorBundle"]);
    const payload = object(rekorBundle["Payload"]);
    const { body, logIndex } = payload;
    const { base64Signature, cert } = bundle;
    if (typeof body !== "string" || typeof base64Signature !== "string") return undefined;
    const bytes = decodeBase64Lenient(body, "body");
    const signed = signedOf(decodeBase64Lenient(base64Signature, "signature"));
    const signatures = signed.envelope?.signatures ?? [signed.message?.signature];
    const signer = typeof cert === "string" && cert !== "" ? signerOf(cert) : undefined;
    const isOfEntry = parseEntryBody(bytes).signatures.some((logged) => {
      const own = logged.signature;
      if (own === undefined || !signatures.some((one) => one !== undefined && equalBytes(own, one))) return false;
      if (signer === undefined) return true;
      return equalBytes(logged.certificate?.der ?? logged.key?.spki ?? new Uint8Array(), signer.der);
    });
    const index = typeof logIndex === "number" ? String(logIndex) : undefined;
    return {
      leafHash: leafHash(bytes).toHex(),
      logIndex: index,
      isOfEntry,
      withProof: (logged) => {
        const place = index === undefined ? logged.proof.index : BigInt(index);
        const entry = { ...logged, logIndex: place, body: bytes, promise: promiseOf(rekorBundle, payload) };
        return {
          mediaType: "cosign's older format",
          entries: [{ ...entry, ...(signed.envelope && payloadOf(signed.envelope)) }],
          timestamps: [],
          ...(signer?.label === "CERTIFICATE" && {
            certificate: parseCertificate(signer.der, "the bundle's certificate"),
          }),
          ...signed,
        };
      },
    };
  } catch {
    return undefined;
  }
}

function signedOf(bytes: Uint8Array): Pick<BundleContent, "message" | "envelope"> {
  const isJson = bytes[0] === BRACE && bytes.at(-1) === BRACE + 2;
  const envelope = isJson
    ? readEnvelope(parseJson(new TextDecoder().decode(bytes), "envelope", { maxBytes: bytes.length, maxDepth: 16 }))
    : undefined;
  return envelope === undefined ? { message: { signature: bytes } } : { envelope };
}

const BRACE = 0x7b;

function payloadOf({ payload, payloadType }: NonNullable<BundleContent["envelope"]>) {
  return { payload, payloadType };
}

function promiseOf(
  rekorBundle: JsonObject,
  { integratedTime, logID }: JsonObject,
): NonNullable<LoggedEntry["promise"]> {
  const timestamp = rekorBundle["SignedEntryTimestamp"];
  if (typeof timestamp !== "string" || typeof integratedTime !== "number" || typeof logID !== "string") {
    throw new Malformed("the bundle's promise is not whole: SignedEntryTimestamp, integratedTime and logID");
  }
  const signature = decodeBase64Lenient(timestamp, "SignedEntryTimestamp");
  return { integratedTime, signature, logId: logID.toLowerCase() };
}

/** PEM, or base64 of it: cosign writes either. */
function signerOf(cert: string) {
  const pem = cert.startsWith("-----") ? cert : new TextDecoder().decode(decodeBase64Lenient(cert, "cert"));
  const [block] = parsePem(pem, "cert");
  if (block === undefined) throw new TypeError("no PEM");
  return block;
}

function object(value: unknown): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("no object");
  return value as JsonObject;
}
