import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parsePublicKey } from "../src/web/proof/public-key.ts";
import { defaultHash, verifyDigest, verifyMessage } from "../src/web/proof/signature.ts";

/** Node's OpenSSL signs; the page's code must say the same of it with WebCrypto and without. */
const KEYS: readonly (readonly [name: string, pair: { publicKey: KeyObject; privateKey: KeyObject }])[] = [
  ["P-256", generateKeyPairSync("ec", { namedCurve: "P-256" })],
  ["P-384", generateKeyPairSync("ec", { namedCurve: "P-384" })],
  ["P-521", generateKeyPairSync("ec", { namedCurve: "P-521" })],
  ["Ed25519", generateKeyPairSync("ed25519")],
  ["RSA 2048", generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ["RSA 3072", generateKeyPairSync("rsa", { modulusLength: 3072 })],
];
const MESSAGE = Buffer.from("a message");

describe.each(KEYS)("a signature by %s", (name, { publicKey, privateKey }) => {
  const key = parsePublicKey(publicKey.export({ type: "spki", format: "der" }), "key");
  const hash = defaultHash(key.algorithm);
  const signature = sign(name === "Ed25519" ? null : hash, MESSAGE, privateKey);

  test.for([["WebCrypto", globalThis.crypto.subtle] as const, ["@noble/curves", undefined] as const])(
    "verifies by %s, and only over this message",
    async ([, subtle]) => {
      const changed = Uint8Array.from(signature);
      changed[changed.length - 1]! ^= 1;
      expect(await verifyMessage(key, MESSAGE, signature, subtle)).toBe(true);
      expect(await verifyMessage(key, Buffer.from("another"), signature, subtle)).toBe(false);
      expect(await verifyMessage(key, MESSAGE, changed, subtle)).toBe(false);
      expect(await verifyMessage(key, MESSAGE, new Uint8Array(), subtle)).toBe(false);
    },
  );

  // Ed25519 signs messages; its prehashed form is another signature.
  if (name === "Ed25519") return;
  test("verifies over the digest alone", () => {
    expect(verifyDigest(key, hash, createHash(hash).update(MESSAGE).digest(), signature)).toBe(true);
    expect(verifyDigest(key, hash, createHash(hash).update("another").digest(), signature)).toBe(false);
  });
});
