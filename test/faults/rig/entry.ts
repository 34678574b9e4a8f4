import { sha256 } from "../../../libs/crypto/src/index.ts";
import { utf8 } from "../../../libs/encoding/src/index.ts";
import { type NewEntry, SearchKeys } from "../../../libs/log/src/index.ts";
import { leafHash } from "../../../libs/tlog/src/index.ts";

/**
 * The entry of a name, always the same. Every fourth logs as CT does (the place is in the leaf, something is kept
 * beside it), the others as Rekor does. One whose name begins with "large" has a megabyte beside it.
 */
export function entryNamed(name: string): NewEntry {
  const searchKeys = SearchKeys.of([{ column: "key0", bytes: sha256(utf8(`key of ${name}`)).subarray(0, 16) }]);
  const digest = sha256(utf8(name));
  if (isTimed(name)) {
    return {
      identity: digest,
      leaf: ({ time, index }) => utf8(`${time} ${index} certificate ${name}`),
      extra: besideOf(name, `chain of ${name}`),
      searchKeys,
    };
  }
  const leaf = utf8(`entry ${name}`);
  return { identity: leafHash(leaf), leaf: () => leaf, extra: besideOf(name), searchKeys };
}

function besideOf(name: string, text = ""): Uint8Array {
  return name.startsWith("large") ? new Uint8Array(1_000_000) : utf8(text);
}

function isTimed(name: string): boolean {
  return sha256(utf8(name))[0]! % 4 === 0;
}
