import { encodeHex, equalBytes } from "@chancery/encoding";
import { Damaged, Unverified } from "@chancery/fault";
import { type LoggedEntry, MissingRows, type TransparencyLog } from "@chancery/log";
import { HASH_SIZE, type InclusionProof, leafHash, type TreeHead, TILE_WIDTH, verifyInclusion } from "@chancery/tlog";

export type ProvenLog = Pick<TransparencyLog, "entry" | "findIdentity" | "inclusionProof" | "readiness" | "tile">;

/** An entry as it is stored, and how it was asked for. */
export interface AskedEntry {
  readonly entry: LoggedEntry;
  /** By this leaf hash, and not by its index. */
  readonly asked: Uint8Array | undefined;
}

export async function entryAt(
  log: Pick<ProvenLog, "entry" | "readiness">,
  index: bigint,
): Promise<AskedEntry | undefined> {
  const entry = await orDamaged(log, () => log.entry(index));
  return entry && { entry, asked: undefined };
}

export async function entryOfLeafHash(log: ProvenLog, asked: Uint8Array): Promise<AskedEntry | undefined> {
  const entry = await orDamaged(log, () => log.findIdentity(asked));
  return entry && { entry, asked };
}

/**
 * Nothing that was read from the database is shown as an entry of the log, nor signed as one, unless it is in the tree that
 * was published. `first` is what the index of the log's first entry is called, for whoever reads why not.
 */
export async function proveStored(
  log: ProvenLog,
  { entry: { index, leaf }, asked }: AskedEntry,
  head: TreeHead,
  first: bigint,
): Promise<InclusionProof> {
  const proof = await orDamaged(log, () => log.inclusionProof(index, head.size));
  const hash = leafHash(leaf);
  if (!isIncluded(proof, hash, head)) throw await changed(log, index, proof, head, first);
  // No hash covers the row that led here.
  if (asked === undefined || equalBytes(asked, hash)) return proof;
  throw new Damaged(`the database leads from the entry that was asked for to entry ${first + index}, which is another`);
}

/** Which of the two it was, entry or tree: where the hash that the tree has in its place is proven, the entry. */
async function changed(
  log: ProvenLog,
  index: bigint,
  proof: InclusionProof,
  head: TreeHead,
  first: bigint,
): Promise<Damaged> {
  const width = Number(index % BigInt(TILE_WIDTH)) + 1;
  const tile = await orDamaged(log, () => log.tile(0, Number(index / BigInt(TILE_WIDTH)), width));
  const signed = tile?.subarray(-HASH_SIZE);
  if (signed === undefined || !isIncluded(proof, signed, head)) {
    return new Damaged(`the stored hashes by which entry ${first + index} is proven do not lead to the signed root`);
  }
  return new Damaged(
    `the stored entry ${first + index} is not the one in its tree: the leaf hash there is ${encodeHex(signed)}`,
  );
}

function isIncluded(proof: InclusionProof, hash: Uint8Array, head: TreeHead): boolean {
  try {
    verifyInclusion(proof, hash, head);
    return true;
  } catch (error) {
    if (error instanceof Unverified) return false;
    throw error;
  }
}

/** Rows that are missing in a log which has all else that it signed were taken away: no waiting brings them back. */
export async function orDamaged<T>(log: Pick<ProvenLog, "readiness">, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof MissingRows) || (await log.readiness()) !== undefined) throw error;
    throw new Damaged(error.message, { cause: error });
  }
}
