import {
  canonicalJson,
  encodePem,
  type JsonObject,
  type JsonValue,
  parseJson,
  parsePem,
  utf8,
} from "@chancery/encoding";
import { alternativeNames, readCertificate } from "../certificate/certificate.ts";
import { judgeKey } from "../certificate/key-policy.ts";
import { sha256 } from "../merkle.ts";
import { type HashName, isDigestSigned } from "./digest-signature.ts";

/** What can be said of an entry from its bytes alone. */
export interface JudgedEntry {
  /** `hashedrekord 0.0.1`; undefined where the bytes are no entry. */
  readonly kind: string | undefined;
  /** What keeps it from being a good entry. */
  readonly complaints: readonly string[];
  /** By what it must be found, among other texts. */
  readonly texts: readonly string[];
  /** Whether its signatures were verified: an envelope's cannot be, for the log keeps only its hash. */
  readonly isVerified: boolean;
}

/** Upstream's, in all versions that are logged. */
const KINDS = new Set([
  "hashedrekord 0.0.1",
  "hashedrekord 0.0.2",
  "dsse 0.0.1",
  "intoto 0.0.1",
  "intoto 0.0.2",
  "rekord 0.0.1",
  "rfc3161 0.0.1",
  "cose 0.0.1",
  "jar 0.0.1",
  "alpine 0.0.1",
  "helm 0.0.1",
  "rpm 0.0.1",
  "tuf 0.0.1",
]);

/**
 * An entry judged by code of the auditor's own: canonical form, kind, key policy, signature, search texts. Without `verify` it
 * is only read, for its texts: of one whose leaf hash is proven all else was judged when it came.
 */
