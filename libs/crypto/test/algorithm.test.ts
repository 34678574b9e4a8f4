import {
  defaultHash,
  hash,
  type KeyAlgorithm,
  keyDetails,
  sha256,
  sha384,
  sha512,
  signatureScheme,
} from "../src/index.ts";
import { utf8 } from "@chancery/encoding";
import { expect, test } from "vitest";

test.for([
  ["ecdsa-p256", "sha256", "PKIX_ECDSA_P256_SHA_256"],
  ["ecdsa-p384", "sha384", "PKIX_ECDSA_P384_SHA_384"],
  ["ecdsa-p521", "sha512", "PKIX_ECDSA_P521_SHA_512"],
  ["rsa-2048", "sha256", "PKIX_RSA_PKCS1V15_2048_SHA256"],
  ["rsa-3072", "sha256", "PKIX_RSA_PKCS1V15_3072_SHA256"],
  ["rsa-4096", "sha256", "PKIX_RSA_PKCS1V15_4096_SHA256"],
  ["ed25519", "sha512", "PKIX_ED25519"],
] as const satisfies readonly (readonly [KeyAlgorithm, string, string])[])(
  "%s signs %s as %s",
  ([algorithm, h, name]) => {
    expect(defaultHash(algorithm)).toBe(h);
    expect(keyDetails(algorithm)).toBe(name);
    expect(signatureScheme(name)).toEqual({ algorithm, hash: h, prehashed: false });
  },
);

test("Ed25519ph has a name of its own, the others have no prehashed form", () => {
  expect(keyDetails("ed25519", true)).toBe("PKIX_ED25519_PH");
  expect(signatureScheme("PKIX_ED25519_PH")).toEqual({ algorithm: "ed25519", hash: "sha512", prehashed: true });
  expect(() => keyDetails("ecdsa-p256", true)).toThrow(TypeError);
});

test.for(["", "PKIX_ECDSA_P384_SHA_256", "PKIX_RSA_PSS_2048_SHA256", "PKCS1_RSA_PKCS1V5", "__proto__", "pkix_ed25519"])(
  "%j is no scheme",
  (name) => {
    expect(signatureScheme(name)).toBeUndefined();
  },
);

test("FIPS 180-4's example messages", () => {
  expect(sha256(utf8("abc")).toHex()).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(sha384(utf8("abc")).toHex()).toMatch(/^cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163/);
  expect(sha512(utf8("abc")).toHex()).toMatch(/^ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2/);
  expect(hash("sha256", new Uint8Array())).toEqual(
    Uint8Array.fromHex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
  );
});
