import { createHash, verify } from "node:crypto";
import {
  leafHash,
  parseCheckpoint,
  parseNote,
  verifyConsistency,
  verifyInclusion,
  verifyTreeHead,
} from "@chancery/tlog";
import { certificatePublicKey, parseCertificate, verifySct } from "@chancery/x509";
import { expect } from "vitest";
import { type CtWorld, ORIGIN, type Submitted } from "./ct-world.ts";

interface TreeHeadJson {
  tree_size: number;
  timestamp: number;
  sha256_root_hash: string;
  tree_head_signature: string;
}

interface EntryJson {
  leaf_input: string;
  extra_data: string;
}

const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const base64 = (octets: Uint8Array) => Buffer.from(octets).toString("base64");
const sha256 = (...parts: Uint8Array[]) =>
  new Uint8Array(parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest());

/**
 * Reads the whole log through its public API, as a monitor does, and derives everything it says anew: tree,
 * signature, proofs, order of time, and that each promise made is kept.
 */
export async function checkPublicLog(world: CtWorld, size: number): Promise<void> {
  const head = await world.get<TreeHeadJson>("ct/v1/get-sth");
  expect(head.tree_size).toBe(size);
  expect(Object.keys(head).toSorted()).toEqual(["sha256_root_hash", "timestamp", "tree_head_signature", "tree_size"]);
  checkTreeHeadSignature(world, head);
  const entries = await readEntries(world, size);
  const leaves = entries.map((entry) => bytes(entry.leaf_input));
  expect(base64(mth(leaves))).toBe(head.sha256_root_hash);
  checkTimes(leaves, head);
  for (const entry of entries) checkEntry(world, entry);
  for (const submitted of world.submitted) await checkPromise(world, submitted, leaves);
  await checkProofs(world, leaves, head);
  await checkCheckpoint(world, head);
  const { certificates } = await world.get<{ certificates: string[] }>("ct/v1/get-roots");
  expect(certificates).toEqual([base64(world.authority.root.der)]);
}

/** RFC 6962, Section 3.5, written out. */
function checkTreeHeadSignature(world: CtWorld, head: TreeHeadJson): void {
  const message = Buffer.alloc(50);
  message.writeUInt8(1, 1);
  message.writeBigUInt64BE(BigInt(head.timestamp), 2);
  message.writeBigUInt64BE(BigInt(head.tree_size), 10);
  message.set(bytes(head.sha256_root_hash), 18);
  checkDigitallySigned(world, message, bytes(head.tree_head_signature));
}

async function readEntries(world: CtWorld, size: number): Promise<EntryJson[]> {
  const all: EntryJson[] = [];
  while (all.length < size) {
    const range = `start=${all.length}&end=${size - 1}`;
    const { entries } = await world.get<{ entries: EntryJson[] }>(`ct/v1/get-entries?${range}`);
    expect(entries.length).toBeGreaterThan(0);
    all.push(...entries);
  }
  expect(all).toHaveLength(size);
  return all;
}

/** Time never runs back along the log, and no entry is younger than the tree head it is in. */
function checkTimes(leaves: readonly Uint8Array[], head: TreeHeadJson): void {
  let latest = 0n;
  for (const leaf of leaves) {
    const time = Buffer.from(leaf).readBigUInt64BE(2);
    expect(time).toBeGreaterThanOrEqual(latest);
    expect(time).toBeLessThanOrEqual(BigInt(head.timestamp));
    latest = time;
  }
}

/** The leaf is of the certificate that `extra_data` shows, which its issuer there signed. */
function checkEntry(world: CtWorld, entry: EntryJson): void {
  const leaf = Buffer.from(bytes(entry.leaf_input));
  const extra = Buffer.from(bytes(entry.extra_data));
  const isPrecertificate = leaf.readUInt16BE(10) === 1;
  const [submitted, chainAt] = isPrecertificate ? readOpaque24(extra, 0) : readOpaque24(leaf, 12);
  const [list, end] = readOpaque24(extra, isPrecertificate ? chainAt : 0);
  expect(end).toBe(extra.length);
  const chain: Uint8Array[] = [];
  for (let at = 0; at < list.length;) {
    const [der, next] = readOpaque24(list, at);
    chain.push(der);
    at = next;
  }
  const certificate = parseCertificate(submitted, "leaf");
  const issuer = parseCertificate(chain[0]!, "issuer");
  const { keyObject } = certificatePublicKey(issuer);
  expect(verify("sha256", certificate.tbs, keyObject, certificate.signature)).toBe(true);
  expect(chain.at(-1)).toEqual(Buffer.from(world.authority.root.der));
  if (isPrecertificate) expect(base64(leaf.subarray(12, 44))).toBe(base64(sha256(issuer.spki)));
}

