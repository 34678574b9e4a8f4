import { decodeBase64Lenient, type JsonObject, parseJson, parsePem, equalBytes } from "@chancery/encoding";
import { parseEntryBody } from "../statement/entry-body.ts";
import { leafHash } from "./inclusion.ts";

/** cosign's own bundle of before `--new-bundle-format`: the log's promise, and no proof that the entry is in the log. */
export interface OldBundle {
  /** Hex; the entry's ID ends in it. */
  readonly leafHash: string;
  readonly logIndex: string | undefined;
  /** Whether the entry in it holds the signature and the signer beside it. */
  readonly isOfEntry: boolean;
}

/**
 *     { "base64Signature": …, "cert": base64 of PEM,
 *       "rekorBundle": { "SignedEntryTimestamp": …, "Payload": { "body": …, "integratedTime", "logIndex", "logID" } } }
 *
 * Undefined for anything else. https://github.com/sigstore/cosign, pkg/cosign/verify.go, LocalSignedPayload.
 */
export function parseOldBundle(text: string): OldBundle | undefined {
  try {
    const bundle = object(parseJson(text, "bundle", { maxBytes: 1024 * 1024, maxDepth: 16 }));
    const payload = object(object(bundle["rekorBundle"])["Payload"]);
    const { body, logIndex } = payload;
    const { base64Signature, cert } = bundle;
    if (typeof body !== "string" || typeof base64Signature !== "string") return undefined;
    const bytes = decodeBase64Lenient(body, "body");
    const signature = decodeBase64Lenient(base64Signature, "signature");
    const signer = typeof cert === "string" && cert !== "" ? signerOf(cert) : undefined;
    const isOfEntry = parseEntryBody(bytes).signatures.some((logged) => {
      if (logged.signature === undefined || !equalBytes(logged.signature, signature)) return false;
      if (signer === undefined) return true;
      return equalBytes(logged.certificate?.der ?? logged.key?.spki ?? new Uint8Array(), signer);
    });
    const index = typeof logIndex === "number" ? String(logIndex) : undefined;
    return { leafHash: leafHash(bytes).toHex(), logIndex: index, isOfEntry };
  } catch {
    return undefined;
  }
}

/** PEM, or base64 of it: cosign writes either. */
function signerOf(cert: string): Uint8Array {
  const pem = cert.startsWith("-----") ? cert : new TextDecoder().decode(decodeBase64Lenient(cert, "cert"));
  const [block] = parsePem(pem, "cert");
  if (block === undefined) throw new TypeError("no PEM");
  return block.der;
}

function object(value: unknown): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("no object");
  return value as JsonObject;
}
