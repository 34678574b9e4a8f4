import { sha256 } from "@chancery/crypto";
import { encodeHex } from "@chancery/encoding";
import type { LoggedEntry, PublishedCheckpoint } from "./entry.ts";

/** What anyone may read of a log. A TransparencyLog is one. */
export interface CheckedLog {
  published(): Promise<PublishedCheckpoint>;
  entries(start: bigint, count: number): Promise<LoggedEntry[]>;
  tile(level: number, index: number, width: number): Promise<Uint8Array | undefined>;
  entryBundle(index: number, width: number): Promise<Uint8Array | undefined>;
  inclusionProof(index: bigint, size: bigint): Promise<{ readonly path: readonly Uint8Array[] }>;
  findIdentity(identity: Uint8Array): Promise<LoggedEntry | undefined>;
}

export interface LogCheck {
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly time: number;
}

const LEAF = Uint8Array.of(0x00);
const INNER = Uint8Array.of(0x01);
const CHUNK = 1024;
/** Entries whose proof, identity and bundle are asked for one by one. */
const SAMPLES = 32;

/**
 * Reads a whole log and derives every hash of it anew, from the text of RFC 6962 and with none of the
 * code that grew it. Throws at the first difference, naming it exactly.
 */
export async function checkLog(log: CheckedLog, expectedSize?: bigint): Promise<LogCheck> {
  const { head, time } = await log.published();
  const { size, root } = head;
  expect(expectedSize === undefined || size === expectedSize, `size is ${size}, not ${expectedSize}`);
  const leaves = await readLeaves(log, Number(size), time);
  const levels = perfectSubtrees(leaves);
  expect(same(treeHash(levels, 0, leaves.length), root), "root is not the hash of the entries");
  await checkTiles(log, levels);
  await checkSamples(log, levels, leaves.length);
  return { size, root, time };
}

/** Entries dense, in time order, each identity once. */
async function readLeaves(log: CheckedLog, size: number, time: number): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = [];
  const identities = new Map<string, number>();
  let last = 0;
  while (leaves.length < size) {
    const entries = await log.entries(BigInt(leaves.length), CHUNK);
    expect(entries.length > 0, `entry ${leaves.length} is missing`);
    for (const entry of entries) {
      const index = leaves.length;
      expect(entry.index === BigInt(index), `entry ${index} says it is entry ${entry.index}`);
      expect(entry.time >= last && entry.time <= time, `entry ${index} has a time out of order`);
      const name = encodeHex(entry.identity);
      expect(!identities.has(name), `entry ${index} is entry ${identities.get(name)} again`);
      identities.set(name, index);
      last = entry.time;
      leaves.push(sha256(Buffer.concat([LEAF, entry.leaf])));
    }
  }
  expect(leaves.length === size, `there are ${leaves.length} entries in a tree of ${size}`);
  expect((await log.entries(BigInt(size), 1)).length === 0, "an entry beyond the published tree is shown");
  return leaves;
}

/** Level k: MTH of every whole run of 2^k leaves. */
function perfectSubtrees(leaves: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const levels: (readonly Uint8Array[])[] = [leaves];
  for (let below = leaves; below.length > 1;) {
    const above: Uint8Array[] = [];
    for (let at = 0; at + 1 < below.length; at += 2) above.push(node(below[at], below[at + 1]));
    levels.push(above);
    below = above;
  }
  return levels;
}

/**
 * MTH(D[begin:end]). RFC 6962, Section 2.1: "let k be the largest power of two smaller than n [...] MTH(D[n]) =
 * SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))". Whole runs were computed already, by the same rule.
 */
function treeHash(levels: readonly (readonly Uint8Array[])[], begin: number, end: number): Uint8Array {
  const n = end - begin;
  if (n === 0) return sha256(new Uint8Array());
  const level = Math.log2(n);
  const whole = Number.isInteger(level) ? levels[level]?.[begin / n] : undefined;
  if (whole !== undefined) return whole;
  const k = 2 ** Math.floor(Math.log2(n - 1));
  return node(treeHash(levels, begin, begin + k), treeHash(levels, begin + k, end));
}

/** PATH(m, D[begin:end]). RFC 6962, Section 2.1.1. */
function auditPath(
  levels: readonly (readonly Uint8Array[])[],
  m: number,
  begin: number,
  end: number,
): readonly Uint8Array[] {
  const n = end - begin;
  if (n === 1) return [];
  const k = 2 ** Math.floor(Math.log2(n - 1));
  return m < begin + k
    ? [...auditPath(levels, m, begin, begin + k), treeHash(levels, begin + k, end)]
    : [...auditPath(levels, m, begin + k, end), treeHash(levels, begin, begin + k)];
}

/** Every tile, full and partial: tile level L holds the whole subtrees of 256^L leaves. c2sp.org/tlog-tiles. */
async function checkTiles(log: CheckedLog, levels: readonly (readonly Uint8Array[])[]): Promise<void> {
  for (let level = 0; level * 8 < levels.length; level++) {
    const nodes = levels[level * 8] ?? [];
    for (let index = 0; index * 256 < nodes.length; index++) {
      const hashes = nodes.slice(index * 256, (index + 1) * 256);
      const tile = await log.tile(level, index, hashes.length);
      expect(tile !== undefined, `tile ${level}/${index} of ${hashes.length} hashes is missing`);
      expect(same(tile ?? new Uint8Array(), join(hashes)), `tile ${level}/${index} differs`);
      const wider = hashes.length < 256 ? await log.tile(level, index, hashes.length + 1) : undefined;
      expect(wider === undefined, `tile ${level}/${index} is wider than the published tree`);
    }
  }
}

/** Proofs, lookups and bundles, which answer from the same rows by other ways. */
async function checkSamples(log: CheckedLog, levels: readonly (readonly Uint8Array[])[], size: number): Promise<void> {
  const step = Math.max(1, Math.floor(size / SAMPLES));
  const sampled = new Set(Array.from({ length: SAMPLES }, (_, at) => at * step).concat(size - 1));
  const bundles = new Map<number, Uint8Array>();
  for (const index of [...sampled].filter((at) => at >= 0 && at < size)) {
    const { path } = await log.inclusionProof(BigInt(index), BigInt(size));
    expect(same(join(path), join(auditPath(levels, index, 0, size))), `inclusion proof of entry ${index} differs`);
    const [entry] = await log.entries(BigInt(index), 1);
    if (entry === undefined) throw new Error(`log check: entry ${index} is missing`);
    const found = await log.findIdentity(entry.identity);
    expect(found?.index === BigInt(index), `entry ${index} is not found by its identity`);
    const place = Math.floor(index / 256);
    const bundle = bundles.get(place) ?? (await log.entryBundle(place, Math.min(256, size - place * 256)));
    if (bundle === undefined) throw new Error(`log check: entry bundle ${place} is missing`);
    bundles.set(place, bundle);
    expect(same(bundled(bundle, index % 256), entry.leaf), `entry bundle ${place} differs at entry ${index}`);
  }
}

/** `opaque entry<0..2^16-1>`, the one at this place. */
function bundled(bytes: Uint8Array, place: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let skipped = 0; skipped < place; skipped++) at += 2 + view.getUint16(at);
  return bytes.subarray(at + 2, at + 2 + view.getUint16(at));
}

function node(left: Uint8Array | undefined, right: Uint8Array | undefined): Uint8Array {
  if (left === undefined || right === undefined) throw new Error("log check: a subtree is not whole");
  return sha256(Buffer.concat([INNER, left, right]));
}

function join(hashes: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(hashes);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`log check: ${otherwise}`);
}