/** An SCT that was given out verifies, and what it signs is a leaf of the log, with its time. */
async function checkPromise(
  world: CtWorld,
  { chain, signedEntry, sct }: Submitted,
  leaves: readonly Uint8Array[],
): Promise<void> {
  expect(base64(sct.logId)).toBe(base64(sha256(world.key.spki)));
  expect(sct.extensions).toEqual(new Uint8Array());
  const isPrecertificate = signedEntry !== chain[0];
  const header = Buffer.alloc(12);
  header.writeBigUInt64BE(BigInt(sct.timestamp), 2);
  header.writeUInt16BE(isPrecertificate ? 1 : 0, 10);
  const issuerKeyHash = sha256(parseCertificate(chain[1]!, "issuer").spki);
  const length = Buffer.from(signedEntry.length.toString(16).padStart(6, "0"), "hex");
  const message = Buffer.concat([
    header,
    ...(isPrecertificate ? [issuerKeyHash] : []),
    length,
    signedEntry,
    Buffer.alloc(2),
  ]);
  checkDigitallySigned(world, message, sct.signature);
  const entry = isPrecertificate
    ? { type: "precertificate" as const, issuerKeyHash, tbs: signedEntry }
    : { type: "certificate" as const, der: signedEntry };
  await verifySct(sct, world.key, entry);
  expect(leaves.filter((leaf) => message.equals(leaf))).toHaveLength(1);
}

async function checkProofs(world: CtWorld, leaves: readonly Uint8Array[], head: TreeHeadJson): Promise<void> {
  const to = { size: BigInt(head.tree_size), root: bytes(head.sha256_root_hash) };
  for (const [index, leaf] of leaves.entries()) {
    const hash = encodeURIComponent(base64(leafHash(leaf)));
    const found = await world.get<{ leaf_index: number; audit_path: string[] }>(
      `ct/v1/get-proof-by-hash?hash=${hash}&tree_size=${head.tree_size}`,
    );
    expect(found.leaf_index).toBe(index);
    const path = found.audit_path.map(bytes);
    verifyInclusion({ index: BigInt(index), size: to.size, path }, leafHash(leaf), to);
  }
  for (let from = 0; from <= head.tree_size; from++) {
    const range = `first=${from}&second=${head.tree_size}`;
    const { consistency } = await world.get<{ consistency: string[] }>(`ct/v1/get-sth-consistency?${range}`);
    const old = { size: BigInt(from), root: mth(leaves.slice(0, from)) };
    verifyConsistency({ from: old.size, to: to.size, path: consistency.map(bytes) }, old, to);
  }
}

async function checkCheckpoint(world: CtWorld, head: TreeHeadJson): Promise<void> {
  const response = await world.fetch("checkpoint");
  expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  const note = new Uint8Array(await response.arrayBuffer());
  expect(parseCheckpoint(parseNote(note).text)).toMatchObject({ origin: ORIGIN, size: BigInt(head.tree_size) });
  const signed = verifyTreeHead(note, ORIGIN, world.key);
  expect(base64(signed.root)).toBe(head.sha256_root_hash);
  expect(signed.timestamp).toBe(BigInt(head.timestamp));
}

/** sha256(4), ecdsa(3), length, DER. */
function checkDigitallySigned(world: CtWorld, message: Uint8Array, signed: Uint8Array): void {
  const buffer = Buffer.from(signed);
  expect([buffer[0], buffer[1], buffer.readUInt16BE(2)]).toEqual([4, 3, buffer.length - 4]);
  expect(verify("sha256", message, world.key.keyObject, buffer.subarray(4))).toBe(true);
}

function readOpaque24(buffer: Uint8Array, at: number): [Buffer, number] {
  const view = Buffer.from(buffer);
  const end = at + 3 + view.readUIntBE(at, 3);
  expect(end).toBeLessThanOrEqual(view.length);
  return [view.subarray(at + 3, end), end];
}

/** RFC 6962, Section 2.1. */
function mth(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), leaves[0]!);
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return sha256(Uint8Array.of(1), mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}
