import { equalBytes } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { leafHash } from "@chancery/tlog";
import { isPackedOf, leafText, packLeaf } from "./packed-leaf.ts";

/**
 * What is stored of a leaf, and the leaf's hash: of whatever form, it was read as it will be read, and is the leaf octet for
 * octet.
 */
export function storedLeaf(leaf: Uint8Array): { readonly stored: Uint8Array; readonly hash: Uint8Array } {
  const text = leafText(leaf);
  for (const stored of [packLeaf(leaf, text), leaf]) {
    if (isPackedOf(stored, text)) return { stored, hash: leafHash(leaf) };
  }
  throw new RefusedToSign("a leaf has no form in which it could be stored and read again");
}

/** The same of a leaf that is in the tree by this hash. */
export function storedLeafOf(leaf: Uint8Array, treeHash: Uint8Array): Uint8Array {
  const { stored, hash } = storedLeaf(leaf);
  if (equalBytes(hash, treeHash)) return stored;
  throw new RefusedToSign("a leaf that is to be stored has not the hash by which it is in the tree");
}
