import { countedEntries, equalBytes } from "@chancery/encoding";
import { RefusedToSign, Unverified } from "@chancery/fault";
import {
  type ConsistencyProof,
  consistencyProofFrom,
  edgeRoot,
  type Growth,
  growTree,
  HASH_SIZE,
  leafHash,
  rangeNodes,
  type TreeEdge,
  type TreeHead,
} from "@chancery/tlog";
import type { Tree, UnsignedReader } from "./store.ts";
import { TileReads } from "./tile-reads.ts";

const CHUNK = 1024;
/** Lookups under way at once: few enough that others find connections. */
const LOOKUPS = 4;

/**
 * What was committed and is not signed yet, by a process that died or is overtaken, read anew and grown on the signed
 * tree. A crash is when rows change; nobody was promised these, and once they are signed, one that is not what was hashed
 * is the end of the log. Their leaves must hash to the tree's root, their tiles hold these hashes, their times must not go
 * back, and each must be found by its identity. Throws Unverified, or RefusedToSign where it is the tree of another history.
 *
 * Nothing is kept in memory: as long as the tree is not signed, a database that fails over may lose it.
 */
export async function proveUnsigned(reader: UnsignedReader, signed: TreeHead, tree: Tree): Promise<ConsistencyProof> {
  const before = await edgeOf(reader, signed, tree.size);
  const entries = await readFrom(reader, signed.size, tree);
  const growth = growTree(
    before,
    entries.map((entry) => entry.hash),
  );
  if (!equalBytes(growth.root, tree.root)) throw new Unverified("its entries do not hash to its root");
  await expectTiles(reader, growth);
  await expectIdentities(reader, entries);
  return consistencyProofFrom(signed.size, tree.size, growth.lookup);
}

/** Of the signed tree, from the tiles that are stored. */
export async function edgeOf(reader: UnsignedReader, { size, root }: TreeHead, grown: bigint): Promise<TreeEdge> {
  if (size === 0n) return { size, edge: [] };
  const edge = await new TileReads(reader).hashes(size)(rangeNodes(0n, size));
  if (equalBytes(edgeRoot({ size, edge }), root)) return { size, edge };
  throw new RefusedToSign(`the tree of ${countedEntries(grown)} is not what the signed tree of ${size} became`);
}

/** Not the entry: there may be thousands, of 10 MiB each. */
interface Unsigned {
  readonly index: bigint;
  readonly identity: Uint8Array;
  readonly hash: Uint8Array;
}

/** Without a gap, none older than the one before. */
async function readFrom(reader: UnsignedReader, start: bigint, { size, time }: Tree): Promise<Unsigned[]> {
  const entries: Unsigned[] = [];
  let last = start === 0n ? 0 : ((await reader.entries(start - 1n, 1))[0]?.time ?? 0);
  for (let at = start; at < size;) {
    const chunk = await reader.entries(at, Number(size - at < CHUNK ? size - at : CHUNK));
    if (chunk.length === 0) throw new Unverified(`entry ${at} is missing`);
    for (const entry of chunk) {
      if (entry.index !== at) throw new Unverified(`entry ${at} is missing`);
      if (entry.time < last || entry.time > time) throw new Unverified(`entry ${at} has a time that is not its own`);
      last = entry.time;
      entries.push({ index: at, identity: entry.identity, hash: leafHash(entry.leaf) });
      at++;
    }
  }
  return entries;
}

async function expectTiles(reader: UnsignedReader, { tiles }: Growth): Promise<void> {
  const stored = await reader.tiles(tiles.map(({ level, index }) => ({ level, index })));
  for (const [at, { level, index, offset, hashes }] of tiles.entries()) {
    const begin = offset * HASH_SIZE;
    const added = stored[at]?.subarray(begin, begin + hashes.length);
    if (added === undefined || !equalBytes(added, hashes))
      throw new Unverified(`tile ${level}/${index} has other hashes`);
  }
}

async function expectIdentities(reader: UnsignedReader, entries: readonly Unsigned[]): Promise<void> {
  const queue = entries.values();
  const look = async () => {
    for (const { index, identity } of queue) {
      const found = await reader.findIndex("identity", identity);
      if (found !== index) throw new Unverified(`entry ${index} is not found by its identity`);
    }
  };
  await Promise.all(Array.from({ length: LOOKUPS }, look));
}
