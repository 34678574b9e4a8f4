import { encodeBase64, encodePem, utf8 } from "@chancery/encoding";
import { RefusedToSign } from "@chancery/fault";
import { leafHash } from "@chancery/tlog";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isPackedOf, leafText, packLeaf, unpackLeaf } from "../src/packed-leaf.ts";
import { storedLeaf, storedLeafOf } from "../src/stored-leaf.ts";

const json = (key: string) => utf8(`{"key":"${encodeBase64(utf8(key))}"}`);
const PEM = encodePem("CERTIFICATE", new Uint8Array(300).fill(7));

test("a leaf is stored in few bytes", () => {
  const leaf = json(PEM);
  const { stored, hash } = storedLeaf(leaf);
  expect([leaf.length, stored.length]).toEqual([626, 320]);
  expect([unpackLeaf(stored), hash]).toEqual([leaf, leafHash(leaf)]);
});

test("a leaf whose PEM would come back in other lines is stored as it is", () => {
  const joined = json(PEM.replace(/(?<=[A-Za-z0-9])\n(?=[A-Za-z0-9])/, ""));
  expect(unpackLeaf(packLeaf(joined, leafText(joined)))).not.toEqual(joined);
  expect(storedLeaf(joined)).toEqual({ stored: joined, hash: leafHash(joined) });
});

test("a leaf that would be taken for a packed one is packed, and one that cannot be is refused", () => {
  expect(unpackLeaf(storedLeaf(Uint8Array.of(1, 0, 0, 1, 7)).stored)).toEqual(Uint8Array.of(1, 0, 0, 1, 7));
  const long = new Uint8Array(65_536);
  long.set([1, 0, 0, 1, 7]);
  expect(unpackLeaf(long)).toBe(long);
  const readable = new Uint8Array(1 + 2 * (3 + 65_535)).fill(0x20);
  readable.set([1, 0, 0xff, 0xff]);
  readable.set([0, 0xff, 0xff], 1 + 3 + 65_535);
  expect(() => storedLeaf(readable)).toThrow(RefusedToSign);
});

test("a leaf is not stored under another leaf's hash", () => {
  const leaf = json(PEM);
  expect(storedLeafOf(leaf, leafHash(leaf))).toEqual(packLeaf(leaf, leafText(leaf)));
  expect(() => storedLeafOf(leaf, leafHash(json("another")))).toThrow(RefusedToSign);
});

test("only what unpacks to a leaf is taken for it", () => {
  const leaf = json(PEM);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), (changes) => {
      const stored = packLeaf(leaf, leafText(leaf)).slice();
      for (const [at, octet] of changes) stored[at % stored.length] = octet;
      expect(isPackedOf(stored, leafText(leaf))).toBe(Buffer.compare(unpackLeaf(stored), leaf) === 0);
    }),
  );
});
