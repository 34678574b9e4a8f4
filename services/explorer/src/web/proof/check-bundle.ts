import { decodeHex, equalBytes } from "@chancery/encoding";
import { Unverified } from "@chancery/fault";
import { parseStatement } from "../statement/attestation.ts";
import type { BodySignature, Digest, EntryBody } from "../statement/entry-body.ts";
import type { BundleContent, Envelope } from "./bundle.ts";
import { checkCertificate, checkCertificateLog, type FoundAuthority } from "./check-certificate.ts";
import { checkLogged, firstFailure, type LoggedSteps } from "./check-entry.ts";
import { hashNamed, IN_TOTO, preAuthenticationEncoding } from "./check-signer.ts";
import { withKeyLife } from "./key-life.ts";
import { fingerprint, type PublicKey } from "./public-key.ts";
import { type DigestAlgorithm, digestOf, verifyDigest, verifyMessage } from "./signature.ts";
import { attempt, type Finding, type Step } from "./step.ts";
import { verifyTimestamp } from "./timestamp.ts";
import type { TrustedAuthority, TrustedParties } from "./trusted-keys.ts";

export interface CheckedBundle extends FoundAuthority {
  readonly entries: readonly LoggedSteps[];
  /** What holds the bundle to its entries: whose signature, over what, when. */
  readonly steps: readonly Step[];
  /** What was signed, by the entry's own word; none while any step fails. */
  readonly signedDigests: readonly Digest[];
  /** The in-toto statement that was signed; none while any step fails. */
  readonly signedStatement: Uint8Array | undefined;
}

/** Each way from the entry to the log's key, and that the entry is of this bundle. Every step is taken, whatever failed. */
export async function checkBundle(
  content: BundleContent,
  parties: TrustedParties,
  now: number = Date.now(),
): Promise<CheckedBundle> {
  const logged = await Promise.all(
    content.entries.map((entry) => checkLogged(entry, parties, entry.kind === undefined ? {} : { kind: entry.kind })),
  );
  const bodies = logged.map(({ body }) => body);
  const times = logged.flatMap(({ promisedTime }) => promisedTime ?? []);
  const found: FoundAuthority = { authority: undefined };
  const key = content.certificate?.key ?? bodies[0]?.signatures[0]?.key;
  const steps = [
    await attempt("bundle-entry", () => compareWithEntries(content, bodies)),
    await attempt("bundle-signature", () => verifySignature(content, key, bodies[0])),
    await attempt("timestamp", () => checkTimestamps(content, parties, times)),
    await attempt("certificate", () => checkCertificate(content.certificate, parties, { times, of: "bundle" }, found)),
    await attempt("certificate-log", () => checkCertificateLog(content.certificate, found.authority, parties)),
  ];
  const entries = logged.map((entry) => Object.assign({}, entry, { steps: withKeyLife(entry, times, now) }));
  const isRed = firstFailure([...entries.flatMap((entry) => entry.steps), ...steps]) !== undefined;
  if (isRed) return { entries, steps, ...found, signedDigests: [], signedStatement: undefined };
  const { envelope } = content;
  const signedStatement = envelope?.payloadType === IN_TOTO ? envelope.payload : undefined;
  return { entries, steps, ...found, signedDigests: signedDigests(content, bodies[0]), signedStatement };
}

/** What a file is compared with: the digest in the entry, or those that the signed statement is about. */
function signedDigests({ envelope }: BundleContent, body: EntryBody | undefined): readonly Digest[] {
  if (envelope === undefined) return body?.digests ?? [];
  if (envelope.payloadType !== IN_TOTO) return [];
  try {
    return parseStatement(envelope.payload).subjects.flatMap(({ digests }) =>
      digests.flatMap((digest) => {
        const [algorithm = "", hex = ""] = digest.split(":");
        return algorithm === "sha256" ? [{ algorithm, hex: hex.toLowerCase() }] : [];
      }),
    );
  } catch {
    return [];
  }
}

/** A log entry vouches for the signature that it holds and for no other: certificate, signature and digest are the entry's. */
function compareWithEntries(content: BundleContent, bodies: readonly (EntryBody | undefined)[]): Finding {
  if (bodies.length === 0)
    throw new Unverified("the bundle has no log entry, so nothing shows that it was ever logged");
  for (const body of bodies) {
    if (body === undefined) throw new Unverified("the entry cannot be read");
    compareDigest(content, body);
    const missing = signaturesOf(content).some((one) => !body.signatures.some((other) => isSame(content, one, other)));
    if (missing || body.signatures.length !== signaturesOf(content).length) {
      throw new Unverified("the entry is of another signature, or of another signer, than the bundle");
    }
  }
  return {
    state: "passed",
    words: "The entry holds the bundle's own signature, its signer, and the digest of what it signs.",
  };
}

function isSame({ certificate }: BundleContent, signature: Uint8Array, logged: BodySignature): boolean {
  if (logged.signature === undefined || !equalBytes(logged.signature, signature)) return false;
  if (certificate === undefined) return logged.certificate === undefined;
  return logged.certificate !== undefined && equalBytes(logged.certificate.der, certificate.der);
}

