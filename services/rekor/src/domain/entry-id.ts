import { decodeHex, encodeHex } from "@chancery/encoding";
import { Malformed } from "@chancery/fault";

/**
 * How the API names an entry: its leaf hash, 64 hexadecimal digits (upstream says UUID), with or without the tree's
 * ID, 16 digits, before it.
 */
export interface EntryId {
  readonly treeId: bigint | undefined;
  readonly leafHash: Uint8Array;
}

export const ENTRY_ID_PATTERN = "^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$";
const ENTRY_ID = new RegExp(ENTRY_ID_PATTERN);
const TREE_ID_DIGITS = 16;
const MAX_TREE_ID = 2n ** 63n - 1n;

export function encodeEntryId(treeId: bigint, leafHash: Uint8Array): string {
  return treeId.toString(16).padStart(TREE_ID_DIGITS, "0") + encodeHex(leafHash);
}

export function parseEntryId(text: string): EntryId {
  if (!ENTRY_ID.test(text)) throw new Malformed("entryUUID: not 64 or 80 hexadecimal digits");
  const leafHash = decodeHex(text.slice(-64), "entryUUID");
  if (text.length === 64) return { treeId: undefined, leafHash };
  const treeId = BigInt(`0x${text.slice(0, TREE_ID_DIGITS)}`);
  if (!isTreeId(treeId)) throw new Malformed(`entryUUID: ${text.slice(0, TREE_ID_DIGITS)} is not a valid TreeID`);
  return { treeId, leafHash };
}

/** Trillian's tree IDs, which clients read into an int64: positive and below 2^63. */
export function isTreeId(treeId: bigint): boolean {
  return treeId > 0n && treeId <= MAX_TREE_ID;
}
