import { equalBytes } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { leafHash } from "@chancery/tlog";
import { packLeaf, unpackLeaf } from "./packed-leaf.ts";

/** What is stored of a leaf: of whatever form, it was read as it will be read, and has the leaf's hash. */
export function storedLeaf(leaf: Uint8Array, hash: Uint8Array): Uint8Array {
  for (const form of [packLeaf(leaf), leaf]) if (equalBytes(leafHash(unpackLeaf(form)), hash)) return form;
  throw new RefusedToSign("a leaf has no form in which it could be stored and read again");
}
