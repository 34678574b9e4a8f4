import { decodeBase64Lenient, type JsonObject, type JsonValue, parseJson, parsePem } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";
import { type Certificate, parseCertificate } from "../certificate/certificate.ts";
import { parsePublicKey, type PublicKey } from "../proof/public-key.ts";
import type { DigestAlgorithm } from "../proof/signature.ts";

export interface Digest {
  readonly algorithm: string;
  readonly hex: string;
}

export interface BodySignature {
  readonly signature?: Uint8Array;
  readonly key?: PublicKey;
  readonly certificate?: Certificate;
}

/** What an entry says, read from the very bytes that the log's tree holds. */
export interface EntryBody {
  readonly kind: string;
  readonly apiVersion: string;
  /** Of what was signed, as far as the entry names it. */
  readonly digests: readonly Digest[];
  /** What the signatures are over: the digest of the artifact, or a DSSE envelope's encoding of its payload. */
  readonly signed: "artifact-digest" | "dsse" | "other";
  readonly payloadDigest?: Digest;
  readonly payloadType?: string;
  readonly signatures: readonly BodySignature[];
  readonly json: JsonObject;
}

type Read = Pick<EntryBody, "digests" | "signed" | "signatures"> &
  Partial<Pick<EntryBody, "payloadDigest" | "payloadType">>;

const READERS: Readonly<Record<string, (spec: JsonObject) => Read>> = {
  "hashedrekord 0.0.1": hashedrekord,
  "hashedrekord 0.0.2": hashedrekordV2,
  "dsse 0.0.1": dsse,
  "dsse 0.0.2": dsseV2,
  "intoto 0.0.1": intoto,
  "intoto 0.0.2": intoto,
  "rekord 0.0.1": rekord,
};

const ALGORITHMS: Readonly<Record<string, DigestAlgorithm>> = {
  SHA2_256: "sha256",
  SHA2_384: "sha384",
  SHA2_512: "sha512",
};

/** Of kinds that are not read further here, only the kind is told. */
export function parseEntryBody(bytes: Uint8Array): EntryBody {
  const json = object(parseJson(bytes, "the body"), "the body");
  const [kind, apiVersion] = [text(json, "kind"), text(json, "apiVersion")];
  const read = READERS[`${kind} ${apiVersion}`];
  const other: Read = { digests: [], signed: "other", signatures: [] };
  return { kind, apiVersion, json, ...(read === undefined ? other : read(object(json["spec"], "the body's spec"))) };
}

function hashedrekord(spec: JsonObject): Read {
  const signature = at(spec, "signature");
  const one = signedBy(text(at(signature, "publicKey"), "content"), base64(text(signature, "content")));
  return { digests: [hash(at(spec, "data", "hash"))], signed: "artifact-digest", signatures: [one] };
}

function hashedrekordV2(spec: JsonObject): Read {
  const { hashedRekordV002 } = spec;
  const entry = object(hashedRekordV002, "hashedRekordV002");
  const signature = at(entry, "signature");
  const one = signedByV2(at(signature, "verifier"), base64(text(signature, "content")));
  return { digests: [hashV2(at(entry, "data"))], signed: "artifact-digest", signatures: [one] };
}

function dsse(spec: JsonObject): Read {
  const signatures = list(spec["signatures"]).map((one) =>
    signedBy(text(one, "verifier"), base64(text(one, "signature"))),
  );
  const payloadDigest = hash(at(spec, "payloadHash"));
  return { digests: [payloadDigest], payloadDigest, signed: "dsse", signatures };
}

function dsseV2(spec: JsonObject): Read {
  const entry = at(spec, "dsseV002");
  const signatures = list(entry["signatures"]).map((one) =>
    signedByV2(at(one, "verifier"), base64(text(one, "content"))),
  );
  const payloadDigest = hashV2(at(entry, "payloadHash"));
  return { digests: [payloadDigest], payloadDigest, signed: "dsse", signatures };
}

