import { canonicalJson, encodeBase64, equalBytes, utf8 } from "@chancery/encoding";
import { Malformed, Unverified } from "@chancery/fault";
import type { LogName } from "../api/entries.ts";
import { type EntryBody, parseEntryBody } from "../statement/entry-body.ts";
import { checkCertificate, checkCertificateLog, type FoundAuthority } from "./check-certificate.ts";
import { checkPayload, checkSigner } from "./check-signer.ts";
import { climb, leafHash } from "./inclusion.ts";
import type { LoggedEntry } from "./logged-entry.ts";
import { withKeyLife } from "./key-life.ts";
import { checkSignature, type FoundKey } from "./log-signature.ts";
import { fingerprint } from "./public-key.ts";
import { verifyMessage } from "./signature.ts";
import { parseSignedCheckpoint, type SignedCheckpoint } from "./signed-note.ts";
import { attempt, type Finding, type Step } from "./step.ts";
import type { TrustedAuthority, TrustedKey, TrustedParties } from "./trusted-keys.ts";

export interface CheckedEntry {
  readonly steps: readonly Step[];
  /** Undefined where it cannot be read. */
  readonly body: EntryBody | undefined;
  readonly checkpoint: SignedCheckpoint | undefined;
  /** The key under which the checkpoint verified. */
  readonly logKey: TrustedKey | undefined;
  /** The authority that issued the certificate. */
  readonly authority: TrustedAuthority | undefined;
}

/** What the one who asked asked for, and was told beside the entry itself. */
export interface Expected {
  /** Index or entry ID, as it stands in the address. */
  readonly asked?: string;
  readonly log?: LogName;
  readonly kind?: string;
  readonly digests?: readonly string[];
}

/** An entry as far as the log's own word goes. How long its key is believed is for who knows all times: `withKeyLife`. */
export interface LoggedSteps extends Pick<CheckedEntry, "steps" | "body" | "checkpoint" | "logKey"> {
  /** Milliseconds; only where the log's signature over it holds. */
  readonly promisedTime: number | undefined;
}

/**
 * The whole way from what is shown to a key, computed here, from the entry's bytes alone. No step takes another's
 * word: a step whose input did not hold is computed all the same, so that each tells of itself.
 */
export async function checkLogged(
  entry: LoggedEntry,
  parties: TrustedParties,
  expected: Expected = {},
): Promise<LoggedSteps> {
  let body: EntryBody | undefined;
  let checkpoint: SignedCheckpoint | undefined;
  const found: FoundKey = { logKey: undefined };
  const leaf = leafHash(entry.body);
  const steps = [
    await attempt("body", () => {
      body = parseEntryBody(entry.body);
      return compareBody(body, expected);
    }),
    await attempt("leaf", () => checkLeaf(entry, leaf, expected)),
    await attempt("path", () => checkPath(entry, leaf)),
    await attempt("checkpoint", () => {
      checkpoint = parseSignedCheckpoint(entry.checkpoint);
      return compareCheckpoint(checkpoint, entry);
    }),
    await attempt("log-signature", () => checkSignature(checkpoint, parties.logKeys, found, entry.log)),
    await attempt("promise", () => checkPromise(entry, found.logKey)),
  ];
  const time = entry.promise?.integratedTime;
  const promisedTime = isTimeSigned(steps) && time !== undefined ? time * 1000 : undefined;
  return { steps, body, checkpoint, promisedTime, ...found };
}

/** The log's word, and then the signer's. */
export async function checkEntry(
  entry: LoggedEntry,
  parties: TrustedParties,
  expected: Expected = {},
  now: number = Date.now(),
): Promise<CheckedEntry> {
  const { promisedTime, ...told } = await checkLogged(entry, parties, expected);
  const found: FoundAuthority = { authority: undefined };
  const steps = withKeyLife(told, promisedTime === undefined ? [] : [promisedTime], now);
  const logged = { ...told, steps };
  const { body } = told;
  if (body === undefined) return { ...logged, ...found };
  const certificate = body.signatures.find((one) => one.certificate !== undefined)?.certificate;
  // Believed only as far as the step before held: where it did not, the verdict is red already.
  const times = entry.promise === undefined ? [] : [entry.promise.integratedTime * 1000];
  const signer = [
    await attempt("artifact-signature", () => checkSigner(body, entry)),
    await attempt("attestation", () => checkPayload(body, entry)),
    await attempt("certificate", () => checkCertificate(certificate, parties, { times, of: "entry" }, found)),
    await attempt("certificate-log", () => checkCertificateLog(certificate, found.authority, parties)),
  ];
  return { ...logged, steps: [...steps, ...signer], ...found };
}

/** Whether the log signed the time that is told beside the entry. */
export function isTimeSigned(steps: readonly Step[]): boolean {
  return steps.some(({ id, state }) => id === "promise" && state === "passed");
}

/** The first that fails is what an attacker, or an accident, has touched. */
export function firstFailure(steps: readonly Step[]): Step | undefined {
  return steps.find(({ state }) => state === "failed");
}