export function judgeEntry(leaf: Uint8Array, options: { readonly verify: boolean } = { verify: true }): JudgedEntry {
  let body: JsonValue;
  try {
    body = parseJson(leaf, "entry");
  } catch (error) {
    return bad(undefined, `is no JSON that may be logged: ${error instanceof Error ? error.message : "?"}`);
  }
  if (!isObject(body)) return bad(undefined, "is no JSON object");
  const { apiVersion, kind: name, spec } = body;
  const kind = typeof name === "string" && typeof apiVersion === "string" ? `${name} ${apiVersion}` : "none";
  if (!KINDS.has(kind) || !isObject(spec)) return bad(kind, `is of the kind ${kind}, which is not logged`);
  const isCanonical = !options.verify || Buffer.compare(utf8(canonicalJson(body)), leaf) === 0;
  const canonical = isCanonical ? [] : ["is not in canonical form"];
  try {
    const judged = judgeSpec(kind, spec, options.verify);
    return { kind, ...judged, complaints: [...canonical, ...judged.complaints] };
  } catch (error) {
    return bad(kind, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Judged = Omit<JudgedEntry, "kind">;

function judgeSpec(kind: string, spec: JsonObject, verify: boolean): Judged {
  switch (kind) {
    case "hashedrekord 0.0.1":
      return judgeHashedRekord(spec, verify);
    case "hashedrekord 0.0.2":
      return judgeHashedRekordV2(spec, verify);
    case "dsse 0.0.1":
      return judgeDsse(spec, verify);
    default:
      return { complaints: [], texts: [], isVerified: false };
  }
}

/** { data: { hash: { algorithm, value } }, signature: { content, publicKey: { content } } } */
function judgeHashedRekord(spec: JsonObject, verify: boolean): Judged {
  const hash = at(at(spec, "data"), "hash");
  const signature = at(spec, "signature");
  const pem = Buffer.from(textAt(at(signature, "publicKey"), "content"), "base64");
  const algorithm = hashOf(textAt(hash, "algorithm"));
  const value = textAt(hash, "value");
  return judgeSignature(readPem(pem), verify, {
    algorithm,
    digest: Buffer.from(value, "hex"),
    signature: Buffer.from(textAt(signature, "content"), "base64"),
    text: `${algorithm}:${value.toLowerCase()}`,
  });
}

const V2_HASHES: Readonly<Record<string, HashName>> = { SHA2_256: "sha256", SHA2_384: "sha384", SHA2_512: "sha512" };

/** { hashedRekordV002: { data: { algorithm, digest }, signature: { content, verifier: { …: { rawBytes }, keyDetails } } } } */
function judgeHashedRekordV2(spec: JsonObject, verify: boolean): Judged {
  const rekord = at(spec, "hashedRekordV002");
  const [data, signature] = [at(rekord, "data"), at(rekord, "signature")];
  const verifier = at(signature, "verifier");
  const isKey = isObject(verifier["publicKey"]);
  const der = Buffer.from(textAt(at(verifier, isKey ? "publicKey" : "x509Certificate"), "rawBytes"), "base64");
  const algorithm = V2_HASHES[textAt(data, "algorithm")];
  if (algorithm === undefined) throw new TypeError(`digest algorithm ${textAt(data, "algorithm")}`);
  const digest = Buffer.from(textAt(data, "digest"), "base64");
  const pem = utf8(encodePem(isKey ? "PUBLIC KEY" : "CERTIFICATE", der));
  return judgeSignature(readPem(pem), verify, {
    algorithm,
    digest,
    signature: Buffer.from(textAt(signature, "content"), "base64"),
    text: `${algorithm}:${digest.toString("hex")}`,
  });
}

/** { envelopeHash, payloadHash, signatures: [{ signature, verifier }] } */
function judgeDsse(spec: JsonObject, verify: boolean): Judged {
  const { signatures } = spec;
  if (!Array.isArray(signatures) || signatures.length === 0) throw new TypeError("signatures: there are none");
  const signers = (signatures as readonly JsonObject[]).map((one) =>
    readPem(Buffer.from(textAt(one, "verifier"), "base64")),
  );
  const hashes = ["envelopeHash", "payloadHash"].map((name) => {
    const hash = at(spec, name);
    return `${textAt(hash, "algorithm")}:${textAt(hash, "value")}`;
  });
  return {
    complaints: verify ? signers.map(({ spki }) => judgeKey(spki)).flatMap(complaintsOf) : [],
    texts: [...hashes, ...signers.flatMap(({ texts }) => texts)],
    isVerified: false,
  };
}

interface Signed {
  readonly algorithm: HashName;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
  readonly text: string;
}

function judgeSignature(signer: Signer, verify: boolean, signed: Signed): Judged {
  const texts = [signed.text, ...signer.texts];
  if (!verify) return { complaints: [], texts, isVerified: false };
  const key = judgeKey(signer.spki);
  if (typeof key === "string") return { complaints: complaintsOf(key), texts, isVerified: false };
  const holds = isDigestSigned(key, signed.algorithm, signed.digest, signed.signature);
  const complaints = holds ? [] : ["has a signature that does not verify with its own key"];
  return { complaints, texts, isVerified: true };
}

function complaintsOf(key: ReturnType<typeof judgeKey>): string[] {
  return typeof key === "string" ? [`has a key that ${key}`] : [];
}

interface Signer {
  readonly spki: Uint8Array;
  readonly texts: readonly string[];
}

/** PEM of a public key, or of certificates, the signer's first. */
function readPem(pem: Uint8Array): Signer {
  const [first] = parsePem(pem, "key", { labels: ["PUBLIC KEY", "CERTIFICATE"], max: 10 });
  if (first === undefined) throw new TypeError("key: there is none");
  const digest = sha256(pem).toHex();
  if (first.label === "PUBLIC KEY") return { spki: first.der, texts: [digest] };
  const certificate = readCertificate(first.der);
  return { spki: certificate.spki, texts: [digest, ...alternativeNames(certificate)] };
}

function hashOf(name: string): HashName {
  if (name === "sha256" || name === "sha384" || name === "sha512") return name;
  throw new TypeError(`hash algorithm ${name}`);
}

function bad(kind: string | undefined, complaint: string): JudgedEntry {
  return { kind, complaints: [complaint], texts: [], isVerified: false };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(object: JsonObject, name: string): JsonObject {
  const found = object[name];
  if (!isObject(found)) throw new TypeError(`${name}: is missing`);
  return found;
}

function textAt(object: JsonObject, name: string): string {
  const found = object[name];
  if (typeof found !== "string") throw new TypeError(`${name}: is no text`);
  return found;
}
