import { type KeyObject, verify } from "node:crypto";
import { canonicalJson } from "@chancery/encoding";
import { type LogIdentity, openCheckpoint, type SignedHead } from "../checkpoint.ts";
import { rootOfPath } from "../inclusion.ts";
import { isIndex, isObject, isText, isTexts, member } from "../json-member.ts";
import { hashLeaf, sha256 } from "../merkle.ts";

/** An answer to a write, verified as a client does that has nothing but the log's key. */
export interface ProvenAnswer {
  readonly index: bigint;
  readonly body: Uint8Array;
  readonly head: SignedHead;
  /** The checkpoint it was proven against. */
  readonly note: Uint8Array;
}

export class CanaryFault extends Error {
  override readonly name = "CanaryFault";
}

/** `{ <entry ID>: { body, integratedTime, logID, logIndex, verification: { inclusionProof, signedEntryTimestamp } } }` */
export function openV1Answer(answer: unknown, log: LogIdentity, now: number): ProvenAnswer {
  const [[id, entry] = ["", undefined]] = isObject(answer) ? Object.entries(answer) : [];
  const verification = member(entry, "verification", isObject);
  const proof = member(verification, "inclusionProof", isObject);
  const text = member(entry, "body", isText);
  const body = Buffer.from(text, "base64");
  const integratedTime = member(entry, "integratedTime", isIndex);
  const promise = {
    body: text,
    integratedTime,
    logID: member(entry, "logID", isText),
    logIndex: member(entry, "logIndex", isIndex),
  };
  const timestamp = Buffer.from(member(verification, "signedEntryTimestamp", isText), "base64");
  const key = log.keys.find((one) => keyIdOf(one) === promise.logID);
  if (key === undefined) throw new CanaryFault(`the log ID ${promise.logID} is of none of the log's keys`);
  if (!verify("sha256", Buffer.from(canonicalJson(promise)), key, timestamp)) {
    throw new CanaryFault("the signed entry timestamp does not verify");
  }
  if (Math.abs(integratedTime * 1000 - now) > 60_000)
    throw new CanaryFault(`the integrated time ${integratedTime} is not now`);
  if (!id.endsWith(hashLeaf(body).toHex())) throw new CanaryFault("the entry ID is not the leaf's hash");
  const note = Buffer.from(member(proof, "checkpoint", isText));
  const head = openCheckpoint(note, log);
  const index = BigInt(member(proof, "logIndex", isIndex));
  const path = member(proof, "hashes", isTexts).map((hash) => Buffer.from(hash, "hex"));
  expectIncluded(body, index, path, head);
  return { index, body, head, note };
}

/** dev.sigstore.rekor.v1.TransparencyLogEntry in ProtoJSON. */
export function openV2Answer(answer: unknown, log: LogIdentity): ProvenAnswer {
  const proof = member(answer, "inclusionProof", isObject);
  const body = Buffer.from(member(answer, "canonicalizedBody", isText), "base64");
  const note = Buffer.from(member(member(proof, "checkpoint", isObject), "envelope", isText));
  const head = openCheckpoint(note, log);
  const index = BigInt(member(proof, "logIndex", isText));
  const path = member(proof, "hashes", isTexts).map((hash) => Buffer.from(hash, "base64"));
  expectIncluded(body, index, path, head);
  return { index, body, head, note };
}

function expectIncluded(body: Uint8Array, index: bigint, path: readonly Uint8Array[], head: SignedHead): void {
  const root = rootOfPath(index, head.size, hashLeaf(body), path);
  if (root === undefined || Buffer.compare(root, head.root) !== 0) {
    throw new CanaryFault(
      `the inclusion proof of entry ${index} does not lead to the root of the checkpoint of ${head.size}`,
    );
  }
}

function keyIdOf(key: KeyObject): string {
  return sha256(key.export({ type: "spki", format: "der" })).toHex();
}
