import { parsePublicKey, sha256Hex } from "@chancery/crypto";
import {
  decodeBase64,
  encodeHex,
  encodePem,
  equalBytes,
  type JsonObject,
  type JsonValue,
  parsePem,
  utf8,
} from "@chancery/encoding";
import { Fault } from "@chancery/fault";
import { certificatePublicKey, parseOwnCertificate, parseSubjectAlternativeNames } from "@chancery/x509";
import type { ToldParts } from "../entries/entry-kind.ts";
import { isObject } from "../entries/spec-reader.ts";
import { PemVerifier } from "../pem-verifier.ts";
import type { SigningKey } from "../pki/signing-key.ts";
import { MAX_CERTIFICATES, type Verifier } from "../verifier.ts";
import { certificateFacts } from "./certificate-facts.ts";
import { distinct } from "./distinct.ts";
import type { EntryFacts, SignerFacts, StatementFacts } from "./entry-facts.ts";
import type { BesideEntry } from "./stored-facts.ts";

/**
 * The facts of an entry: a pure function of its canonical body and of what is kept beside it.
 *
 * Keys that were read when it was proposed, `known`, spare reading them again; the facts are the same without.
 * The body was judged when it was logged: here it is read, and a key that today's rules refuse is shown by its digest.
 */
export function describeEntry(
  body: Uint8Array,
  beside: Pick<BesideEntry, "statement" | "otherTexts">,
  known: readonly SigningKey[] = [],
): EntryFacts {
  const { kind, apiVersion, spec } = JSON.parse(decoder.decode(body)) as LoggedBody;
  const { digests, keys } = PARTS[kind]?.(new Path(spec)) ?? { digests: [], keys: [] };
  return {
    kind,
    apiVersion,
    digests: distinct(digests.flatMap((digest) => digest ?? [])),
    signers: keys.flatMap((key) => (key === undefined ? [] : [signerFacts(key, known)])),
    statement: beside.statement,
    otherTexts: beside.otherTexts,
  };
}

/** The same of an entry whose kind told what its body has: nothing is read of what was only just written. */
export function describeTold(
  { kind, apiVersion, digests, verifiers }: ToldParts,
  statement: StatementFacts | undefined,
): EntryFacts {
  return { kind, apiVersion, digests, signers: verifiers.map(x509Facts), statement, otherTexts: [] };
}

const decoder = new TextDecoder();

interface LoggedBody {
  readonly kind: string;
  readonly apiVersion: string;
  readonly spec: JsonObject;
}

interface LoggedKey {
  readonly format: string;
  readonly bytes: Uint8Array;
}

interface Parts {
  readonly digests: readonly (string | undefined)[];
  readonly keys: readonly (LoggedKey | undefined)[];
}

/** Where each kind's canonical body has its digests and keys. */
const PARTS: Readonly<Record<string, (spec: Path) => Parts>> = {
  hashedrekord: (spec) => (spec.at("hashedRekordV002") === undefined ? hashedRekord1(spec) : hashedRekord2(spec)),
  dsse: (spec) => ({
    digests: [spec.hash("payloadHash"), spec.hash("envelopeHash")],
    keys: spec.list("signatures").map((each) => each.key("x509", "verifier")),
  }),
  // The hash of a 0.0.2 entry's envelope is the client's claim.
  intoto: (spec) => ({
    digests: [
      spec.at("content", "envelope") === undefined ? spec.hash("content", "hash") : undefined,
      spec.hash("content", "payloadHash"),
    ],
    keys: [
      spec.key("x509", "publicKey"),
      ...spec.list("content", "envelope", "signatures").map((each) => each.key("x509", "publicKey")),
    ],
  }),
  cose: (spec) => ({
    digests: [spec.hash("data", "envelopeHash"), spec.hash("data", "payloadHash")],
    keys: [spec.key("x509", "publicKey")],
  }),
  rekord: (spec) => ({
    digests: [spec.hash("data", "hash")],
    keys: [spec.key(spec.text("signature", "format") ?? "", "signature", "publicKey", "content")],
  }),
  rfc3161: (spec) => ({ digests: [spec.digestOf("tsr", "content")], keys: [] }),
  jar: (spec) => ({
    digests: [spec.hash("archive", "hash"), spec.digestOf("signature", "content")],
    keys: [spec.key("x509", "signature", "publicKey", "content")],
  }),
  alpine: (spec) => ({
    digests: [spec.hash("package", "hash")],
    keys: [spec.key("x509", "publicKey", "content")],
  }),
  helm: (spec) => ({ digests: [spec.hash("chart", "hash")], keys: [spec.key("pgp", "publicKey", "content")] }),
  rpm: (spec) => ({ digests: [spec.hash("package", "hash")], keys: [spec.key("pgp", "publicKey", "content")] }),
  tuf: (spec) => ({ digests: [spec.digestOf("metadata", "content")], keys: [spec.key("tuf", "root", "content")] }),
};

