import { encodeBase64, type JsonObject, type JsonValue, parsePem } from "@chancery/encoding";
import { isObject } from "../../domain/entries/spec-reader.ts";
import type { EntryDetail } from "../../domain/search/entry-detail.ts";
import { decodeNote } from "../checkpoint-text.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const HASH_NAMES: Readonly<Record<string, string>> = { sha256: "SHA2_256", sha384: "SHA2_384", sha512: "SHA2_512" };

/**
 * The entry as a Sigstore bundle, which clients verify offline with the artifact or, of an attestation, without.
 *
 * Undefined where the log does not hold what was signed with its signature, or where nothing in it says when: a
 * certificate in a v2 entry needs the timestamp that its signer kept.
 */
export function encodeBundle(detail: EntryDetail): object | undefined {
  const { kind, apiVersion } = detail.found.facts;
  const { spec } = JSON.parse(new TextDecoder().decode(detail.found.entry.leaf)) as { readonly spec: JsonObject };
  if (kind === "hashedrekord" && apiVersion === "0.0.1") return ofSignature(detail, spec);
  if (kind === "hashedrekord" && apiVersion === "0.0.2") return ofV2Signature(detail, spec);
  if (kind === "intoto" && apiVersion === "0.0.2") return ofAttestation(detail, spec);
  return undefined;
}

function ofSignature(detail: EntryDetail, spec: JsonObject): object | undefined {
  const [digest] = detail.found.facts.digests;
  const [algorithm = "", value = ""] = digest?.split(":") ?? [];
  const [signature, key] = [text(spec, "signature", "content"), text(spec, "signature", "publicKey", "content")];
  if (signature === undefined || key === undefined) return undefined;
  return {
    ...frame(detail, signerOf(detail, Buffer.from(key, "base64").toString("latin1"))),
    messageSignature: {
      messageDigest: { algorithm: HASH_NAMES[algorithm], digest: Buffer.from(value, "hex").toString("base64") },
      signature,
    },
  };
}

function ofV2Signature(detail: EntryDetail, spec: JsonObject): object | undefined {
  const [algorithm, digest] = ["algorithm", "digest"].map((name) => text(spec, "hashedRekordV002", "data", name));
  const signature = text(spec, "hashedRekordV002", "signature", "content");
  const key = text(spec, "hashedRekordV002", "signature", "verifier", "publicKey", "rawBytes");
  if (key === undefined || signature === undefined) return undefined;
  const messageDigest = { algorithm, digest };
  return { ...frame(detail, publicKeyOf(detail)), messageSignature: { messageDigest, signature } };
}

function ofAttestation(detail: EntryDetail, spec: JsonObject): object | undefined {
  const envelope = member(spec, "content", "envelope");
  const signatures = isObject(envelope) ? envelope["signatures"] : undefined;
  if (detail.attestation === undefined || !Array.isArray(signatures) || signatures.length !== 1) return undefined;
  const [signature] = signatures as readonly JsonObject[];
  const [sig, pem, payloadType] = [text(signature, "sig"), text(signature, "publicKey"), text(envelope, "payloadType")];
  if (sig === undefined || pem === undefined || payloadType === undefined) return undefined;
  // The entry has the envelope's base64 texts in base64 once more.
  const keyid = text(signature, "keyid") ?? "";
  return {
    ...frame(detail, signerOf(detail, Buffer.from(pem, "base64").toString("latin1"))),
    dsseEnvelope: {
      payload: encodeBase64(detail.attestation),
      payloadType,
      signatures: [{ sig: Buffer.from(sig, "base64").toString("latin1"), keyid }],
    },
  };
}

function frame({ found, proof, checkpoint, promise }: EntryDetail, signer: object): object {
  const { log, entry, facts } = found;
  const logIndex = String(log.first + entry.index);
  return {
    mediaType: MEDIA_TYPE,
    verificationMaterial: {
      ...signer,
      tlogEntries: [
        {
          logIndex,
          logId: { keyId: encodeBase64(log.logId) },
          kindVersion: { kind: facts.kind, version: facts.apiVersion },
          ...(promise && {
            integratedTime: String(Math.floor(entry.time / 1000)),
            inclusionPromise: { signedEntryTimestamp: encodeBase64(promise) },
          }),
          inclusionProof: {
            // The tree's own: the other goes on over the shards.
            logIndex: String(proof.index),
            rootHash: encodeBase64(checkpoint.head.root),
            treeSize: String(proof.size),
            hashes: proof.path.map(encodeBase64),
            checkpoint: { envelope: decodeNote(checkpoint.note) },
          },
          canonicalizedBody: encodeBase64(entry.leaf),
        },
      ],
    },
  };
}

function signerOf(detail: EntryDetail, pem: string): object {
  const [leaf] = parsePem(pem, "key");
  return leaf?.label === "CERTIFICATE" ? { certificate: { rawBytes: encodeBase64(leaf.der) } } : publicKeyOf(detail);
}

/** Who verifies has the key; the hint tells which one. */
function publicKeyOf({ found }: EntryDetail): object {
  const fingerprint = found.facts.signers[0]?.keyFingerprint ?? "";
  return { publicKey: { hint: Buffer.from(fingerprint, "hex").toString("base64") } };
}

function member(value: JsonValue | undefined, ...names: readonly string[]): JsonValue | undefined {
  let at = value;
  for (const name of names) at = isObject(at) ? at[name] : undefined;
  return at;
}

function text(value: JsonValue | undefined, ...names: readonly string[]): string | undefined {
  const found = member(value, ...names);
  return typeof found === "string" ? found : undefined;
}