function compareBody(body: EntryBody, { kind, digests }: Expected): Finding {
  if (kind !== undefined && kind !== body.kind) {
    throw new Unverified(`the server says "${kind}" and the entry is a "${body.kind}"`);
  }
  const own = body.digests.map(({ algorithm, hex }) => `${algorithm}:${hex}`);
  // Some kinds have more digests than are read here, so the server may name more; what the entry names must be among them.
  if (digests !== undefined && digests.length > 0 && own.some((digest) => !digests.includes(digest))) {
    throw new Unverified("the digest that the server tells is not the one in the entry");
  }
  return {
    state: "passed",
    words: "All that is told above about the signature was read, here, from the very bytes that are checked below.",
    values: [["Kind", `${body.kind} ${body.apiVersion}`], ...own.map((digest) => ["Digest", digest] as const)],
  };
}

function checkLeaf({ body, entryId, logIndex, log }: LoggedEntry, leaf: Uint8Array, expected: Expected): Finding {
  const { asked } = expected;
  const hex = leaf.toHex();
  const values = [
    ["Bytes hashed", `${body.length}`],
    ["Leaf hash", hex],
  ] as const;
  if (entryId !== undefined && !entryId.toLowerCase().endsWith(hex)) {
    throw new Unverified("the bytes hash to another leaf than the entry's ID names: they were changed");
  }
  if (expected.log !== undefined && log !== expected.log) {
    throw new Unverified("this is an entry of another log than the one that was asked");
  }
  if (asked !== undefined && !isAskedFor(asked, hex, logIndex)) {
    throw new Unverified("this is another entry than the one that was asked for");
  }
  return { state: "passed", words: "SHA-256 over a zero byte and the entry gives the leaf of the tree.", values };
}

function isAskedFor(asked: string, leaf: string, logIndex: bigint): boolean {
  return /^\d{1,19}$/.test(asked) ? BigInt(asked) === logIndex : asked.toLowerCase().endsWith(leaf);
}

function checkPath({ proof, logIndex, log, promise }: LoggedEntry, leaf: Uint8Array): Finding {
  if (proof.root.length !== 32) throw new Malformed("the root hash is not 32 bytes");
  // The index of a v1 log goes on over its shards, and the proof's is the tree's own: there the promise alone binds it.
  const isPromised = promise !== undefined && log !== "rekor-v2";
  if (proof.index !== logIndex && (!isPromised || proof.index > logIndex)) {
    throw new Unverified("the proof is for another place in the log than the entry's index");
  }
  const { root, climbs } = climb(proof, leaf);
  const values = climbs.map(({ sibling, side, parent }, level) => {
    return [`Level ${level + 1}`, `${side} ${sibling.toHex()} → ${parent.toHex()}`] as const;
  });
  if (!equalBytes(root, proof.root)) {
    throw new Unverified(
      "hashing up from this leaf does not give the root: the entry, its place or a hash was changed",
    );
  }
  if (climbs.length === 0) {
    return { state: "passed", words: "It is the only leaf, and so the root itself.", values: [["Root", root.toHex()]] };
  }
  const hashes = climbs.length === 1 ? "one hash" : `${climbs.length} hashes`;
  return {
    state: "passed",
    words: `Leaf ${proof.index} and ${hashes} give the root of a tree of ${proof.size}.`,
    values: [...values, ["Root", root.toHex()]],
  };
}

function compareCheckpoint({ origin, size, root }: SignedCheckpoint, { proof }: LoggedEntry): Finding {
  const values = [
    ["Log", origin],
    ["Size", String(size)],
    ["Root", root.toHex()],
  ] as const;
  if (size !== proof.size) throw new Unverified("the checkpoint is of a tree of another size than the proof's");
  if (!equalBytes(root, proof.root)) throw new Unverified("the checkpoint has another root than the proof leads to");
  return { state: "passed", words: "Size and root of the checkpoint are those the path leads to.", values };
}

/** Rekor v1's signed entry timestamp: RFC 8785 JSON of four members. No hash of the tree covers the time, only this. */
async function checkPromise(
  { promise, body, logIndex, log }: LoggedEntry,
  logKey: TrustedKey | undefined,
): Promise<Finding> {
  if (promise === undefined) {
    if (log === "rekor") throw new Unverified("this log signs a time for each entry, and the answer leaves it out");
    const words =
      log === undefined
        ? "No promise of a time is with this entry: its time comes from the timestamp in the bundle."
        : "This log promises no time: entries of Rekor v2 get theirs from a timestamp that travels with the bundle.";
    return { state: "open", words };
  }
  if (logKey === undefined) throw new Unverified("without a key for the log there is nothing to check it with");
  const { integratedTime, signature, logId } = promise;
  const logID = fingerprint(logKey.key).toHex();
  if (logId !== undefined && logId !== logID) {
    throw new Unverified("the promise names another log's key than the one that signed the checkpoint");
  }
  const signed = canonicalJson({ body: encodeBase64(body), integratedTime, logID, logIndex: Number(logIndex) });
  if (!(await verifyMessage(logKey.key, utf8(signed), signature))) {
    throw new Unverified("the log did not sign this time for this entry");
  }
  return {
    state: "passed",
    words: "The same key signed that this entry was logged at this time, at this place.",
    values: [
      ["Integrated", new Date(integratedTime * 1000).toISOString()],
      ["Index", String(logIndex)],
    ],
  };
}
