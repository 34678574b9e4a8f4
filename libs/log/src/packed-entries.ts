import type { LoggedEntry } from "./entry.ts";
import { unpackLeaf } from "./packed-leaf.ts";
import { loggedEntry } from "./postgres-reads.ts";

/**
 * Of each entry, big-endian: int8 index, int8 time, and identity (empty where it is the leaf hash), leaf and extra, each
 * after its length as an int4. What is unpacked shares the memory of what came with it.
 */
export function unpackEntries(packed: Uint8Array): LoggedEntry[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const entries: LoggedEntry[] = [];
  let at = 0;
  const bytes = () => {
    const begin = at + 4;
    at = begin + view.getInt32(at);
    return packed.subarray(begin, at);
  };
  while (at < packed.length) {
    const [index, time] = [view.getBigInt64(at), view.getBigInt64(at + 8)];
    at += 16;
    const [identity, leaf, extra] = [bytes(), bytes(), bytes()];
    entries.push(loggedEntry({ index, time, identity: identity.length === 0 ? null : identity, leaf, extra }));
  }
  return entries;
}

/** The leaves alone: of a whole log nothing else is looked at, and an object with its identity for each cost as much. */
export function unpackLeaves(packed: Uint8Array): { readonly index: bigint; readonly leaf: Uint8Array }[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const leaves = [];
  for (let at = 0; at < packed.length;) {
    const index = view.getBigInt64(at);
    const leaf = at + 20 + view.getInt32(at + 16) + 4;
    const end = leaf + view.getInt32(leaf - 4);
    leaves.push({ index, leaf: unpackLeaf(packed.subarray(leaf, end)) });
    at = end + 4 + view.getInt32(end);
  }
  return leaves;
}
