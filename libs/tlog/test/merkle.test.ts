import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { edgeRoot, EMPTY_ROOT, EMPTY_TREE, growTree, leafHash, nodeHash } from "../src/index.ts";
import { mth } from "./rfc6962-literal.ts";

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

/** The eight leaves and nine roots that certificate-transparency's reference code and its descendants publish. */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

describe("hashes of RFC 6962", () => {
  test.for(ROOTS.entries().toArray())("the reference tree of %i leaves has its published root", ([size, root]) => {
    const leaves = LEAVES.slice(0, size).map(hex);
    expect(growTree(EMPTY_TREE, leaves.map(leafHash)).root).toEqual(hex(root));
    expect(mth(leaves), "the oracle agrees").toEqual(hex(root));
  });

  test("an empty tree is the hash of nothing", () => {
    expect(EMPTY_ROOT).toEqual(hex(ROOTS[0]!));
    expect(edgeRoot(EMPTY_TREE)).toEqual(EMPTY_ROOT);
  });

  test("a leaf whose bytes are two hashes is not their parent", () => {
    const [left, right] = [leafHash(hex("00")), leafHash(hex("01"))];
    expect(leafHash(Buffer.concat([left, right]))).not.toEqual(nodeHash(left, right));
  });

  test("leaves of every length are hashed with their prefix, also after longer ones", () => {
    for (const length of [20_000, 0, 16_385, 16_384, 16_383, 16_382, 1, 100]) {
      const leaf = new Uint8Array(length).fill(length % 251);
      const expected = createHash("sha256").update(Uint8Array.of(0)).update(leaf).digest("hex");
      expect(leafHash(leaf).toHex(), `${length} bytes`).toBe(expected);
    }
  });

  test("one node's hash does not disturb another's", () => {
    const [a, b, c] = ["00", "01", "02"].map((byte) => leafHash(hex(byte))) as [Uint8Array, Uint8Array, Uint8Array];
    const first = nodeHash(a, b);
    const copy = first.slice();
    nodeHash(c, a);
    expect(first).toEqual(copy);
  });
});