function signaturesOf({ message, envelope }: BundleContent): readonly Uint8Array[] {
  return message === undefined ? (envelope?.signatures ?? []) : [message.signature];
}

function compareDigest({ message, envelope }: BundleContent, body: EntryBody): void {
  if (message !== undefined) {
    const [logged] = body.digests;
    if (body.signed !== "artifact-digest" || logged === undefined) {
      throw new Unverified(`the bundle is of a file and the entry, a ${body.kind}, is of something else`);
    }
    const { digest } = message;
    if (digest !== undefined && (digest.algorithm !== logged.algorithm || digest.hex !== logged.hex)) {
      throw new Unverified("the digest in the bundle is not the one in the entry");
    }
    return;
  }
  if (envelope === undefined) return;
  // A v2 log takes an attestation also as the hashedrekord of its pre-authentication encoding.
  const [logged, bytes] =
    body.signed === "artifact-digest" ? [body.digests[0], encoded(envelope)] : [body.payloadDigest, envelope.payload];
  if (logged === undefined)
    throw new Unverified(`the bundle is of a statement and the entry, a ${body.kind}, names none`);
  if (!equalBytes(digestOf(requireHash(logged), bytes), decodeHex(logged.hex, "the entry's digest"))) {
    throw new Unverified("the statement in the bundle is not the one whose digest is in the entry");
  }
}

async function verifySignature(
  { message, envelope }: BundleContent,
  key: PublicKey | undefined,
  body: EntryBody | undefined,
): Promise<Finding> {
  if (key === undefined) throw new Unverified("neither the bundle nor the entry has a key to check it with");
  const values = [["Key", `${key.algorithm}, SHA-256 ${fingerprint(key).toHex()}`]] as const;
  if (envelope !== undefined) {
    for (const signature of envelope.signatures) {
      if (!(await verifyMessage(key, encoded(envelope), signature))) {
        throw new Unverified("the signature is not over this statement by this key");
      }
    }
    return { state: "passed", words: "The signature is over the statement in the bundle, by this key.", values };
  }
  const digest = message?.digest ?? body?.digests[0];
  if (message === undefined || digest === undefined) throw new Unverified("there is no digest to check it with");
  const hash = requireHash(digest);
  if (key.algorithm === "Ed25519" && hash !== "sha512") {
    const words = "An Ed25519 signature is over the file itself, not over its digest: cosign checks it with the file.";
    return { state: "doubtful", words, values };
  }
  if (!verifyDigest(key, hash, decodeHex(digest.hex, "digest"), message.signature)) {
    throw new Unverified("the signature is not over this digest by this key");
  }
  return { state: "passed", words: "The signature is over the digest in the bundle, by this key.", values };
}

/** Of the first signature, as clients stamp it. What a timestamp proves is added to `times`. */
async function checkTimestamps(content: BundleContent, parties: TrustedParties, times: number[]): Promise<Finding> {
  const [signature] = signaturesOf(content);
  if (signature === undefined) throw new Unverified("there is no signature");
  const promised = times.length;
  const authorities: TrustedAuthority[] = [];
  for (const timestamp of content.timestamps) {
    const verified = await verifyTimestamp(timestamp, signature, parties.timestampAuthorities);
    if (verified === undefined) continue;
    times.push(verified.time.getTime());
    authorities.push(verified.authority);
  }
  const values = times.map((time) => ["Proven", new Date(time).toISOString()] as const);
  if (times.length === 0) return unprovenTime(content);
  if (authorities.length < content.timestamps.length) {
    return {
      state: "doubtful",
      words: "It has a timestamp of an authority that the trusted root does not know.",
      values,
    };
  }
  if (authorities.length === 0) {
    return { state: "passed", words: "There is no timestamp; the log's promise proves when it was logged.", values };
  }
  const isOwn = parties.logKeys.some(({ source }) => source !== "server");
  if (promised === 0 && isOwn && authorities.every(({ source }) => source === "server")) {
    const words = "A timestamp is over this signature, by an authority that only this server's trusted root names.";
    return { state: "doubtful", words, values };
  }
  return { state: "passed", words: "A timestamp of a known authority is over this very signature.", values };
}

function unprovenTime({ certificate, timestamps }: BundleContent): Finding {
  const words =
    timestamps.length > 0
      ? "the only timestamps are of authorities that the trusted root does not know"
      : "there is neither a timestamp nor the log's promise of a time";
  // A certificate is good for minutes; a bare key has no end.
  if (certificate !== undefined) throw new Unverified(`${words}, so the certificate may have ended long before`);
  return { state: "doubtful", words: `No time is proven: ${words}.` };
}

function encoded({ payloadType, payload }: Envelope): Uint8Array {
  return preAuthenticationEncoding(payloadType, payload);
}

function requireHash(digest: Digest): DigestAlgorithm {
  const hash = hashNamed(digest);
  if (hash === undefined) throw new Unverified(`a digest by ${digest.algorithm} is not checked here`);
  return hash;
}
