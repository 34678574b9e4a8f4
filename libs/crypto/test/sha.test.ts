import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { HASH_LENGTH, hash, type HashAlgorithm, sha256Into, sha256OfText } from "../src/index.ts";

const ALGORITHMS = Object.keys(HASH_LENGTH) as HashAlgorithm[];
/** Around the block and the padding of either block size. */
const LENGTHS = [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 2048];

const bytes = (length: number) => Uint8Array.from({ length }, (_, at) => (at * 151 + length) % 256);
const oracle = (algorithm: HashAlgorithm, of: Uint8Array) =>
  new Uint8Array(createHash(algorithm).update(of).digest().values());

test.for(ALGORITHMS)("%s is what a Hash object makes of the same bytes", (algorithm) => {
  for (const length of LENGTHS) expect(hash(algorithm, bytes(length))).toEqual(oracle(algorithm, bytes(length)));
});

test("a text is hashed as its UTF-8, and half of a character as what stands for it there", () => {
  const long = "naïve € 😀 ".repeat(400);
  for (const text of ["", "a", long, "\ud83d", `${long}\ude00x`, "\0"]) {
    expect(sha256OfText(text)).toEqual(oracle("sha256", new TextEncoder().encode(text)));
  }
});

test("a hash that is written into an array changes its 32 bytes and no other", () => {
  const target = new Uint8Array(96).fill(7);
  sha256Into(target, 32, bytes(65));
  const edge = new Uint8Array(32).fill(7);
  expect(target).toEqual(new Uint8Array([...edge, ...oracle("sha256", bytes(65)), ...edge]));
});

test("hashes do not share memory", () => {
  const [one, other] = [hash("sha256", bytes(1)), hash("sha256", bytes(2))];
  one.fill(0);
  expect(other).toEqual(oracle("sha256", bytes(2)));
  expect(other.buffer.byteLength).toBe(32);
});