/** 0.0.1 has one key beside its content, 0.0.2 one beside each signature, whose base64 is base64 again. */
function intoto(spec: JsonObject): Read {
  const content = at(spec, "content");
  const payloadHash = content["payloadHash"];
  const payloadDigest = payloadHash === undefined ? undefined : hash(object(payloadHash, "payloadHash"));
  const envelope = content["envelope"];
  const common = { signed: "dsse", digests: payloadDigest === undefined ? [] : [payloadDigest] } as const;
  const told = { ...common, ...(payloadDigest && { payloadDigest }) };
  if (typeof envelope !== "object" || envelope === null || Array.isArray(envelope)) {
    return { ...told, signatures: [signedBy(text(spec, "publicKey"))] };
  }
  const read = object(envelope, "envelope");
  const signatures = list(read["signatures"]).map((one) =>
    signedBy(text(one, "publicKey"), base64(new TextDecoder().decode(base64(text(one, "sig"))))),
  );
  return { ...told, payloadType: text(read, "payloadType"), signatures };
}

function rekord(spec: JsonObject): Read {
  const signature = at(spec, "signature");
  const digests = [hash(at(spec, "data", "hash"))];
  if (text(signature, "format") !== "x509") return { digests, signed: "other", signatures: [] };
  const one = signedBy(text(at(signature, "publicKey"), "content"), base64(text(signature, "content")));
  return { digests, signed: "artifact-digest", signatures: [one] };
}

/** Base64 of a PEM: a certificate chain, whose first is the signer's, or a key. */
function signedBy(content: string, signature?: Uint8Array): BodySignature {
  const [block] = parsePem(base64(content), "the signer");
  if (block?.label === "CERTIFICATE") return withCertificate(block.der, signature);
  if (block?.label === "PUBLIC KEY") return withKey(block.der, signature);
  return signature === undefined ? {} : { signature };
}

function signedByV2({ x509Certificate, publicKey }: JsonObject, signature: Uint8Array): BodySignature {
  if (x509Certificate !== undefined) {
    return withCertificate(base64(text(object(x509Certificate, "x509Certificate"), "rawBytes")), signature);
  }
  if (publicKey === undefined) return { signature };
  return withKey(base64(text(object(publicKey, "publicKey"), "rawBytes")), signature);
}

function withCertificate(der: Uint8Array, signature: Uint8Array | undefined): BodySignature {
  const certificate = parseCertificate(der, "the signer's certificate");
  return { certificate, key: certificate.key, ...(signature && { signature }) };
}

function withKey(spki: Uint8Array, signature: Uint8Array | undefined): BodySignature {
  return { key: parsePublicKey(spki, "the signer's key"), ...(signature && { signature }) };
}

function hash(value: JsonObject): Digest {
  return { algorithm: text(value, "algorithm"), hex: text(value, "value").toLowerCase() };
}

function hashV2(value: JsonObject): Digest {
  const algorithm = text(value, "algorithm");
  return { algorithm: ALGORITHMS[algorithm] ?? algorithm, hex: base64(text(value, "digest")).toHex() };
}

function base64(value: string): Uint8Array {
  return decodeBase64Lenient(value, "the body");
}

function at(value: JsonObject, ...path: readonly string[]): JsonObject {
  return path.reduce((inner, name) => object(inner[name], name), value);
}

function object(value: JsonValue | undefined, name: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Malformed(`${name} is not an object`);
  return value as JsonObject;
}

function list(value: JsonValue | undefined): readonly JsonObject[] {
  if (!Array.isArray(value)) throw new Malformed("the body's signatures are not a list");
  return value.map((one: JsonValue) => object(one, "a signature"));
}

function text(value: JsonObject, name: string): string {
  const found = value[name];
  if (typeof found !== "string") throw new Malformed(`${name} is not a text`);
  return found;
}
