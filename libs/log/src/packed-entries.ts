import type { LoggedEntry } from "./entry.ts";
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