function hashedRekord1(spec: Path): Parts {
  return { digests: [spec.hash("data", "hash")], keys: [spec.key("x509", "signature", "publicKey", "content")] };
}

function hashedRekord2(outer: Path): Parts {
  const spec = outer.inner("hashedRekordV002");
  const algorithm = spec.text("data", "algorithm")?.replace("SHA2_", "sha");
  const digest = spec.bytes("data", "digest");
  const verifier = spec.inner("signature", "verifier");
  const der = verifier.bytes("x509Certificate", "rawBytes");
  const spki = verifier.bytes("publicKey", "rawBytes");
  return {
    digests: [digest && `${algorithm}:${encodeHex(digest)}`],
    keys: [
      der && { format: "x509", bytes: utf8(encodePem("CERTIFICATE", der)) },
      spki && { format: "x509", bytes: utf8(encodePem("PUBLIC KEY", spki)) },
    ],
  };
}

function signerFacts({ format, bytes }: LoggedKey, known: readonly SigningKey[]): SignerFacts {
  try {
    if (format === "x509") return x509Facts(known.find(isVerifierOf(bytes)) ?? readVerifier(bytes));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  const loggedDigest = sha256Hex(bytes);
  return { format, keyFingerprint: loggedDigest, loggedDigest, algorithm: undefined, certificate: undefined };
}

/** Keys of other formats have a `publicKey` too, and no digest of what is logged. */
function isVerifierOf(bytes: Uint8Array): (key: SigningKey) => key is PemVerifier {
  return (key): key is PemVerifier => key instanceof PemVerifier && equalBytes(key.canonical, bytes);
}

type DescribedVerifier = Pick<Verifier, "publicKey" | "digest" | "certificate">;

function x509Facts(verifier: DescribedVerifier): SignerFacts {
  const { publicKey, digest, certificate } = verifier;
  return {
    format: "x509",
    keyFingerprint: sha256Hex(publicKey.spki),
    loggedDigest: digest,
    algorithm: publicKey.algorithm,
    certificate: certificate && certificateFacts(certificate.leaf, certificate.names),
  };
}

/** Of a key that was judged when it was logged; a chain was verified then. */
function readVerifier(pem: Uint8Array): DescribedVerifier {
  const blocks = parsePem(pem, "key", { labels: ["PUBLIC KEY", "CERTIFICATE"], max: MAX_CERTIFICATES });
  const [first] = blocks;
  const certificate = first?.label === "CERTIFICATE" ? readCertificate(first.der) : undefined;
  const publicKey = certificate?.publicKey ?? parsePublicKey(first?.der ?? new Uint8Array(), "key");
  // A body holds keys in their canonical form, but for intoto 0.0.2's, which are logged as they were sent.
  const digest = sha256Hex(blocks.map(({ label, der }) => encodePem(label, der)).join(""));
  return { publicKey, digest, ...(certificate && { certificate }) };
}

function readCertificate(der: Uint8Array) {
  const leaf = parseOwnCertificate(der, "certificate");
  return { leaf, names: parseSubjectAlternativeNames(leaf), publicKey: certificatePublicKey(leaf) };
}

/** A canonical body, read by the names of its members; what is not there is undefined. */
class Path {
  readonly #value: JsonValue | undefined;

  constructor(value: JsonValue | undefined) {
    this.#value = value;
  }

  at(...names: readonly string[]): JsonValue | undefined {
    let value = this.#value;
    for (const name of names) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    return value ?? undefined;
  }

  inner(...names: readonly string[]): Path {
    return new Path(this.at(...names));
  }

  list(...names: readonly string[]): Path[] {
    const value = this.at(...names);
    return Array.isArray(value) ? value.map((each: JsonValue) => new Path(each)) : [];
  }

  text(...names: readonly string[]): string | undefined {
    const value = this.at(...names);
    return typeof value === "string" ? value : undefined;
  }

  bytes(...names: readonly string[]): Uint8Array | undefined {
    const text = this.text(...names);
    return text === undefined ? undefined : decodeBase64(text, names.join("."));
  }

  hash(...names: readonly string[]): string | undefined {
    const [algorithm, value] = [this.text(...names, "algorithm"), this.text(...names, "value")];
    return algorithm === undefined || value === undefined ? undefined : `${algorithm}:${value}`.toLowerCase();
  }

  digestOf(...names: readonly string[]): string | undefined {
    const bytes = this.bytes(...names);
    return bytes && `sha256:${sha256Hex(bytes)}`;
  }

  key(format: string, ...names: readonly string[]): LoggedKey | undefined {
    const bytes = this.bytes(...names);
    return bytes && { format, bytes };
  }
}
