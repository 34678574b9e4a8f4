import { decodeBase64Lenient, type JsonObject, type JsonValue, parseJson } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { type Certificate, parseCertificate } from "../certificate/certificate.ts";
import type { Digest } from "../statement/entry-body.ts";
import type { LoggedEntry } from "./logged-entry.ts";

export interface Envelope {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  readonly signatures: readonly Uint8Array[];
}

export interface BundleEntry extends LoggedEntry {
  /** `hashedrekord`, as the bundle says beside the entry. */
  readonly kind?: string;
}

/** What a Sigstore bundle holds: a signature over a file's digest or a statement, whose it is, and what proves when. */
export interface BundleContent {
  readonly mediaType: string;
  readonly entries: readonly BundleEntry[];
  /** None where it was signed with a bare key, of which a bundle has a hint at most. */
  readonly certificate?: Certificate;
  /** The digest may be left out: then the entry's counts. */
  readonly message?: { readonly signature: Uint8Array; readonly digest?: Digest };
  readonly envelope?: Envelope;
  /** RFC 3161 TimeStampResp. */
  readonly timestamps: readonly Uint8Array[];
}

/** In protobuf-specs' name of it. */
const ALGORITHMS: Readonly<Record<string, string>> = { SHA2_256: "sha256", SHA2_384: "sha384", SHA2_512: "sha512" };

/** protobuf-specs' Bundle as JSON, any version that carries inclusion proofs. */
export function parseBundle(text: string): BundleContent {
  const bundle = object(parseJson(text, "bundle", { maxBytes: 16 * 1024 * 1024, maxDepth: 64 }), "bundle");
  const { mediaType } = bundle;
  if (typeof mediaType !== "string" || !mediaType.startsWith("application/vnd.dev.sigstore.bundle")) {
    throw new Malformed("this is JSON and no Sigstore bundle: its mediaType is missing or another");
  }
  const material = object(bundle["verificationMaterial"], "verificationMaterial");
  const envelope = readEnvelope(bundle["dsseEnvelope"]);
  const message = readMessage(bundle["messageSignature"]);
  if ((envelope === undefined) === (message === undefined)) {
    throw new Malformed("bundle: it has to have a messageSignature or a dsseEnvelope, and not both");
  }
  const certificate = readCertificate(material);
  const stamps = optionalObject(material["timestampVerificationData"])?.["rfc3161Timestamps"] ?? [];
  return {
    mediaType,
    entries: list(material["tlogEntries"] ?? [], "tlogEntries").map((entry) => bundleEntry(entry, envelope)),
    timestamps: list(stamps, "rfc3161Timestamps").map((stamp) => base64(stamp["signedTimestamp"], "signedTimestamp")),
    ...(certificate && { certificate }),
    ...(message && { message }),
    ...(envelope && { envelope }),
  };
}

function readMessage(value: JsonValue | undefined): BundleContent["message"] {
  if (value === undefined) return undefined;
  const message = object(value, "messageSignature");
  const signature = base64(message["signature"], "messageSignature.signature");
  const told = optionalObject(message["messageDigest"]);
  if (told === undefined) return { signature };
  const algorithm = string(told["algorithm"], "messageDigest.algorithm");
  const hex = base64(told["digest"], "messageDigest.digest").toHex();
  return { signature, digest: { algorithm: ALGORITHMS[algorithm] ?? algorithm, hex } };
}

/** A DSSE envelope as JSON has it. */
export function readEnvelope(value: JsonValue | undefined): Envelope | undefined {
  if (value === undefined) return undefined;
  const envelope = object(value, "dsseEnvelope");
  const signatures = list(envelope["signatures"], "dsseEnvelope.signatures");
  if (signatures.length === 0) throw new Malformed("bundle: the dsseEnvelope has no signature");
  return {
    payload: base64(envelope["payload"], "dsseEnvelope.payload"),
    payloadType: string(envelope["payloadType"], "dsseEnvelope.payloadType"),
    signatures: signatures.map(({ sig }) => base64(sig, "dsseEnvelope.signatures.sig")),
  };
}

/** One certificate, or in bundles before v0.3 a chain, of which the first is the signer's. */
function readCertificate(material: JsonObject): Certificate | undefined {
  const chain = optionalObject(material["x509CertificateChain"]);
  const [first] = chain === undefined ? [] : list(chain["certificates"], "certificates");
  const one = optionalObject(material["certificate"]) ?? first;
  return one && parseCertificate(base64(one["rawBytes"], "certificate.rawBytes"), "the bundle's certificate");
}

function bundleEntry(entry: JsonObject, envelope: Envelope | undefined): BundleEntry {
  const proof = object(entry["inclusionProof"], "inclusionProof");
  const promise = optionalObject(entry["inclusionPromise"])?.["signedEntryTimestamp"];
  const kind = optionalObject(entry["kindVersion"])?.["kind"];
  return {
    body: base64(entry["canonicalizedBody"], "canonicalizedBody"),
    logIndex: decimal(entry["logIndex"] ?? "0", "logIndex"),
    proof: {
      index: decimal(proof["logIndex"] ?? "0", "inclusionProof.logIndex"),
      size: decimal(proof["treeSize"], "treeSize"),
      root: base64(proof["rootHash"], "rootHash"),
      path: listed(proof["hashes"] ?? [], "hashes").map((hash) => base64(hash, "hash of the path")),
    },
    checkpoint: string(object(proof["checkpoint"], "checkpoint")["envelope"], "checkpoint"),
    ...(typeof kind === "string" && { kind }),
    ...(promise !== undefined && {
      promise: {
        integratedTime: Number(decimal(entry["integratedTime"] ?? "0", "integratedTime")),
        signature: base64(promise, "inclusionPromise"),
      },
    }),
    ...(envelope && { payload: envelope.payload, payloadType: envelope.payloadType }),
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

function listed(value: JsonValue | undefined, name: string): readonly JsonValue[] {
  if (!Array.isArray(value)) throw new Malformed(`bundle: ${name} is missing or no list`);
  return value;
}

function list(value: JsonValue | undefined, name: string): readonly JsonObject[] {
  return listed(value, name).map((one) => object(one, name));
}

function base64(value: JsonValue | undefined, name: string): Uint8Array {
  return decodeBase64Lenient(string(value, name), name);
}

function string(value: JsonValue | undefined, name: string): string {
  if (typeof value !== "string") throw new Malformed(`bundle: ${name} is missing or no text`);
  return value;
}

function decimal(value: JsonValue | undefined, name: string): bigint {
  if (typeof value !== "string" || !/^\d{1,19}$/.test(value)) throw new Malformed(`bundle: ${name} is no decimal`);
  return BigInt(value);
}
