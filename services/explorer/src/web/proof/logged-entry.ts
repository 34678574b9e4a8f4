import { decodeBase64, decodeHex, parseJson, type JsonObject, type JsonValue } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import type { LogName, ProvenEntry } from "../api/entries.ts";

/** What is checked: an entry with its proof, from the server or from a file, in one form. */
export interface LoggedEntry {
  /** The canonical bytes, which the tree holds. */
  readonly body: Uint8Array;
  /** The log's name for it, where there is one: it ends in the leaf hash. */
  readonly entryId?: string;
  /** Where the one who asked asked for it. */
  readonly logIndex: bigint;
  /** Of a log of this server: each is one tree, so the proof's index is the entry's, and Rekor v1 promises a time. */
  readonly log?: LogName;
  readonly proof: {
    readonly index: bigint;
    readonly size: bigint;
    readonly root: Uint8Array;
    readonly path: readonly Uint8Array[];
  };
  readonly checkpoint: string;
  /** Rekor v1: seconds since 1970, and the signature over them. */
  readonly promise?: { readonly integratedTime: number; readonly signature: Uint8Array };
  /** Kept beside the entry: the payload of a DSSE envelope. */
  readonly payload?: Uint8Array;
}

export function loggedEntry(answer: ProvenEntry): LoggedEntry {
  const { inclusionProof: proof, signedEntryTimestamp: promise, integratedTime, attestationPayload } = answer;
  return {
    body: decodeBase64(answer.body, "body"),
    entryId: answer.entryId,
    logIndex: BigInt(answer.logIndex),
    log: answer.log,
    proof: {
      index: BigInt(proof.logIndex),
      size: BigInt(proof.treeSize),
      root: decodeHex(proof.rootHash, "root hash"),
      path: proof.hashes.map((hash) => decodeHex(hash, "hash of the path")),
    },
    checkpoint: answer.checkpoint,
    ...(promise !== undefined && integratedTime !== undefined
      ? { promise: { integratedTime, signature: decodeBase64(promise, "promise") } }
      : {}),
    ...(attestationPayload === undefined ? {} : { payload: decodeBase64(attestationPayload, "attestation") }),
  };
}

/** What a dropped file holds: the entries of a Sigstore bundle, each with its proof. */
export interface BundleContent {
  readonly mediaType: string;
  readonly entries: readonly LoggedEntry[];
  /** In the algorithm's name of the bundle: `SHA2_256`. */
  readonly digest?: { readonly algorithm: string; readonly hex: string };
  readonly hasTimestamps: boolean;
}

/** protobuf-specs' Bundle as JSON, any version that carries inclusion proofs; and cosign 2's own older form has none. */
export function parseBundle(text: string): BundleContent {
  const bundle = object(parseJson(text, "bundle", { maxBytes: 16 * 1024 * 1024, maxDepth: 64 }), "bundle");
  const { mediaType } = bundle;
  if (typeof mediaType !== "string" || !mediaType.startsWith("application/vnd.dev.sigstore.bundle")) {
    throw new Malformed("this is JSON and no Sigstore bundle: its mediaType is missing or another");
  }
  const material = object(bundle["verificationMaterial"], "verificationMaterial");
  const payload = bundle["dsseEnvelope"] === undefined ? undefined : object(bundle["dsseEnvelope"], "dsseEnvelope");
  const entries = list(material["tlogEntries"]).map((entry) => bundleEntry(entry, payload));
  const digest = optionalObject(optionalObject(bundle["messageSignature"])?.["messageDigest"]);
  const stamps = optionalObject(material["timestampVerificationData"])?.["rfc3161Timestamps"];
  return {
    mediaType,
    entries,
    hasTimestamps: Array.isArray(stamps) && stamps.length > 0,
    ...(digest && {
      digest: {
        algorithm: string(digest["algorithm"], "messageDigest.algorithm"),
        hex: decodeBase64(string(digest["digest"], "messageDigest.digest"), "messageDigest").toHex(),
      },
    }),
  };
}

function bundleEntry(entry: JsonObject, envelope: JsonObject | undefined): LoggedEntry {
  const proof = object(entry["inclusionProof"], "inclusionProof");
  const promise = optionalObject(entry["inclusionPromise"])?.["signedEntryTimestamp"];
  const time = entry["integratedTime"];
  return {
    body: decodeBase64(string(entry["canonicalizedBody"], "canonicalizedBody"), "canonicalizedBody"),
    logIndex: decimal(entry["logIndex"] ?? "0", "logIndex"),
    proof: {
      index: decimal(proof["logIndex"] ?? "0", "inclusionProof.logIndex"),
      size: decimal(proof["treeSize"], "treeSize"),
      root: decodeBase64(string(proof["rootHash"], "rootHash"), "rootHash"),
      path: list(proof["hashes"] ?? [], (hash) => decodeBase64(string(hash, "hash"), "hash of the path")),
    },
    checkpoint: string(object(proof["checkpoint"], "checkpoint")["envelope"], "checkpoint"),
    ...(typeof promise === "string" && time !== undefined
      ? { promise: { integratedTime: Number(time), signature: decodeBase64(promise, "inclusionPromise") } }
      : {}),
    ...(envelope === undefined ? {} : { payload: decodeBase64(string(envelope["payload"], "payload"), "payload") }),
  };
}

function object(value: JsonValue | undefined, name: string): JsonObject {
  const found = optionalObject(value);
  if (found === undefined) throw new Malformed(`bundle: ${name} is missing or no object`);
  return found;
}

function optionalObject(value: JsonValue | undefined): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

function list(value: JsonValue | undefined): JsonObject[];
function list<T>(value: JsonValue | undefined, read: (one: JsonValue) => T): T[];
function list(value: JsonValue | undefined, read = (one: JsonValue): unknown => object(one, "tlogEntries")): unknown[] {
  if (!Array.isArray(value)) throw new Malformed("bundle: a list is missing");
  return value.map(read);
}

function string(value: JsonValue | undefined, name: string): string {
  if (typeof value !== "string") throw new Malformed(`bundle: ${name} is missing or no text`);
  return value;
}

function decimal(value: JsonValue | undefined, name: string): bigint {
  if (typeof value !== "string" || !/^\d{1,19}$/.test(value)) throw new Malformed(`bundle: ${name} is no decimal`);
  return BigInt(value);
}
